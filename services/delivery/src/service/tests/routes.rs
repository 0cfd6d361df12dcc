//! Two instances are never reached at the same place: the first to be kept has it.

use super::{
    bench::{Bench, call, instance, removal, removing, wanted},
    *,
};
use crate::model::Route;

fn at(n: u128, revision: i64, host: &str, path: &str) -> Desired {
    let host = Some(host.to_owned()).filter(|host| !host.is_empty());
    Desired { route: Route { host, path: path.to_owned() }, ..wanted(n, revision) }
}

async fn taken(bench: &Bench, id: &str, asked: Desired) -> Fault {
    let fault = Fault::from(bench.service.apply(&call(1, id), asked).await.unwrap_err());
    assert_eq!(fault.reason, Reason::RouteTaken, "{fault:?}");
    fault
}

#[tokio::test]
async fn the_first_has_the_place_until_a_commit_frees_it() {
    for bench in Bench::all().await {
        bench.service.apply(&call(1, "a"), at(1, 1, "shop.example", "/")).await.unwrap();
        let fault = taken(&bench, "b", at(2, 1, "shop.example", "/")).await;
        assert_eq!((&*fault.metadata["host"], &*fault.metadata["path"]), ("shop.example", "/"));
        assert!(!format!("{fault:?}").contains(&instance(1).to_string()), "whose it is, is not said");
        assert_eq!(bench.commits(), 1);
        bench.service.apply(&call(1, "c"), at(2, 1, "shop.example", "/two")).await.unwrap();
        bench.service.apply(&call(1, "d"), at(3, 1, "other.example", "/")).await.unwrap();
        // The holder moves: as long as the old place stands in the repository nobody gets it.
        bench.intend(&call(1, "e"), &at(1, 2, "shop.example", "/moved")).await;
        taken(&bench, "f", at(4, 1, "shop.example", "/")).await;
        taken(&bench, "g", at(4, 1, "shop.example", "/moved")).await;
        bench.service.commit_turn().await.unwrap();
        bench.service.apply(&call(1, "h"), at(4, 1, "shop.example", "/")).await.unwrap();
        bench.service.remove(&removing(1, "i"), removal(4, 2)).await.unwrap();
        bench.service.apply(&call(1, "j"), at(5, 1, "shop.example", "/")).await.unwrap();
        // A refused change of place leaves the old one as it is.
        taken(&bench, "k", at(3, 2, "shop.example", "/")).await;
        bench.service.apply(&call(1, "l"), at(3, 2, "other.example", "/")).await.unwrap();
    }
}

#[tokio::test]
async fn the_default_places_belong_to_their_instances() {
    for bench in Bench::all().await {
        for path in [format!("/i/{}", instance(2)), format!("/i/{}/x", instance(1)), "/i".to_owned()] {
            let refused = bench.service.apply(&call(1, "a"), at(1, 1, "", &path)).await.unwrap_err();
            assert!(matches!(refused, Error::Invalid(_)), "{path}: {refused:?}");
        }
        bench.service.apply(&call(1, "a"), at(1, 1, "", "/ice")).await.unwrap();
        bench.service.apply(&call(1, "b"), at(1, 2, "", &format!("/i/{}", instance(1)))).await.unwrap();
        bench.service.apply(&call(1, "c"), at(2, 1, "", "/ice")).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_who_come_together_one_gets_the_place() {
    for bench in Bench::all().await {
        let asks = (1..=8).map(|n| (call(1, &format!("r-{n}")), at(n, 1, "shop.example", "/")));
        let asks: Vec<_> = asks.collect();
        let answers =
            join_all(asks.iter().map(|(call, asked)| bench.service.apply(call, asked.clone()))).await;
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!((won, bench.commits()), (1, 1), "{}", bench.db.engine);
        assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(Error::RouteTaken { .. }))));
    }
}
