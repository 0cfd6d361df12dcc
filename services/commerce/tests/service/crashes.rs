//! A process that ends between two steps: nothing is lost, nothing is doubled.

use serde_json::Value;
use souk_proto::souk::commerce::v1::order_line::State;
use souk_types::Reason;

use crate::{capture::Capture, fakes::Mood, signer::Signer, town::towns};

#[tokio::test]
async fn a_delivery_that_was_only_kept_is_worked_on_after_a_restart() {
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        town.fakes.know(|known| known.catalog = Mood::Refuses(Reason::Unavailable));
        town.deliver(&Capture::load("a_single_plan_signed_in").ours()[0]).await;
        let town = town.restarted().await;
        assert_eq!(town.text("SELECT state FROM inbox").await, "RECEIVED");
        town.fakes.know(|known| known.catalog = Mood::Well);
        town.until_line(State::Done).await;
        assert_eq!(town.fakes.holdings(3), (1, 0));
        town.end().await;
    }
}

#[tokio::test]
async fn a_line_half_done_goes_on_after_a_restart_without_doubles() {
    for town in towns().await {
        let signer = Signer::new("k");
        town.signing_shop(&signer, Some(3)).await;
        town.fakes.know(|known| known.instances_left = Some(2));
        let text = &Capture::load("a_single_plan_signed_in").ours()[0].body;
        let mut order: Value = serde_json::from_str(text).unwrap();
        order["order"]["lines"][0]["quantity"] = 5.into();
        town.send(&signer, &order).await;
        town.until(async || (town.number("SELECT COUNT(*) FROM line_effect").await == 2).then_some(())).await;
        let town = town.restarted().await;
        let line = town.line().await;
        assert_eq!((line.state(), line.instance_ids.len()), (State::Working, 2));
        town.fakes.know(|known| {
            known.instances_left = None;
            known.instances = Mood::LosesAnswers;
        });
        town.until(async || (town.fakes.holdings(3).0 == 5).then_some(())).await;
        let town = town.restarted().await;
        town.fakes.know(|known| known.instances = Mood::Well);
        let line = town.until_line(State::Done).await;
        assert_eq!((line.units, line.instance_ids.len()), (5, 5));
        assert_eq!(town.fakes.holdings(3), (5, 0));
        town.end().await;
    }
}

#[tokio::test]
async fn an_order_taken_in_whose_delivery_was_not_closed_is_taken_in_once() {
    use sea_orm::{ConnectionTrait as _, Statement};
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        town.deliver(&Capture::load("a_single_plan_signed_in").ours()[0]).await;
        town.quiet().await;
        let reopen = town.database.write("test.reopen", |tx| async move {
            let sql = "UPDATE inbox SET state = 'RECEIVED', outcome = NULL";
            tx.execute_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
            Ok::<_, souk_db::Error>(())
        });
        reopen.await.unwrap();
        let town = town.restarted().await;
        town.quiet().await;
        assert_eq!(town.text("SELECT outcome FROM inbox").await, "APPLIED", "the first answer again");
        assert_eq!((town.fakes.holdings(3), town.fakes.know(|known| known.asked)), ((1, 0), 1));
        town.end().await;
    }
}
