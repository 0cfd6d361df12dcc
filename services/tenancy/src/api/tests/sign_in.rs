//! Sign-in links and sessions: one use, ten minutes, thirty days, over when ended.

use std::time::Duration;

use futures::future::join_all;

use super::*;

fn link(request_id: &str, email: &str) -> pb::CreateSignInLinkRequest {
    pb::CreateSignInLinkRequest { request_id: request_id.into(), email: email.into() }
}

fn code(code: &str) -> pb::RedeemSignInLinkRequest {
    pb::RedeemSignInLinkRequest { code: code.into() }
}

#[tokio::test]
async fn of_those_who_redeem_a_link_at_once_one_wins() {
    let stage = Stage::set().await;
    let (operator, _) = stage.operator().await;
    let made =
        stage.by(&operator).create_sign_in_link(link("l", "Ann@example.org")).await.unwrap().into_inner();
    let tries = (0..12).map(|_| {
        let mut door = stage.door();
        let ask = code(&made.code);
        async move { door.redeem_sign_in_link(ask).await }
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(tries).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 11));
    assert!(lost.into_iter().all(|refused| reason(refused) == "SIGN_IN_LINK_INVALID"));
    let session = won.into_iter().next().unwrap().unwrap().into_inner();
    assert_eq!(session.user.as_ref().unwrap().email, "ann@example.org");
    let (_, principal) = stage.resolve_session(&session.secret).await.unwrap();
    assert_eq!((principal.session_id, principal.user), (session.session_id, session.user));
}

#[tokio::test]
async fn a_link_is_shown_once_and_ends_after_ten_minutes() {
    let stage = Stage::set().await;
    let (operator, _) = stage.operator().await;
    let mut client = stage.by(&operator);
    let first = client.create_sign_in_link(link("l", "ann@example.org")).await.unwrap().into_inner();
    assert_eq!(
        reason(client.create_sign_in_link(link("l", "ann@example.org")).await),
        "SECRET_ALREADY_SHOWN"
    );
    assert_eq!(reason(client.create_sign_in_link(link("l", "bob@example.org")).await), "REQUEST_ID_REUSED");
    stage.db.clock.advance(Duration::from_secs(599));
    let second = crate::sign_in_link(&stage.db, &Config::default(), "ann@example.org").await.unwrap();
    assert!(stage.door().redeem_sign_in_link(code(second.0.expose())).await.is_ok());
    stage.db.clock.advance(Duration::from_secs(1));
    assert_eq!(reason(stage.door().redeem_sign_in_link(code(&first.code)).await), "SIGN_IN_LINK_INVALID");
    for bad in ["", "souk_si_", &first.code.replace("souk_si_", "souk_sk_")] {
        assert_eq!(
            reason(stage.door().redeem_sign_in_link(code(bad)).await),
            "SIGN_IN_LINK_INVALID",
            "{bad}"
        );
    }
    let bad = crate::sign_in_link(&stage.db, &Config::default(), "ann").await.unwrap_err();
    assert_eq!(bad.reason, Reason::InvalidArgument);
}

#[tokio::test]
async fn only_operators_make_links_and_only_the_gateway_redeems() {
    let stage = Stage::set().await;
    let (ann, _) = stage.settle("ann@example.org").await;
    assert_eq!(
        reason(stage.by(&ann).create_sign_in_link(link("l", "bob@example.org")).await),
        "PERMISSION_DENIED"
    );
    let anonymous = stage.by(&Caller::Anonymous).create_sign_in_link(link("l", "bob@example.org")).await;
    assert_eq!(reason(anonymous), "TOKEN_MISSING");
    let mut commerce = stage.part(PartName::Commerce, None);
    assert_eq!(reason(commerce.redeem_sign_in_link(code("x")).await), "PERMISSION_DENIED");
    assert_eq!(reason(stage.by(&ann).redeem_sign_in_link(code("x")).await), "PERMISSION_DENIED");
    let ask = pb::ResolvePrincipalRequest { credential: None };
    assert_eq!(reason(commerce.resolve_principal(ask.clone()).await), "PERMISSION_DENIED");
    assert_eq!(reason(stage.door().resolve_principal(ask).await), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_session_resolves_by_secret_and_id_until_it_is_ended() {
    use pb::resolve_principal_request::Credential::SessionId;
    let stage = Stage::set().await;
    let (ann, session_id, secret) = stage.sign_in("ann@example.org").await;
    let (_, other_id, other) = stage.sign_in("ann@example.org").await;
    assert_eq!(stage.resolve(SessionId(session_id.clone())).await.unwrap().0, ann);
    let ask = |request_id: &str, id: &str| pb::EndSessionRequest {
        request_id: request_id.into(),
        session_id: id.into(),
    };
    for request_id in ["e", "e", "f"] {
        assert!(stage.door().end_session(ask(request_id, &session_id)).await.is_ok());
    }
    assert_eq!(reason(stage.door().end_session(ask("e", &other_id)).await), "REQUEST_ID_REUSED");
    assert_eq!(reason(stage.resolve_session(&secret).await), "TOKEN_INVALID");
    assert_eq!(reason(stage.resolve(SessionId(session_id)).await), "TOKEN_INVALID");
    assert!(stage.resolve_session(&other).await.is_ok(), "the other device stays");
    let unknown = souk_types::SessionId::from_bits(1).to_string();
    assert!(stage.door().end_session(ask("g", &unknown)).await.is_ok());
    assert_eq!(reason(stage.resolve(SessionId(unknown)).await), "TOKEN_INVALID");
    assert_eq!(reason(stage.resolve(SessionId("ses_1".into())).await), "INVALID_ARGUMENT");
    assert_eq!(reason(stage.resolve_key(&other).await), "TOKEN_INVALID", "a session is no key");
    stage.db.clock.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(reason(stage.resolve_session(&other).await), "TOKEN_EXPIRED");
}

#[tokio::test]
async fn one_person_keeps_one_row_however_they_spell_their_address() {
    let stage = Stage::set().await;
    let (first, _, _) = stage.sign_in("ann@example.org").await;
    let (second, _, _) = stage.sign_in(" ANN@EXAMPLE.ORG").await;
    assert_eq!(first, second);
}
