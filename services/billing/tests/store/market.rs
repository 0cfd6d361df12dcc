//! Every command at once, from every replica, sweeps included.

use std::{collections::BTreeSet, time::Duration};

use futures::future::{join, join_all};
use sea_orm::{ConnectionTrait as _, Statement};
use souk_billing::{
    MIGRATIONS,
    model::{
        ask::{Ask, Reply, wallet_of},
        pricing::Usage,
    },
};
use souk_testkit::{Database, databases};
use souk_types::{
    Credits, Time,
    id::{OrgId, ReservationId},
};

use super::{
    CREDIT, FOREIGN, OWN, Shop, authorize, check, instance, micros, number, replicas, settle, top_up, turn,
};

fn extend(reservation_id: ReservationId) -> Ask {
    let estimate = vec![Usage { dimension: "run".to_owned(), quantity: 1 }];
    Ask::Extend { reservation_id, estimate, ttl: Some(Duration::from_secs(1_800)) }
}

fn reverse(org_id: OrgId) -> Ask {
    Ask::ReverseTopUp {
        org_id,
        source_ref: String::from("order:line"),
        amount: micros(CREDIT),
        cause: String::new(),
    }
}

fn adjust(org_id: OrgId, amount: i64, expire_time: Option<Time>) -> Ask {
    Ask::AdjustWallet { org_id, amount: micros(amount), note: "why".to_owned(), expire_time }
}

impl Shop {
    /// What one buyer does in a day; refusals for want of credits are part of it.
    async fn buy(&self, buyer: u128, end: Time) {
        let (org, by) = if buyer.is_multiple_of(5) { (FOREIGN, 2) } else { (OWN, 1) };
        let name = |verb: &str| format!("{verb}-{buyer}");
        match buyer % 8 {
            5 => drop(self.by(org, &name("give"), adjust(org, CREDIT, Some(end))).await.unwrap()),
            6 => drop(self.by(org, &name("take"), adjust(org, -CREDIT, None)).await),
            7 => drop(self.by(org, &name("back"), reverse(org)).await.unwrap()),
            _ => {}
        }
        let reply = self.by(org, &name("a"), authorize(by)).await.unwrap();
        let Reply::Allowed { reservation_id, .. } = reply else {
            self.by(org, &name("t"), top_up(org, 3)).await.unwrap();
            return;
        };
        if buyer.is_multiple_of(3) {
            self.by(org, &name("x"), extend(reservation_id)).await.unwrap();
        }
        let (id, last) = (name("e"), Ask::Release { reservation_id });
        match buyer % 4 {
            0 => drop(self.by(org, &id, last).await.unwrap()),
            1 => drop(self.by(org, &id, settle(reservation_id, 0)).await.unwrap()),
            2 => drop(self.by(org, &id, settle(reservation_id, 2)).await.unwrap()),
            _ => {}
        }
    }
}

/// A wallet's events of becoming empty and of being so no longer take turns, and the last says how it is.
async fn edges(database: &Database, shop: &Shop, org: OrgId) {
    let wallet = wallet_of(org);
    let sql = format!(
        "SELECT kind FROM outbox WHERE aggregate_id = '{wallet}'
            AND kind IN ('souk.billing.v1.WalletDepleted', 'souk.billing.v1.WalletReplenished')
            ORDER BY aggregate_seq"
    );
    let rows = database.read().query_all_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    let full = rows.iter().fold(false, |full, row| {
        let kind: String = row.try_get("", "kind").unwrap();
        assert_eq!(kind.ends_with("Replenished"), !full, "{}: an edge that is none", database.engine);
        !full
    });
    let (available, reserved) = shop.balance(org).await;
    assert_eq!(full, available + reserved > 0, "{}: an edge is missing", database.engine);
}

/// Everything at once, from every replica, sweeps included, then the books.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_balance_after_a_market_day() {
    for database in databases("billing", MIGRATIONS).await {
        let shops = replicas(&database).await;
        let first = turn(&shops, 0);
        first.open(OWN, instance(1), 8).await;
        first.open(FOREIGN, instance(2), 4).await;
        for day in 0..3_u128 {
            let end = database.now() + Duration::from_secs(60);
            let buyers = (day * 100..day * 100 + 64)
                .map(|buyer| turn(&shops, usize::try_from(buyer).unwrap()).buy(buyer, end));
            let sweeps = shops.iter().map(|shop| async move {
                shop.service.sweep().await.unwrap();
                shop.service.sweep_lots().await.unwrap();
            });
            join(join_all(buyers), join_all(sweeps)).await;
            check(&database).await;
            edges(&database, first, OWN).await;
            edges(&database, first, FOREIGN).await;
            // What was given expires under way, and what nobody ended a day later.
            database.clock.advance(Duration::from_secs(if day == 1 { 3_600 } else { 61 }));
        }
        database.clock.advance(Duration::from_secs(3_600));
        first.service.sweep().await.unwrap();
        first.service.sweep_lots().await.unwrap();
        check(&database).await;
        assert_eq!((first.balance(OWN).await.1, first.balance(FOREIGN).await.1), (0, 0));
        let open = "SELECT COUNT(*) FROM reservations WHERE state = 'OPEN'";
        assert_eq!(number(&database, open).await, 0, "nothing is older than its time");
        let due = "SELECT COUNT(*) FROM lots WHERE expire_time IS NOT NULL AND available_micros > 0";
        assert_eq!(number(&database, due).await, 0, "what has expired is posted");
        edges(&database, first, OWN).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_extend_one_reservation_within_what_there_is() {
    for database in databases("billing", MIGRATIONS).await {
        let shops = replicas(&database).await;
        let first = turn(&shops, 0);
        first.open(OWN, instance(1), 20).await;
        let id = first.reserved("a").await;
        let names: Vec<_> = (0..48).map(|place| format!("x-{place}")).collect();
        let asked = names.iter().enumerate().map(|(place, name)| turn(&shops, place).ask(name, extend(id)));
        let replies: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
        let budgets: BTreeSet<_> = replies
            .iter()
            .filter_map(|reply| match reply {
                Reply::Extended { budget, .. } => Some(budget.micros()),
                Reply::NotExtended { reason, budget, .. } => {
                    assert_eq!((reason.as_str(), *budget), ("INSUFFICIENT_CREDITS", micros(20 * CREDIT)));
                    None
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(budgets, (2..=20).map(|credits| credits * CREDIT).collect(), "{}", database.engine);
        // A refund of everything waits for the work, and takes what it leaves.
        let all = Ask::ReverseTopUp {
            org_id: OWN,
            source_ref: "order:line".to_owned(),
            amount: Credits::ZERO,
            cause: "refund".to_owned(),
        };
        let Reply::Reversed(reversal) = first.ask("refund", all).await.unwrap() else { panic!() };
        assert_eq!((reversal.reversed, reversal.pending), (Credits::ZERO, micros(20 * CREDIT)));
        drop(first.ask("s", settle(id, 3)).await.unwrap());
        assert_eq!(first.balance(OWN).await, (0, 0));
        check(&database).await;
    }
}
