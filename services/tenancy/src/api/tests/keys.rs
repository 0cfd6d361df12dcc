//! API keys: shown once, told from typos, bound to their org, gone when revoked; and the operator's own.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};

use super::*;

fn wanted(org: &str, request_id: &str) -> pb::CreateApiKeyRequest {
    pb::CreateApiKeyRequest {
        scopes: Vec::new(),
        org_id: org.into(),
        request_id: request_id.into(),
        display_name: "ci".into(),
        time_to_live: None,
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_reaches_its_own_org_only() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let org = pb::CreateOrgRequest { request_id: "o".into(), display_name: "Second".into() };
    stage.by(&ann).create_org(org).await.unwrap();
    let made = stage.by(&ann).create_api_key(wanted(&home.org_id, "k")).await.unwrap().into_inner();
    let key = made.api_key.unwrap();
    assert!(made.secret.starts_with(&key.hint) && made.secret.starts_with("souk_sk_"));
    assert_eq!(key.user_id, ann.user_id().unwrap().to_string());
    let again = stage.by(&ann).create_api_key(wanted(&home.org_id, "k")).await.unwrap_err();
    let again = refusal(&again);
    assert_eq!(again.reason, "SECRET_ALREADY_SHOWN");
    assert_eq!(again.metadata.get("api_key_id"), Some(&key.api_key_id));
    let (_, principal) = stage.resolve_key(&made.secret).await.unwrap();
    let orgs: Vec<_> = principal.memberships.iter().map(|held| held.org_id.as_str()).collect();
    assert_eq!(orgs, [home.org_id.as_str()]);
    assert!(principal.session_id.is_empty() && principal.expire_time.is_none() && !principal.operator);
    let list = pb::ListApiKeysRequest { org_id: home.org_id, ..Default::default() };
    let listed = stage.by(&ann).list_api_keys(list).await.unwrap().into_inner().api_keys;
    assert_eq!(listed, [key]);
}

#[tokio::test]
async fn a_key_shows_and_does_nothing_beyond_its_org() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let second = |request_id: &str| pb::CreateOrgRequest {
        request_id: request_id.into(),
        display_name: "Second".into(),
    };
    stage.by(&ann).create_org(second("o")).await.unwrap();
    let made = stage.by(&ann).create_api_key(wanted(&home.org_id, "k")).await.unwrap().into_inner();
    let (key, principal) = stage.resolve_key(&made.secret).await.unwrap();
    assert!(principal.bound && matches!(key, Caller::Key { .. }), "{key:?}");
    let seen = stage.by(&key).get_caller(pb::GetCallerRequest {}).await.unwrap().into_inner();
    let orgs: Vec<_> = seen.memberships.iter().map(|held| held.org_id.as_str()).collect();
    assert_eq!(orgs, [home.org_id.as_str()]);
    assert_eq!(reason(stage.by(&key).create_org(second("p")).await), "PERMISSION_DENIED");
    assert_eq!(reason(stage.by(&key).auto_create_workspace(wish("w")).await), "PERMISSION_DENIED");
    let another = stage.by(&key).create_api_key(wanted(&home.org_id, "k2")).await;
    assert_eq!(reason(another), "PERMISSION_DENIED", "a key's own revocation must reach all it made");
    let list = |org_id: &str| pb::ListProjectsRequest { org_id: org_id.into(), ..Default::default() };
    assert!(stage.by(&key).list_projects(list(&home.org_id)).await.is_ok());
    let everything = stage.by(&ann).get_caller(pb::GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!(everything.memberships.len(), 2, "the person sees both, and no third was made");
    let other = everything.memberships.iter().find(|held| held.org_id != home.org_id).unwrap();
    assert_eq!(reason(stage.by(&key).list_projects(list(&other.org_id)).await), "ORG_NOT_FOUND");
}

#[tokio::test]
async fn typos_ends_and_revocation_are_told_apart() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let hour = prost_duration(3600);
    let brief = pb::CreateApiKeyRequest { time_to_live: Some(hour), ..wanted(&home.org_id, "k1") };
    let brief = stage.by(&ann).create_api_key(brief).await.unwrap().into_inner();
    let lasting = stage.by(&ann).create_api_key(wanted(&home.org_id, "k2")).await.unwrap().into_inner();
    let typo = brief.secret.replace("souk_sk_", "souk_sk_0");
    let unknown = crate::model::Credential::mint(crate::model::credential::Kind::ApiKey, stage.db.random());
    for bad in [typo.as_str(), "", "souk_sk_", unknown.into_secret().expose()] {
        assert_eq!(reason(stage.resolve_key(bad).await), "TOKEN_INVALID", "{bad}");
    }
    stage.db.clock.advance(Duration::from_secs(3599));
    assert!(stage.resolve_key(&brief.secret).await.is_ok());
    stage.db.clock.advance(Duration::from_secs(1));
    assert_eq!(reason(stage.resolve_key(&brief.secret).await), "TOKEN_EXPIRED");
    let id = lasting.api_key.unwrap().api_key_id;
    let revoke =
        |request_id: &str| pb::RevokeApiKeyRequest { api_key_id: id.clone(), request_id: request_id.into() };
    let revoked = stage.by(&ann).revoke_api_key(revoke("x")).await.unwrap().into_inner().api_key.unwrap();
    assert!(revoked.revoke_time.is_some());
    assert_eq!(reason(stage.resolve_key(&lasting.secret).await), "TOKEN_INVALID");
    stage.db.clock.advance(Duration::from_secs(5));
    for request_id in ["x", "y"] {
        let again = stage.by(&ann).revoke_api_key(revoke(request_id)).await.unwrap().into_inner().api_key;
        assert_eq!(again.unwrap().revoke_time, revoked.revoke_time, "revoked once");
    }
}

fn prost_duration(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

#[tokio::test]
async fn a_key_has_its_persons_present_role() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let made = stage.by(&ann).create_api_key(wanted(&home.org_id, "k")).await.unwrap().into_inner();
    let change = |sql: &'static str| {
        stage.db.write("t.change", move |tx| async move {
            tx.execute_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
            Ok::<_, souk_db::Error>(())
        })
    };
    change("UPDATE members SET role = 'VIEWER'").await.unwrap();
    let (_, principal) = stage.resolve_key(&made.secret).await.unwrap();
    assert_eq!(principal.memberships[0].role(), pb::Role::Viewer);
    change("DELETE FROM members").await.unwrap();
    assert_eq!(reason(stage.resolve_key(&made.secret).await), "TOKEN_INVALID", "who left, left");
}

#[tokio::test]
async fn keys_are_hidden_from_strangers_and_denied_to_viewers() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (bob, _) = stage.settle("bob@example.org").await;
    let made = stage.by(&ann).create_api_key(wanted(&home.org_id, "k")).await.unwrap().into_inner();
    let id = made.api_key.unwrap().api_key_id;
    let revoke = pb::RevokeApiKeyRequest { api_key_id: id, request_id: "x".into() };
    let list = pb::ListApiKeysRequest { org_id: home.org_id.clone(), ..Default::default() };
    assert_eq!(reason(stage.by(&bob).revoke_api_key(revoke.clone()).await), "API_KEY_NOT_FOUND");
    assert_eq!(reason(stage.by(&bob).list_api_keys(list.clone()).await), "ORG_NOT_FOUND");
    assert_eq!(reason(stage.by(&bob).create_api_key(wanted(&home.org_id, "k")).await), "ORG_NOT_FOUND");
    for role in [Role::Viewer, Role::Member] {
        let ann = demoted(&ann, role);
        assert_eq!(reason(stage.by(&ann).revoke_api_key(revoke.clone()).await), "PERMISSION_DENIED");
        assert_eq!(
            reason(stage.by(&ann).create_api_key(wanted(&home.org_id, "z")).await),
            "PERMISSION_DENIED"
        );
        assert!(stage.by(&ann).list_api_keys(list.clone()).await.is_ok());
    }
    assert!(stage.resolve_key(&made.secret).await.is_ok(), "nothing happened");
    let never = pb::CreateApiKeyRequest {
        time_to_live: Some(prost_duration(-1)),
        display_name: String::new(),
        ..wanted(&home.org_id, "n")
    };
    let wrong = stage.by(&ann).create_api_key(never).await.unwrap_err();
    assert_eq!(
        (refusal(&wrong).reason.as_str(), wrong.message()),
        ("INVALID_ARGUMENT", "2 fields are wrong")
    );
}

#[tokio::test]
async fn the_operators_key_is_made_once_and_again_when_it_was_lost() {
    let stage = Stage::set().await;
    let (operator, key) = stage.operator().await;
    let Caller::User { platform, memberships, .. } = &operator else { panic!("no person") };
    assert_eq!((*platform, memberships.len()), (Some(PlatformRole::Operator), 0));
    assert!(bootstrap(&stage.db, Some(&format!("{key}\n"))).await.unwrap().is_none(), "it serves");
    let fresh = bootstrap(&stage.db, Some("souk_sk_damaged")).await.unwrap().unwrap();
    assert_eq!(reason(stage.resolve_key(&key).await), "TOKEN_INVALID");
    let (same, _) = stage.resolve_key(fresh.expose()).await.unwrap();
    assert_eq!(same, operator);
    let me = stage.by(&operator).get_caller(pb::GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!((me.operator, me.user.unwrap().email.as_str()), (true, crate::OPERATOR));
}

#[tokio::test]
async fn a_key_that_an_operator_makes_for_an_org_acts_there_alone() {
    let stage = Stage::set().await;
    let (_, home) = stage.settle("ann@example.org").await;
    let (operator, _) = stage.operator().await;
    let made = stage.by(&operator).create_api_key(wanted(&home.org_id, "k")).await.unwrap().into_inner();
    let (_, principal) = stage.resolve_key(&made.secret).await.unwrap();
    assert!(!principal.operator);
    assert_eq!(principal.memberships.len(), 1);
    let held = &principal.memberships[0];
    assert_eq!(
        (&held.org_id, held.role(), &held.project_ids),
        (&home.org_id, pb::Role::Admin, &vec![home.project_id])
    );
    let nowhere = OrgId::from_bits(77).to_string();
    assert_eq!(reason(stage.by(&operator).create_api_key(wanted(&nowhere, "k")).await), "ORG_NOT_FOUND");
}

#[tokio::test]
async fn a_narrowed_key_says_its_scopes_everywhere_and_has_no_more() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let ask = |request_id: &str, scopes: &[&str]| pb::CreateApiKeyRequest {
        scopes: scopes.iter().map(|text| (*text).to_owned()).collect(),
        ..wanted(&home.org_id, request_id)
    };
    for bad in [
        "",
        "runs",
        "runs.*",
        "*",
        "runs.Use",
        "nobody.read",
        "runs.use ",
        "runs.use runs.read",
        "delivery.admin",
    ] {
        let refused = stage.by(&ann).create_api_key(ask("bad", &["runs.use", bad])).await;
        assert_eq!(reason(refused), "INVALID_ARGUMENT", "{bad:?}");
    }
    let made = stage.by(&ann).create_api_key(ask("k", &["tenancy.read", "runs.use", "runs.use"])).await;
    let made = made.unwrap().into_inner();
    let names = ["runs.use", "tenancy.read"];
    assert_eq!(made.api_key.as_ref().unwrap().scopes, names);
    let again = stage.by(&ann).create_api_key(ask("k", &["runs.use", "tenancy.read"])).await;
    assert_eq!(reason(again), "SECRET_ALREADY_SHOWN", "the same command, however it is spelled");
    let other = stage.by(&ann).create_api_key(ask("k", &["runs.use"])).await;
    assert_eq!(reason(other), "REQUEST_ID_REUSED");
    let (key, principal) = stage.resolve_key(&made.secret).await.unwrap();
    assert_eq!(principal.scopes, names);
    let list = pb::ListApiKeysRequest { org_id: home.org_id.clone(), ..Default::default() };
    let listed = stage.by(&key).list_api_keys(list).await.unwrap().into_inner().api_keys;
    assert_eq!(listed[0].scopes, names);
    let project = pb::CreateProjectRequest {
        org_id: home.org_id.clone(),
        request_id: "p".into(),
        slug: "web".into(),
        display_name: String::new(),
    };
    assert_eq!(reason(stage.by(&key).create_project(project.clone()).await), "PERMISSION_DENIED");
    assert!(stage.by(&key).get_caller(pb::GetCallerRequest {}).await.is_ok(), "a key asks who it is");
    let blind = stage.by(&ann).create_api_key(ask("k2", &["runs.use"])).await.unwrap().into_inner();
    let (blind, _) = stage.resolve_key(&blind.secret).await.unwrap();
    let list = pb::ListProjectsRequest { org_id: home.org_id.clone(), ..Default::default() };
    assert_eq!(reason(stage.by(&blind).list_projects(list).await), "PERMISSION_DENIED");
    let whole = stage.by(&ann).create_api_key(ask("k3", &["tenancy.admin"])).await.unwrap().into_inner();
    let (whole, _) = stage.resolve_key(&whole.secret).await.unwrap();
    assert!(stage.by(&whole).create_project(project).await.is_ok());
}
