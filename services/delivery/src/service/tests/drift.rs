//! What others did to the repository is found, told once and written over.

use super::{
    bench::{Bench, call, env, instance, wanted},
    *,
};
use crate::model::GATEWAY_ROUTE;

async fn two_applied(bench: &Bench) {
    for n in 1..=2 {
        bench.service.apply(&call(1, &format!("r-{n}")), wanted(n, 1)).await.unwrap();
    }
    bench.settle().await;
}

/// What must hold after any foreign commit: the files are ours again, nothing was applied anew.
async fn mended(bench: &Bench, before: &crate::model::Bundle, after_restart: bool, events: usize) {
    if after_restart {
        bench.restarted().settle().await;
    }
    bench.settle().await;
    assert_eq!(&bench.files(), before);
    assert_eq!(bench.events("InstanceApplied").await.len(), 2);
    assert_eq!(bench.events("DriftFound").await.len(), events);
    // A file of nobody is no instance's drift: it is only gone again.
    let found = bench.events("DriftFound").await;
    let of_instances = found.iter().filter(|event| event.org_id.is_some()).count();
    assert_eq!(bench.events("DriftMended").await.len(), of_instances);
    let applied = bench.service.applied(&call(1, ""), instance(1)).await.unwrap();
    assert_eq!((applied.revision, applied.standing.unwrap().route.path), (1, format!("/i/{}", instance(1))));
    let (head, commits) = (bench.head(), bench.commits());
    bench.settle().await;
    assert_eq!((bench.head(), bench.commits()), (head, commits), "the loops come to rest");
}

#[tokio::test]
async fn a_changed_file_is_written_over() {
    for after_restart in [false, true] {
        for bench in Bench::all().await {
            two_applied(&bench).await;
            let before = bench.files();
            let folder = wanted(1, 1).folder(&env());
            let route = folder.file(GATEWAY_ROUTE);
            let text = String::from_utf8(before.get(&route).unwrap().to_vec()).unwrap();
            bench.foreign(&[(&route, Some(&text.replace("/i/", "/evil/")))]);
            mended(&bench, &before, after_restart, 1).await;
            let event = bench.events("DriftFound").await.remove(0);
            assert_eq!(event.aggregate_id, instance(1).to_string());
            assert_eq!(event.payload["files"], serde_json::json!([format!("{route} is changed")]));
        }
    }
}

#[tokio::test]
async fn a_removed_folder_comes_back() {
    for after_restart in [false, true] {
        for bench in Bench::all().await {
            two_applied(&bench).await;
            let before = bench.files();
            bench.foreign(&[(&wanted(2, 1).folder(&env()).to_string(), None)]);
            mended(&bench, &before, after_restart, 1).await;
        }
    }
}

#[tokio::test]
async fn a_folder_removed_before_it_was_ever_seen_comes_back() {
    for bench in Bench::all().await {
        two_applied(&bench).await;
        bench.service.apply(&call(1, "r-3"), wanted(3, 1)).await.unwrap();
        bench.foreign(&[(&wanted(3, 1).folder(&env()).to_string(), None)]);
        bench.settle().await;
        assert_eq!(bench.service.applied(&call(1, ""), instance(3)).await.unwrap().revision, 1);
        assert_eq!(bench.events("DriftFound").await.len(), 1);
    }
}

#[tokio::test]
async fn files_of_nobody_are_removed() {
    for after_restart in [false, true] {
        for bench in Bench::all().await {
            two_applied(&bench).await;
            let before = bench.files();
            let root = env().instances();
            // An instance that nobody asked for, rendered as we would; one in another project's folder; junk.
            let stranger = crate::model::render(&env(), &wanted(7, 1)).unwrap();
            let moved = Desired { project_id: souk_types::ProjectId::from_bits(8), ..wanted(1, 1) };
            let moved = crate::model::render(&env(), &moved).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let mut files: Vec<_> = stranger
                .iter()
                .chain(moved.iter())
                .map(|(path, bytes)| (path.to_owned(), text(bytes)))
                .collect();
            files.extend(
                ["README.md", "a/b", "a/b2/c/d/e.yaml"].map(|name| (format!("{root}/{name}"), String::new())),
            );
            let files: Vec<_> =
                files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
            bench.foreign(&files);
            bench.foreign(&[("docs/notes.md", Some("not ours to touch"))]);
            mended(&bench, &before, after_restart, 2).await;
            assert!(!bench.service.repository.read("docs").unwrap().files.is_empty());
        }
    }
}

#[tokio::test]
async fn an_old_state_put_back_is_drift() {
    for bench in Bench::all().await {
        two_applied(&bench).await;
        let folder = wanted(1, 1).folder(&env());
        let old: Vec<_> = bench
            .service
            .repository
            .read(&folder.to_string())
            .unwrap()
            .files
            .iter()
            .map(|(path, bytes)| (path.to_owned(), String::from_utf8(bytes.to_vec()).unwrap()))
            .collect();
        bench.service.apply(&call(1, "r-9"), wanted(1, 2)).await.unwrap();
        bench.settle().await;
        let before = bench.files();
        let old: Vec<_> = old.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        bench.foreign(&old);
        bench.settle().await;
        assert_eq!(bench.files(), before);
        assert_eq!(bench.service.applied(&call(1, ""), instance(1)).await.unwrap().revision, 2);
        assert_eq!(bench.events("InstanceApplied").await.len(), 3);
        assert_eq!(bench.events("DriftFound").await.len(), 1);
    }
}

#[tokio::test]
async fn a_lost_repository_is_rebuilt_from_the_rows() {
    for bench in Bench::all().await {
        two_applied(&bench).await;
        let before = bench.files();
        std::fs::remove_dir_all(bench.path()).unwrap();
        let service = bench.anew();
        for _ in 0..3 {
            service.reconcile_turn().await.unwrap();
            service.commit_turn().await.unwrap();
        }
        assert_eq!(service.repository.read(&env().instances()).unwrap().files, before);
        assert_eq!(bench.events("InstanceApplied").await.len(), 2, "nothing new is applied");
        assert!(bench.events("DriftFound").await.is_empty(), "a loss is no drift");
        let applied = service.applied(&call(1, ""), instance(1)).await.unwrap();
        assert_eq!(applied.commit_id, service.repository.head().unwrap());
    }
}

#[tokio::test]
async fn a_head_that_moved_meanwhile_is_not_drift() {
    for bench in Bench::all().await {
        two_applied(&bench).await;
        let folder = wanted(1, 1).folder(&env());
        bench.foreign(&[(&format!("{}/junk", env().instances()), Some("x"))]);
        let old = bench.service.repository.instances(&env()).unwrap();
        // The row is of revision 2 now, the files that were listed are of revision 1.
        bench.service.apply(&call(1, "r-9"), wanted(1, 2)).await.unwrap();
        let head = bench.head();
        let unsettled = bench.service.examine(&old, vec![folder.clone()]).await.unwrap();
        assert!(unsettled.contains(&folder));
        assert!(!bench.service.sweep(&old, old.strays.clone()).await.unwrap());
        assert_eq!(bench.head(), head);
        assert!(bench.events("DriftFound").await.is_empty());
        bench.settle().await;
        assert_eq!(bench.events("DriftFound").await.len(), 1, "the junk alone");
    }
}
