//! Workspaces: one a user, one trial a user, whatever is repeated, parallel or away.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use souk_kit::Refusal;
use souk_proto::souk::billing::v1::Source;
use tonic::Code;

use super::*;

const TRIAL: i64 = 1_000_000_000;

#[tokio::test]
async fn a_workspace_is_an_org_a_default_project_and_a_trial() {
    let stage = Stage::set().await;
    let (ann, _, _) = stage.sign_in("Ann@Example.org").await;
    let home = stage.by(&ann).auto_create_workspace(wish("r-1")).await.unwrap().into_inner();
    assert_eq!(home.wallet_balance_micros, TRIAL);
    let grants = stage.bank.grants();
    let user = ann.user_id().unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!((grants[0].source(), grants[0].amount_micros), (Source::Trial, TRIAL));
    assert_eq!((&grants[0].source_ref, &grants[0].org_id), (&format!("trial:{user}"), &home.org_id));
    let me = stage.by(&ann).get_caller(pb::GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!(me.user.unwrap().email, "ann@example.org");
    assert_eq!(me.memberships[0].org_id, home.org_id);
    assert_eq!(
        (me.memberships[0].role(), &me.memberships[0].project_ids),
        (pb::Role::Admin, &vec![home.project_id])
    );
    assert!(!me.operator);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_a_new_wish_the_present_balance() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    stage.bank.spend(&home.org_id, 400);
    let mut client = stage.by(&ann);
    assert_eq!(client.auto_create_workspace(wish("home")).await.unwrap().into_inner(), home, "first answer");
    let now = client.auto_create_workspace(wish("again")).await.unwrap().into_inner();
    assert_eq!((&now.org_id, now.wallet_balance_micros), (&home.org_id, TRIAL - 400));
    let other = pb::AutoCreateWorkspaceRequest { display_name: "Other".into(), ..wish("home") };
    assert_eq!(reason(client.auto_create_workspace(other).await), "REQUEST_ID_REUSED");
    assert_eq!(stage.bank.grants().len(), 1);
    stage.bank.refuse(Some(Reason::Unavailable));
    assert_eq!(client.auto_create_workspace(wish("home")).await.unwrap().into_inner(), home, "from the log");
}

#[tokio::test]
async fn many_wishes_of_one_user_at_once_make_one_workspace_and_one_trial() {
    let stage = Stage::set().await;
    let (ann, _, _) = stage.sign_in("ann@example.org").await;
    let (bob, _, _) = stage.sign_in("bob@example.org").await;
    let wishes = (0..24).map(|place| {
        let mut client = stage.by(if place % 3 == 0 { &bob } else { &ann });
        // Some share a request id, some do not.
        async move { client.auto_create_workspace(wish(&format!("r-{}", place / 4))).await }
    });
    let answers = join_all(wishes).await;
    let homes: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().into_inner())
        .map(|home| (home.org_id, home.project_id, home.wallet_balance_micros))
        .collect();
    assert_eq!(homes.len(), 2, "one each: {homes:?}");
    assert!(homes.iter().all(|(_, _, balance)| *balance == TRIAL));
    assert_eq!((stage.bank.grants().len(), stage.bank.wallets().len()), (2, 2));
}

#[tokio::test]
async fn while_billing_is_away_the_row_waits_and_the_repeat_completes_it() {
    let stage = Stage::set().await;
    let (ann, _, _) = stage.sign_in("ann@example.org").await;
    stage.bank.refuse(Some(Reason::Unavailable));
    let refused = stage.by(&ann).auto_create_workspace(wish("r")).await.unwrap_err();
    let Refusal { code, reason, retry_after, metadata, .. } = refusal(&refused);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "UNAVAILABLE"));
    assert!(retry_after.is_some());
    let org = metadata.get("org_id").unwrap().clone();
    stage.bank.refuse(None);
    let home = stage.by(&ann).auto_create_workspace(wish("r")).await.unwrap().into_inner();
    assert_eq!((home.org_id, home.wallet_balance_micros), (org, TRIAL), "the same org");
    assert_eq!(stage.bank.grants().len(), 1);
}

#[tokio::test]
async fn the_loop_completes_what_nobody_asks_for_again() {
    let stage = Stage::set().await;
    let (ann, _, _) = stage.sign_in("ann@example.org").await;
    stage.bank.refuse(Some(Reason::Unavailable));
    assert!(stage.by(&ann).auto_create_workspace(wish("r")).await.is_err());
    stage.bank.refuse(None);
    stage.hand.workspaces_turn().await.unwrap();
    assert!(stage.bank.wallets().is_empty(), "it is not due yet");
    stage.db.clock.advance(Duration::from_secs(30));
    stage.hand.workspaces_turn().await.unwrap();
    assert_eq!(stage.bank.grants().len(), 1);
    stage.db.clock.advance(Duration::from_secs(3600));
    stage.hand.workspaces_turn().await.unwrap();
    assert_eq!(stage.bank.grants().len(), 1, "READY is over");
}

#[tokio::test]
async fn what_billing_refuses_for_good_is_parked_until_somebody_asks() {
    let stage = Stage::set().await;
    let (ann, _, _) = stage.sign_in("ann@example.org").await;
    stage.bank.refuse(Some(Reason::AmountOutOfRange));
    let refused = stage.by(&ann).auto_create_workspace(wish("r")).await;
    assert_eq!(reason(refused), "AMOUNT_OUT_OF_RANGE");
    stage.bank.refuse(None);
    stage.db.clock.advance(Duration::from_secs(3600));
    stage.hand.workspaces_turn().await.unwrap();
    assert!(stage.bank.wallets().is_empty(), "the loop lets it lie");
    assert_eq!(
        stage.by(&ann).auto_create_workspace(wish("r")).await.unwrap().into_inner().wallet_balance_micros,
        TRIAL
    );
}

#[tokio::test]
async fn an_org_of_ones_own_making_has_a_wallet_and_no_trial() {
    let stage = Stage::set().await;
    let (ann, _) = stage.settle("ann@example.org").await;
    let ask = |id: &str| pb::CreateOrgRequest { request_id: id.into(), display_name: " Bakery ".into() };
    let made = stage.by(&ann).create_org(ask("o-1")).await.unwrap().into_inner();
    let (org, project) = (made.org.clone().unwrap(), made.project.clone().unwrap());
    assert_eq!((org.display_name.as_str(), project.slug.as_str()), ("Bakery", "default"));
    assert_eq!((&project.org_id, stage.bank.wallets().get(&org.org_id)), (&org.org_id, Some(&0)));
    assert_eq!(stage.by(&ann).create_org(ask("o-1")).await.unwrap().into_inner(), made, "a repeat");
    stage.bank.refuse(Some(Reason::Unavailable));
    let late = stage.by(&ann).create_org(ask("o-2")).await.unwrap().into_inner().org.unwrap();
    assert!(!stage.bank.wallets().contains_key(&late.org_id));
    stage.bank.refuse(None);
    stage.db.clock.advance(Duration::from_secs(30));
    stage.hand.workspaces_turn().await.unwrap();
    assert_eq!(stage.bank.wallets().get(&late.org_id), Some(&0));
    assert_eq!(stage.bank.grants().len(), 1, "the trial of the workspace only");
}

#[tokio::test]
async fn without_a_trial_a_workspace_is_empty_and_orgs_have_a_bound() {
    let config = Config { trial_credits: 0, max_orgs_per_user: 2, ..Config::default() };
    let stage = Stage::with(config).await;
    let (ann, home) = stage.settle("ann@example.org").await;
    assert_eq!((home.wallet_balance_micros, stage.bank.grants().len()), (0, 0));
    let ask = |id: &str| pb::CreateOrgRequest { request_id: id.into(), display_name: "Org".into() };
    assert!(stage.by(&ann).create_org(ask("o-1")).await.is_ok());
    let refused = stage.by(&ann).create_org(ask("o-2")).await.unwrap_err();
    assert_eq!(
        (refusal(&refused).reason.as_str(), refused.code()),
        ("LIMIT_REACHED", Code::ResourceExhausted)
    );
    assert!(stage.by(&ann).create_org(ask("o-1")).await.is_ok(), "a repeat is no third org");
}

#[tokio::test]
async fn only_people_have_workspaces() {
    let stage = Stage::set().await;
    let anonymous = stage.by(&Caller::Anonymous).auto_create_workspace(wish("r")).await;
    assert_eq!(reason(anonymous), "TOKEN_MISSING");
    let part = stage.part(PartName::Commerce, None).auto_create_workspace(wish("r")).await;
    assert_eq!(reason(part), "PERMISSION_DENIED");
    let stranger =
        Caller::User { user_id: souk_types::UserId::from_bits(9), memberships: vec![], platform: None };
    assert_eq!(reason(stage.by(&stranger).auto_create_workspace(wish("r")).await), "USER_NOT_FOUND");
    let (ann, _, _) = stage.sign_in("ann@example.org").await;
    let bad = pb::AutoCreateWorkspaceRequest { display_name: "x".repeat(101), ..wish("r") };
    assert_eq!(reason(stage.by(&ann).auto_create_workspace(bad).await), "INVALID_ARGUMENT");
    assert_eq!(reason(stage.by(&ann).auto_create_workspace(wish("")).await), "REQUEST_ID_REQUIRED");
}
