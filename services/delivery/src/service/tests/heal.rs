//! A repository that is taken away while the process is up is written again while it is up.

use std::{fs, path::Path};

use super::{
    bench::{Bench, call, instance, removal, removing, wanted},
    *,
};

type Harm = fn(&Path);

async fn three_and_one_gone(bench: &Bench) {
    for n in 1..=4 {
        bench.service.apply(&call(1, &format!("r-{n}")), wanted(n, 1)).await.unwrap();
    }
    bench.service.remove(&removing(1, "x"), removal(4, 2)).await.unwrap();
    bench.settle().await;
}

#[tokio::test]
async fn what_is_taken_away_while_up_is_written_again_to_the_byte() {
    let harms: [(&str, Harm); 5] = [
        ("all of it", |path| fs::remove_dir_all(path).unwrap()),
        ("with the folder above", |path| fs::remove_dir_all(path.parent().unwrap()).unwrap()),
        ("all in it", |path| {
            fs::remove_dir_all(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("the objects", |path| fs::remove_dir_all(path.join("objects")).unwrap()),
        ("the head", |path| fs::remove_file(path.join("HEAD")).unwrap()),
    ];
    for (name, harm) in harms {
        for bench in Bench::all().await {
            let what = format!("{name} on {}", bench.db.engine);
            three_and_one_gone(&bench).await;
            let (tree, files) = (bench.tree(), bench.files());
            harm(&bench.path());
            bench.settle().await;
            assert_eq!((bench.tree(), bench.files()), (tree, files), "{what}");
            assert_eq!(bench.events("InstanceApplied").await.len(), 3, "{what}: nothing new is applied");
            assert!(bench.events("DriftFound").await.is_empty(), "{what}: a loss is no drift");
            let applied = bench.service.applied(&call(1, ""), instance(1)).await.unwrap();
            assert_eq!(applied.commit_id, bench.head(), "{what}");
            // And it goes on from there, for a process that comes later too.
            bench.service.apply(&call(1, "next"), wanted(1, 2)).await.unwrap();
            bench.restarted().settle().await;
            bench.settle().await;
            assert_eq!(bench.events("InstanceApplied").await.len(), 4, "{what}");
        }
    }
}

#[tokio::test]
async fn a_change_that_comes_right_after_the_loss_is_kept_with_all_the_rest() {
    for bench in Bench::all().await {
        three_and_one_gone(&bench).await;
        fs::remove_dir_all(bench.path()).unwrap();
        let answer = bench.service.apply(&call(1, "new"), wanted(1, 2)).await.unwrap();
        assert_eq!(answer.commit_id, bench.head());
        bench.settle().await;
        let folders = bench.service.repository.instances(&bench::env()).unwrap().folders;
        assert_eq!(folders.len(), 3, "{}", bench.db.engine);
    }
}
