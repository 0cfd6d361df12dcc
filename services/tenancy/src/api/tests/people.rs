//! Members, invitations, teams, sessions and the audit trail as people meet them.

use std::time::Duration;

use super::*;

fn role(role: pb::Role) -> i32 {
    role.into()
}

fn invite(org: &str, id: &str, email: &str, held: pb::Role) -> pb::InviteMemberRequest {
    pb::InviteMemberRequest {
        org_id: org.into(),
        request_id: id.into(),
        email: email.into(),
        role: role(held),
    }
}

fn set(org: &str, id: &str, user: &str, held: pb::Role) -> pb::SetMemberRoleRequest {
    pb::SetMemberRoleRequest {
        org_id: org.into(),
        request_id: id.into(),
        user_id: user.into(),
        role: role(held),
        etag: String::new(),
    }
}

fn remove(org: &str, id: &str, user: &str) -> pb::RemoveMemberRequest {
    pb::RemoveMemberRequest { org_id: org.into(), request_id: id.into(), user_id: user.into() }
}

fn accept(id: &str, code: &str) -> pb::AcceptInvitationRequest {
    pb::AcceptInvitationRequest { request_id: id.into(), code: code.into() }
}

impl Stage {
    async fn members(&self, caller: &Caller, org: &str) -> Vec<(String, pb::Role)> {
        let ask = pb::ListMembersRequest { org_id: org.into(), ..Default::default() };
        let page = self.by(caller).list_members(ask).await.unwrap().into_inner();
        page.members.iter().map(|member| (member.user.clone().unwrap().email, member.role())).collect()
    }

    async fn invitations(&self, caller: &Caller, org: &str) -> Vec<pb::Invitation> {
        let ask = pb::ListInvitationsRequest { org_id: org.into(), ..Default::default() };
        self.by(caller).list_invitations(ask).await.unwrap().into_inner().invitations
    }

    async fn redeem(&self, code: &str) -> Result<pb::RedeemSignInLinkResponse, Status> {
        let ask = pb::RedeemSignInLinkRequest { code: code.into() };
        self.door().redeem_sign_in_link(ask).await.map(Response::into_inner)
    }
}

#[tokio::test]
async fn who_is_new_comes_in_by_the_code_alone() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let org = home.org_id.as_str();
    let made = stage.by(&ann).invite_member(invite(org, "i", "Bob@Example.org", pb::Role::Member)).await;
    let made = made.unwrap().into_inner();
    let row = made.invitation.clone().unwrap();
    assert_eq!((row.email.as_str(), row.state()), ("bob@example.org", pb::invitation::State::Open));
    let again = stage.by(&ann).invite_member(invite(org, "i", "bob@example.org", pb::Role::Member)).await;
    assert_eq!(reason(again), "SECRET_ALREADY_SHOWN");
    let session = stage.redeem(&made.code).await.unwrap();
    let (bob, principal) = stage.resolve_session(&session.secret).await.unwrap();
    assert_eq!(principal.memberships.len(), 1);
    assert_eq!(
        (principal.memberships[0].org_id.as_str(), principal.memberships[0].role()),
        (org, pb::Role::Member)
    );
    assert_eq!(reason(stage.redeem(&made.code).await), "SIGN_IN_LINK_INVALID", "once");
    let wanted =
        [("ann@example.org".to_owned(), pb::Role::Admin), ("bob@example.org".to_owned(), pb::Role::Member)];
    assert_eq!(stage.members(&bob, org).await, wanted);
    let rows = stage.invitations(&ann, org).await;
    assert_eq!((rows.len(), rows[0].state()), (1, pb::invitation::State::Accepted));
    let own = stage.by(&bob).auto_create_workspace(wish("w")).await.unwrap().into_inner();
    assert_eq!((own.wallet_balance_micros, own.trial_refused_reason.as_str()), (0, "TRIAL_ADDRESS_UNPROVEN"));
    // Whoever redeemed the shown code may have been the inviter: the first proof ends what they began.
    let key = pb::CreateApiKeyRequest {
        org_id: own.org_id,
        request_id: "k".into(),
        display_name: "k".into(),
        ..Default::default()
    };
    let (bob, _) = stage.resolve_session(&session.secret).await.unwrap();
    // Whom they let in would stay when the owner of the address comes.
    let theirs = invite(&key.org_id, "m", "mallory@example.org", pb::Role::Admin);
    assert_eq!(reason(stage.by(&bob).invite_member(theirs).await), "PERMISSION_DENIED");
    let key = stage.by(&bob).create_api_key(key).await.unwrap().into_inner();
    let (proven, ..) = stage.sign_in("bob@example.org").await;
    assert_eq!(proven.user_id(), bob.user_id());
    let own = stage.by(&proven).auto_create_workspace(wish("x")).await.unwrap().into_inner();
    assert!(own.wallet_balance_micros > 0 && own.trial_refused_reason.is_empty(), "the owner's own trial");
    assert_eq!(reason(stage.resolve_session(&session.secret).await), "TOKEN_INVALID");
    assert_eq!(reason(stage.resolve_key(&key.secret).await), "TOKEN_INVALID");
}

#[tokio::test]
async fn the_shown_code_makes_nobody_somebody_else() {
    let stage = Stage::set().await;
    let (mallory, home) = stage.settle("mallory@example.org").await;
    let (ann, _) = stage.settle("ann@example.org").await;
    let org = home.org_id.as_str();
    let made = stage.by(&mallory).invite_member(invite(org, "i", "ann@example.org", pb::Role::Viewer)).await;
    let code = made.unwrap().into_inner().code;
    assert_eq!(reason(stage.redeem(&code).await), "INVITATION_NEEDS_SIGN_IN");
    assert_eq!(reason(stage.by(&mallory).accept_invitation(accept("a", &code)).await), "INVITATION_INVALID");
    let typo = stage.by(&ann).accept_invitation(accept("t", &code.replace("souk_in_", "souk_in_0"))).await;
    assert_eq!(reason(typo), "INVITATION_INVALID");
    let mut client = stage.by(&ann);
    let held = client.accept_invitation(accept("a", &code)).await.unwrap().into_inner().membership.unwrap();
    assert_eq!((held.org_id.as_str(), held.role(), held.project_ids.len()), (org, pb::Role::Viewer, 1));
    let repeat = client.accept_invitation(accept("a", &code)).await.unwrap().into_inner().membership.unwrap();
    assert_eq!(repeat, held, "the first answer");
    assert_eq!(reason(client.accept_invitation(accept("b", &code)).await), "INVITATION_INVALID");
    let again = stage.by(&mallory).invite_member(invite(org, "j", "ann@example.org", pb::Role::Admin)).await;
    assert_eq!(reason(again), "ALREADY_MEMBER");
}

impl Stage {
    /// All that an admin is answered about an invitation to an address, what names this one left out.
    async fn told_of(&self, admin: &Caller, org: &str, email: &str, by_mail: bool) -> Vec<String> {
        let mut client = self.by(admin);
        let ask = |id: &str| invite(org, &format!("{id} {email}"), email, pb::Role::Member);
        let made = client.invite_member(ask("a")).await.unwrap().into_inner();
        let id = made.invitation.clone().unwrap().invitation_id;
        let revoke = pb::RevokeInvitationRequest { invitation_id: id.clone(), request_id: email.into() };
        let refused =
            |status: Status| format!("{} {:?}", status.message(), (status.code(), status.details()));
        let mut told = vec![
            format!("{made:?}"),
            refused(client.invite_member(ask("a")).await.unwrap_err()),
            refused(client.accept_invitation(accept(email, &made.code)).await.unwrap_err()),
        ];
        if by_mail {
            told.push(refused(self.redeem(&made.code).await.unwrap_err()));
        }
        assert!(!self.hand.mails_turn().await.unwrap());
        let listed = self.invitations(admin, org).await;
        told.push(format!("{:?}", listed.iter().find(|row| row.invitation_id == id).unwrap()));
        told.push(format!("{:?}", client.revoke_invitation(revoke).await.unwrap().into_inner()));
        let again = client.invite_member(ask("b")).await.unwrap().into_inner();
        told.push(format!("{:?}", again.invitation.clone().map(|row| (row.state, row.mail_state))));
        // What is signed or packed is a list of bytes in the text.
        let bytes = format!("{:?}", id.as_bytes());
        let names = [id.as_str(), email, &made.code, bytes.trim_matches(['[', ']'])];
        told.into_iter().map(|text| names.iter().fold(text, |text, name| text.replace(name, "…"))).collect()
    }
}

#[tokio::test]
async fn an_admin_does_not_learn_whether_a_strangers_address_has_an_account() {
    use crate::outside::tests::{Post, Temper};
    let post = Post::open(Temper::Takes).await;
    for by_mail in [true, false] {
        let notify = if by_mail { post.config() } else { Config::default().notify };
        let stage = Stage::with(Config { notify, ..Config::default() }).await;
        let (mallory, home) = stage.settle("mallory@example.org").await;
        stage.settle("bob@example.org").await;
        let org = home.org_id.as_str();
        let known = stage.told_of(&mallory, org, "bob@example.org", by_mail).await;
        let unknown = stage.told_of(&mallory, org, "cat@example.org", by_mail).await;
        assert_eq!(known, unknown);
        let own = invite(org, "own", "mallory@example.org", pb::Role::Member);
        let own = stage.by(&mallory).invite_member(own).await;
        assert_eq!(reason(own), "ALREADY_MEMBER", "of the members of the org they know");
    }
}

#[tokio::test]
async fn where_mails_are_sent_the_shown_code_signs_in_nobody() {
    let post = crate::outside::tests::Post::open(crate::outside::tests::Temper::Takes).await;
    let stage = Stage::with(Config { notify: post.config(), ..Config::default() }).await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let org = home.org_id.as_str();
    let made = stage.by(&ann).invite_member(invite(org, "i", "new@example.org", pb::Role::Member)).await;
    let made = made.unwrap().into_inner();
    assert_eq!(made.invitation.clone().unwrap().mail_state(), pb::invitation::MailState::Pending);
    assert_eq!(reason(stage.redeem(&made.code).await), "INVITATION_NEEDS_SIGN_IN");
    let (new, ..) = stage.sign_in("new@example.org").await;
    let held = stage.by(&new).accept_invitation(accept("a", &made.code)).await.unwrap().into_inner();
    assert_eq!(held.membership.unwrap().org_id, org, "who signed in accepts it by the same code");
}

#[tokio::test]
async fn what_goes_to_the_log_is_not_said_to_be_sent() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let org = home.org_id.as_str();
    let mut client = stage.by(&ann);
    let made = client.invite_member(invite(org, "i", "bob@example.org", pb::Role::Member)).await.unwrap();
    assert_eq!(made.into_inner().invitation.unwrap().mail_state(), pb::invitation::MailState::Logged);
    let gone = client.invite_member(invite(org, "j", "cat@example.org", pb::Role::Member)).await.unwrap();
    let invitation_id = gone.into_inner().invitation.unwrap().invitation_id;
    let revoke = pb::RevokeInvitationRequest { invitation_id, request_id: "r".into() };
    client.revoke_invitation(revoke).await.unwrap();
    assert!(!stage.hand.mails_turn().await.unwrap());
    let states: Vec<_> = stage.invitations(&ann, org).await.iter().map(pb::Invitation::mail_state).collect();
    assert_eq!(states, [pb::invitation::MailState::Dropped, pb::invitation::MailState::Logged]);
}

#[tokio::test]
async fn an_invitation_is_one_an_address_and_ends_by_time_or_by_hand() {
    let config = Config { max_open_invitations_per_org: 2, ..Config::default() };
    let stage = Stage::with(config).await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let org = home.org_id.as_str();
    let mut client = stage.by(&ann);
    let mut made = Vec::new();
    for (id, email) in [("a", "bob@example.org"), ("b", "bob@example.org"), ("c", "cat@example.org")] {
        made.push(client.invite_member(invite(org, id, email, pb::Role::Member)).await.unwrap().into_inner());
    }
    let refused = client.invite_member(invite(org, "d", "dan@example.org", pb::Role::Member)).await;
    assert_eq!(reason(refused), "LIMIT_REACHED");
    assert_eq!(reason(stage.redeem(&made[0].code).await), "SIGN_IN_LINK_INVALID", "replaced");
    let id = made[2].invitation.clone().unwrap().invitation_id;
    let revoke = |request_id: &str| pb::RevokeInvitationRequest {
        invitation_id: id.clone(),
        request_id: request_id.into(),
    };
    let revoked = client.revoke_invitation(revoke("r")).await.unwrap().into_inner().invitation.unwrap();
    assert_eq!(revoked.state(), pb::invitation::State::Revoked);
    assert_eq!(
        client.revoke_invitation(revoke("r")).await.unwrap().into_inner().invitation.unwrap(),
        revoked
    );
    assert_eq!(reason(client.revoke_invitation(revoke("s")).await), "INVITATION_CLOSED");
    assert_eq!(reason(stage.redeem(&made[2].code).await), "SIGN_IN_LINK_INVALID");
    let (bob, _) = stage.settle("eve@example.org").await;
    assert_eq!(reason(stage.by(&bob).revoke_invitation(revoke("x")).await), "INVITATION_NOT_FOUND");
    assert_eq!(
        reason(stage.by(&demoted(&ann, Role::Member)).revoke_invitation(revoke("x")).await),
        "PERMISSION_DENIED"
    );
    stage.db.clock.advance(Duration::from_secs(7 * 24 * 3600));
    let rows = stage.invitations(&ann, org).await;
    let states: Vec<_> = rows.iter().map(pb::Invitation::state).collect();
    assert_eq!(states.iter().filter(|state| **state == pb::invitation::State::Expired).count(), 1);
    assert_eq!(states.iter().filter(|state| **state == pb::invitation::State::Revoked).count(), 2);
    assert_eq!(reason(stage.redeem(&made[1].code).await), "SIGN_IN_LINK_INVALID", "expired");
    let anew = stage.by(&ann).invite_member(invite(org, "e", "bob@example.org", pb::Role::Member)).await;
    assert!(anew.is_ok(), "{anew:?}");
}

#[tokio::test]
async fn roles_change_by_etag_and_the_last_admin_stays() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let org = home.org_id.as_str();
    let made = stage.by(&ann).invite_member(invite(org, "i", "bob@example.org", pb::Role::Member)).await;
    let session = stage.redeem(&made.unwrap().into_inner().code).await.unwrap();
    let (ann_id, bob_id) = (ann.user_id().unwrap().to_string(), session.user.unwrap().user_id);
    let mut client = stage.by(&ann);
    assert_eq!(reason(client.set_member_role(set(org, "a", &ann_id, pb::Role::Viewer)).await), "LAST_ADMIN");
    assert_eq!(reason(client.remove_member(remove(org, "a", &ann_id)).await), "LAST_ADMIN");
    let nobody = souk_types::UserId::from_bits(1).to_string();
    assert_eq!(reason(client.remove_member(remove(org, "n", &nobody)).await), "MEMBER_NOT_FOUND");
    assert_eq!(
        reason(client.set_member_role(set(org, "n", &nobody, pb::Role::Admin)).await),
        "MEMBER_NOT_FOUND"
    );
    assert_eq!(
        reason(client.set_member_role(set(org, "n", &bob_id, pb::Role::Unspecified)).await),
        "INVALID_ARGUMENT"
    );
    let bob = client
        .set_member_role(set(org, "b", &bob_id, pb::Role::Admin))
        .await
        .unwrap()
        .into_inner()
        .member
        .unwrap();
    assert_eq!((bob.role(), bob.etag.as_str()), (pb::Role::Admin, "v2"));
    let stale = pb::SetMemberRoleRequest { etag: "v1".into(), ..set(org, "c", &bob_id, pb::Role::Viewer) };
    assert_eq!(reason(client.set_member_role(stale.clone()).await), "ETAG_MISMATCH");
    let fresh = pb::SetMemberRoleRequest { etag: "v2".into(), ..stale };
    assert!(client.set_member_role(fresh).await.is_ok(), "a refusal uses no request_id up");
    let (bob, principal) = stage.resolve_session(&session.secret).await.unwrap();
    assert_eq!(principal.memberships[0].role(), pb::Role::Viewer, "at the next look");
    assert_eq!(reason(stage.by(&bob).remove_member(remove(org, "r", &ann_id)).await), "PERMISSION_DENIED");
    client.remove_member(remove(org, "r", &bob_id)).await.unwrap();
    client.remove_member(remove(org, "r", &bob_id)).await.unwrap();
    assert!(stage.resolve_session(&session.secret).await.unwrap().1.memberships.is_empty());
    assert_eq!(reason(stage.by(&bob).remove_member(remove(org, "q", &ann_id)).await), "PERMISSION_DENIED");
}

#[tokio::test]
async fn teams_hold_members_of_their_org_alone() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (eve, _) = stage.settle("eve@example.org").await;
    let org = home.org_id.as_str();
    let (ann_id, eve_id) = (ann.user_id().unwrap().to_string(), eve.user_id().unwrap().to_string());
    let create = |id: &str, slug: &str| pb::CreateTeamRequest {
        org_id: org.into(),
        request_id: id.into(),
        slug: slug.into(),
        display_name: String::new(),
    };
    let mut client = stage.by(&ann);
    let team = client.create_team(create("t", "web")).await.unwrap().into_inner().team.unwrap();
    assert_eq!(client.create_team(create("t", "web")).await.unwrap().into_inner().team.unwrap(), team);
    assert_eq!(reason(client.create_team(create("u", "web")).await), "SLUG_TAKEN");
    let id = team.team_id.clone();
    let add = |request_id: &str, user: &str| pb::AddTeamMemberRequest {
        team_id: id.clone(),
        request_id: request_id.into(),
        user_id: user.into(),
    };
    assert_eq!(reason(client.add_team_member(add("a", &eve_id)).await), "MEMBER_NOT_FOUND");
    assert_eq!(reason(stage.by(&eve).add_team_member(add("a", &eve_id)).await), "TEAM_NOT_FOUND");
    for request_id in ["b", "b", "c"] {
        let with = client.add_team_member(add(request_id, &ann_id)).await.unwrap().into_inner().team.unwrap();
        assert_eq!((&with.user_ids, with.etag.as_str()), (&vec![ann_id.clone()], "v2"), "{request_id}");
    }
    let out = |request_id: &str| pb::RemoveTeamMemberRequest {
        team_id: id.clone(),
        request_id: request_id.into(),
        user_id: ann_id.clone(),
    };
    let without = client.remove_team_member(out("o")).await.unwrap().into_inner().team.unwrap();
    assert!(without.user_ids.is_empty());
    assert_eq!(reason(client.remove_team_member(out("p")).await), "MEMBER_NOT_FOUND");
    let delete =
        |request_id: &str| pb::DeleteTeamRequest { team_id: id.clone(), request_id: request_id.into() };
    assert_eq!(
        reason(stage.by(&demoted(&ann, Role::Member)).delete_team(delete("d")).await),
        "PERMISSION_DENIED"
    );
    assert_eq!(reason(stage.by(&eve).delete_team(delete("d")).await), "TEAM_NOT_FOUND");
    client.delete_team(delete("d")).await.unwrap();
    client.delete_team(delete("d")).await.unwrap();
    assert_eq!(reason(client.delete_team(delete("e")).await), "TEAM_NOT_FOUND");
    let list = pb::ListTeamsRequest { org_id: org.into(), ..Default::default() };
    assert!(client.list_teams(list).await.unwrap().into_inner().teams.is_empty());
}

#[tokio::test]
async fn a_person_sees_and_ends_their_own_sessions_alone() {
    let stage = Stage::set().await;
    let (ann, first, secret) = stage.sign_in("ann@example.org").await;
    let (_, second, other) = stage.sign_in("ann@example.org").await;
    let (eve, foreign, _) = stage.sign_in("eve@example.org").await;
    let end = stage.db.clock.now() + Duration::from_secs(60);
    let token = stage.gateway.tokens().sign_session(&ann, first.parse().unwrap(), "tenancy", end).unwrap();
    let channel = stage.gateway.dial().raw(PartName::Tenancy).unwrap();
    let mut client = TenancyServiceClient::with_interceptor(channel, Bearer(token));
    let listed =
        client.list_sessions(pb::ListSessionsRequest::default()).await.unwrap().into_inner().sessions;
    let mut seen: Vec<_> = listed.iter().map(|row| (row.session_id.clone(), row.current)).collect();
    seen.sort_by_key(|(_, current)| !current);
    assert_eq!(seen, [(first.clone(), true), (second.clone(), false)]);
    let revoke = |id: &str, session: &str| pb::RevokeSessionRequest {
        session_id: session.into(),
        request_id: id.into(),
    };
    assert_eq!(reason(client.revoke_session(revoke("a", &foreign)).await), "SESSION_NOT_FOUND");
    assert_eq!(reason(stage.by(&eve).revoke_session(revoke("a", &first)).await), "SESSION_NOT_FOUND");
    client.revoke_session(revoke("b", &second)).await.unwrap();
    client.revoke_session(revoke("b", &second)).await.unwrap();
    assert_eq!(reason(stage.resolve_session(&other).await), "TOKEN_INVALID");
    assert!(stage.resolve_session(&secret).await.is_ok());
    let left = client.list_sessions(pb::ListSessionsRequest::default()).await.unwrap().into_inner().sessions;
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn the_trail_shows_what_people_did_to_admins_of_the_org_alone() {
    use souk_kit::events::Sink as _;
    use souk_types::event::Log as _;
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (eve, foreign) = stage.settle("eve@example.org").await;
    for (who, org) in [(&ann, &home.org_id), (&eve, &foreign.org_id)] {
        stage.by(who).invite_member(invite(org, "i", "bob@example.org", pb::Role::Viewer)).await.unwrap();
    }
    while stage.db.outbox().number_turn().await.unwrap() > 0 {}
    let trail = crate::work::Trail { service: Arc::clone(&stage.hand), source: PartName::Tenancy };
    for _ in 0..2 {
        for (position, event) in stage.db.outbox().after(0, 1000).await.unwrap() {
            trail.take(position, event).await.unwrap();
        }
    }
    let ask = |org: &str| pb::ListAuditEntriesRequest { org_id: org.into(), ..Default::default() };
    let told = stage.by(&ann).list_audit_entries(ask(&home.org_id)).await.unwrap().into_inner().audit_entries;
    assert!(told.iter().all(|entry| entry.org_id == home.org_id));
    let made: Vec<_> = told.iter().filter(|entry| entry.method.ends_with("/InviteMember")).collect();
    assert_eq!(made.len(), 1, "{told:?}");
    assert_eq!((made[0].outcome.as_str(), made[0].request_id.as_str()), ("OK", "i"));
    assert_eq!(made[0].actor, format!("user:{}", ann.user_id().unwrap()));
    assert!(made[0].resource_id.starts_with("inv_"), "{:?}", made[0]);
    assert_eq!(reason(stage.by(&eve).list_audit_entries(ask(&home.org_id)).await), "ORG_NOT_FOUND");
    let member = demoted(&ann, Role::Member);
    assert_eq!(reason(stage.by(&member).list_audit_entries(ask(&home.org_id)).await), "PERMISSION_DENIED");
}

#[tokio::test]
async fn the_mail_carries_a_code_of_its_own_that_signs_in_whoever_reads_it() {
    let post = crate::outside::tests::Post::open(crate::outside::tests::Temper::Takes).await;
    let stage = Stage::with(Config { notify: post.config(), ..Config::default() }).await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (bob, _) = stage.settle("bob@example.org").await;
    let made =
        stage.by(&ann).invite_member(invite(&home.org_id, "i", "bob@example.org", pb::Role::Admin)).await;
    let shown = made.unwrap().into_inner().code;
    assert!(!stage.hand.mails_turn().await.unwrap());
    let mail = post.took.lock().await.join("").replace("=\n", "");
    let code: String = mail.split("/sign-in/").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(code != shown && !mail.contains(&shown));
    let rows = stage.invitations(&ann, &home.org_id).await;
    assert_eq!(rows[0].mail_state(), pb::invitation::MailState::Sent);
    let session = stage.redeem(&code).await.unwrap();
    let (caller, principal) = stage.resolve_session(&session.secret).await.unwrap();
    assert_eq!((caller.user_id(), principal.memberships.len()), (bob.user_id(), 2));
    assert!(!stage.hand.mails_turn().await.unwrap());
    assert_eq!(post.took.lock().await.len(), 1, "sent once");
}
