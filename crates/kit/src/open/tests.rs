//! What `open` binds, hides and denies, for every kind of tenant and caller.

use std::sync::Arc;

use souk_proto::souk::{
    billing::v1::{AuthorizeRequest, GetWalletRequest},
    catalog::v1::{CreateOfferingRequest, ListOfferingsRequest},
    instances::v1::{CreateInstanceRequest, ListInstancesRequest},
    runs::v1::CreateRunRequest,
    tenancy::v1::{
        AutoCreateWorkspaceRequest, CreateOrgRequest, GetCallerRequest, GetProjectRequest,
        RevokeApiKeyRequest,
    },
};
use souk_types::{ApiKeyId, PartName, PlatformRole, Role, Scopes, UserId, access::Admission};

use super::*;
use crate::token::Claims;

const OWN: OrgId = OrgId::from_bits(1);
const FOREIGN: OrgId = OrgId::from_bits(2);
const HOME: ProjectId = ProjectId::from_bits(11);
const SECOND: ProjectId = ProjectId::from_bits(12);

fn person(role: Role, projects: &[ProjectId], platform: Option<PlatformRole>) -> Caller {
    let memberships = vec![Membership { org_id: OWN, role, projects: projects.to_vec() }];
    Caller::User { user_id: UserId::from_bits(7), memberships, platform }
}

fn call<M: Ruled>(caller: Caller, message: &M) -> Result<Call, Fault> {
    bind(
        Some(Opened {
            claims: Arc::new(Claims { caller, session: None }),
            trace: Trace::default(),
            deadline: None,
        }),
        message,
    )
}

fn reason<M: Ruled>(caller: Caller, message: &M) -> Reason {
    call(caller, message).unwrap_err().reason
}

#[test]
fn a_request_that_passed_no_access_layer_is_refused() {
    assert_eq!(bind(None, &ListOfferingsRequest::default()).unwrap_err().reason, Reason::TokenMissing);
}

#[test]
fn org_fields_bind_members_hide_foreign_orgs_and_deny_roles() {
    let own = GetWalletRequest { org_id: OWN.to_string() };
    let foreign = GetWalletRequest { org_id: FOREIGN.to_string() };
    let viewer = || person(Role::Viewer, &[HOME], None);
    assert_eq!(call(viewer(), &own).unwrap().scope.org(), Some(OWN));
    assert_eq!(reason(viewer(), &foreign), Reason::OrgNotFound);
    assert_eq!(call(viewer(), &GetWalletRequest::default()).unwrap().scope.org(), Some(OWN), "the only org");
    assert_eq!(reason(viewer(), &GetWalletRequest { org_id: "org_x".into() }), Reason::InvalidArgument);
    let operator = person(Role::Viewer, &[], Some(PlatformRole::Operator));
    assert_eq!(call(operator, &foreign).unwrap().scope.org(), Some(FOREIGN));
    let acting = |org| Caller::Part { part: PartName::Tenancy, org };
    assert_eq!(
        reason(acting(Some(OWN)), &foreign),
        Reason::OrgNotFound,
        "a part stays in the org it acts for"
    );
    assert_eq!(reason(acting(None), &foreign), Reason::PermissionDenied);
    assert_eq!(reason(Caller::Anonymous, &own), Reason::PermissionDenied);
}

#[test]
fn a_project_is_the_callers_only_one_or_named() {
    let list = |project: &str| ListInstancesRequest { project_id: project.into(), ..Default::default() };
    let one = call(person(Role::Viewer, &[HOME], None), &list("")).unwrap();
    assert_eq!((one.project_id, one.scope.org()), (Some(HOME), Some(OWN)));
    assert_eq!(reason(person(Role::Viewer, &[HOME, SECOND], None), &list("")), Reason::ProjectRequired);
    assert_eq!(reason(person(Role::Viewer, &[], None), &list("")), Reason::ProjectRequired);
    let two = call(person(Role::Viewer, &[HOME, SECOND], None), &list(&SECOND.to_string())).unwrap();
    assert_eq!(two.project_id, Some(SECOND));
    assert_eq!(
        reason(person(Role::Admin, &[HOME], None), &list(&SECOND.to_string())),
        Reason::ProjectNotFound
    );
    let create = CreateInstanceRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(reason(person(Role::Member, &[HOME], None), &create), Reason::PermissionDenied);
    assert!(call(person(Role::Admin, &[HOME], None), &create).is_ok());
}

fn key(role: Role, scopes: &[&str]) -> Caller {
    let scopes: Vec<_> = scopes.iter().map(|text| (*text).to_owned()).collect();
    Caller::Key {
        api_key_id: ApiKeyId::from_bits(8),
        user_id: UserId::from_bits(7),
        membership: Membership { org_id: OWN, role, projects: vec![HOME] },
        scopes: Scopes::parse(&scopes).unwrap(),
    }
}

#[test]
fn a_narrowed_key_has_what_its_role_and_its_scopes_both_have() {
    let run = CreateRunRequest { request_id: "r".into(), ..Default::default() };
    let wallet = GetWalletRequest { org_id: OWN.to_string() };
    let create = CreateInstanceRequest { request_id: "r".into(), ..Default::default() };
    let list = ListInstancesRequest::default();
    assert_eq!(call(key(Role::Admin, &["runs.use"]), &run).unwrap().scope.admit(OWN), Admission::Granted);
    let viewer = call(key(Role::Viewer, &["runs.use"]), &run).unwrap();
    assert_eq!(viewer.scope.admit(OWN), Admission::Denied, "a scope gives nothing that the role lacks");
    let admin = call(key(Role::Member, &["instances.admin"]), &create);
    assert_eq!(admin.unwrap_err().reason, Reason::PermissionDenied);
    for scopes in [&["runs.use"][..], &["instances.read", "runs.admin"], &["catalog.admin"]] {
        assert_eq!(reason(key(Role::Admin, scopes), &wallet), Reason::PermissionDenied, "{scopes:?}");
        assert_eq!(reason(key(Role::Admin, scopes), &create), Reason::PermissionDenied, "{scopes:?}");
    }
    for scopes in [&["runs.read"][..], &["instances.admin"]] {
        assert_eq!(reason(key(Role::Admin, scopes), &run), Reason::PermissionDenied, "{scopes:?}");
    }
    assert!(call(key(Role::Admin, &["instances.admin"]), &list).is_ok(), "a verb holds the lesser ones");
    assert!(call(key(Role::Admin, &["instances.read"]), &list).is_ok());
    let refused = call(key(Role::Admin, &["runs.use"]), &wallet).unwrap_err();
    assert_eq!(refused.metadata.get("permission").map(String::as_str), Some("billing.read"));
    assert_eq!(refused.metadata.get("scopes").map(String::as_str), Some("runs.use"));
}

#[test]
fn a_narrowed_key_asks_who_it_is_and_reads_the_catalogue_and_no_more() {
    let narrow = || key(Role::Admin, &["runs.use"]);
    assert!(call(narrow(), &GetCallerRequest {}).is_ok());
    assert!(call(narrow(), &ListOfferingsRequest::default()).is_ok(), "everybody may");
    let org = CreateOrgRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(reason(narrow(), &org), Reason::PermissionDenied);
    // Foreign and unknown things are denied alike: the answer tells nothing of what exists.
    for id in [ProjectId::from_bits(1), HOME] {
        let ask = GetProjectRequest { project_id: id.to_string() };
        assert_eq!(reason(narrow(), &ask), Reason::PermissionDenied);
    }
    let foreign = GetWalletRequest { org_id: FOREIGN.to_string() };
    assert_eq!(reason(narrow(), &foreign), Reason::PermissionDenied);
    assert_eq!(reason(key(Role::Admin, &["billing.read"]), &foreign), Reason::OrgNotFound);
}

#[test]
fn a_bound_key_changes_nothing_beyond_its_org() {
    let key = |role| key(role, &[]);
    let own = GetWalletRequest { org_id: OWN.to_string() };
    assert_eq!(call(key(Role::Viewer), &own).unwrap().scope.org(), Some(OWN));
    let foreign = GetWalletRequest { org_id: FOREIGN.to_string() };
    assert_eq!(reason(key(Role::Admin), &foreign), Reason::OrgNotFound);
    let create = CreateInstanceRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(reason(key(Role::Member), &create), Reason::PermissionDenied);
    assert_eq!(call(key(Role::Admin), &create).unwrap().scope.org(), Some(OWN));
    let org = CreateOrgRequest { request_id: "r".into(), ..Default::default() };
    let workspace = AutoCreateWorkspaceRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(reason(key(Role::Admin), &org), Reason::PermissionDenied);
    assert_eq!(reason(key(Role::Admin), &workspace), Reason::PermissionDenied);
    assert!(call(person(Role::Admin, &[HOME], None), &org).is_ok());
    let who = call(key(Role::Viewer), &GetCallerRequest {}).unwrap();
    assert_eq!(who.user_id(), Some(UserId::from_bits(7)), "a key may ask who it is");
    let run = call(key(Role::Viewer), &CreateRunRequest { request_id: "r".into(), ..Default::default() });
    assert_eq!(run.unwrap().scope.admit(OWN), Admission::Denied);
}

#[test]
fn resources_are_seen_with_and_without_the_permission() {
    let run = CreateRunRequest { request_id: "r".into(), ..Default::default() };
    let admit = |caller| call(caller, &run).unwrap().scope.admit(OWN);
    assert_eq!(admit(person(Role::Viewer, &[], None)), Admission::Denied);
    assert_eq!(admit(person(Role::Member, &[], None)), Admission::Granted);
    assert_eq!(call(person(Role::Admin, &[], None), &run).unwrap().scope.admit(FOREIGN), Admission::Hidden);
    let revoke = RevokeApiKeyRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(call(person(Role::Member, &[], None), &revoke).unwrap().scope.admit(OWN), Admission::Denied);
}

#[test]
fn a_part_of_the_platform_looks_but_does_not_change() {
    let part = Caller::Part { part: PartName::Commerce, org: None };
    assert_eq!(
        call(part.clone(), &GetProjectRequest::default()).unwrap().scope.admit(OWN),
        Admission::Granted
    );
    let authorize = AuthorizeRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(call(part, &authorize).unwrap().scope.admit(OWN), Admission::Hidden);
    let acting = Caller::Part { part: PartName::Runs, org: Some(OWN) };
    assert_eq!(call(acting, &authorize).unwrap().scope.admit(FOREIGN), Admission::Hidden);
}

#[test]
fn without_a_tenant_only_operators_change_and_everybody_reads_the_catalogue() {
    let create = CreateOfferingRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(reason(person(Role::Admin, &[HOME], None), &create), Reason::PermissionDenied);
    assert!(call(person(Role::Viewer, &[], Some(PlatformRole::Operator)), &create).is_ok());
    assert!(call(Caller::Anonymous, &ListOfferingsRequest::default()).is_ok());
    let own = AutoCreateWorkspaceRequest { request_id: "r".into(), ..Default::default() };
    assert_eq!(call(person(Role::Viewer, &[], None), &own).unwrap().scope.orgs(), Some(vec![]));
}

#[test]
fn request_ids_are_short_and_printable() {
    let create = |request_id: String| CreateOfferingRequest { request_id, ..Default::default() };
    let operator = || person(Role::Viewer, &[], Some(PlatformRole::Operator));
    for bad in [String::new(), "a\n".into(), "é".into(), "x".repeat(256)] {
        assert_eq!(reason(operator(), &create(bad)), Reason::RequestIdRequired);
    }
    assert!(call(operator(), &create("x".repeat(255))).is_ok());
}
