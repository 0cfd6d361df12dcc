//! The parts beside commerce, as small as they can be: what took effect is kept by request id, and a test
//! says how they answer.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
};

use souk_kit::status;
use souk_proto::souk::{
    billing::v1::{self as billing, billing_service_server::BillingService},
    catalog::v1::{self as catalog, catalog_service_server::CatalogService},
    instances::v1::{self as instances, instances_service_server::InstancesService},
    tenancy::v1::{self as tenancy, tenancy_service_server::TenancyService},
};
use souk_types::{
    Fault, Reason,
    id::{InstanceId, LedgerEntryId, OfferingVersionId, OrgId, PlanId, ProjectId},
};
use tonic::{Request, Response, Status};

pub(crate) const VERSION: OfferingVersionId = OfferingVersionId::from_bits(7);
const PLANS: [&str; 3] = ["free", "starter", "pro"];

pub(crate) fn plan_id(slug: &str) -> PlanId {
    let at = PLANS.iter().position(|known| *known == slug).unwrap();
    PlanId::from_bits(u128::try_from(at).unwrap())
}

/// How a part answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// Refuses before anything happened.
    Refuses(Reason),
    /// Takes effect and then cannot say so.
    LosesAnswers,
}

/// What the fakes know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) tenancy: Mood,
    pub(crate) catalog: Mood,
    /// Whether the version is still a draft.
    pub(crate) draft: bool,
    pub(crate) billing: Mood,
    pub(crate) instances: Mood,
    /// After so many more instances none is made: instances is away.
    pub(crate) instances_left: Option<usize>,
    /// Instances by request id, with the request and the org that was acted for.
    pub(crate) made: BTreeMap<String, (instances::CreateInstanceRequest, InstanceId)>,
    /// Top-ups by request id.
    pub(crate) topped: BTreeMap<String, billing::TopUpRequest>,
    /// How often anything was asked for that changes something.
    pub(crate) asked: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Fakes(Arc<Mutex<Known>>);

impl Fakes {
    pub(crate) fn know<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// How many instances the org has and how many whole credits were added to its wallet.
    pub(crate) fn holdings(&self, org: u128) -> (usize, i64) {
        let (org, project) = (OrgId::from_bits(org).to_string(), ProjectId::from_bits(org).to_string());
        self.know(|known| {
            let made = known.made.values().filter(|(request, _)| request.project_id == project).count();
            let topped = known.topped.values().filter(|request| request.org_id == org);
            (made, topped.map(|request| request.amount_micros / 1_000_000).sum())
        })
    }
}

fn refuse(part: &'static str, reason: Reason) -> Status {
    status(Fault::new(reason, part, "the fake refuses"))
}

/// Lets a change happen and then answers as the mood is.
fn change<T>(part: &'static str, mood: Mood, effect: impl FnOnce() -> T) -> Result<Response<T>, Status> {
    match mood {
        Mood::Refuses(reason) => Err(refuse(part, reason)),
        Mood::Well => Ok(Response::new(effect())),
        Mood::LosesAnswers => {
            effect();
            Err(refuse(part, Reason::Unavailable))
        }
    }
}

macro_rules! fake {
    ($service:path = $pb:ident { $($own:tt)* } never { $($name:ident($ask:ident) -> $answer:ident;)* }) => {
        #[tonic::async_trait]
        impl $service for Fakes {
            $($own)*
            $(async fn $name(&self, _: Request<$pb::$ask>) -> Result<Response<$pb::$answer>, Status> {
                panic!("commerce never asks for this")
            })*
        }
    };
}

fake! { TenancyService = tenancy {
    async fn get_project(
        &self,
        request: Request<tenancy::GetProjectRequest>,
    ) -> Result<Response<tenancy::GetProjectResponse>, Status> {
        let project_id: ProjectId = request.into_inner().project_id.parse().unwrap();
        let mood = self.know(|known| known.tenancy);
        // A project of the fakes has the bits of its org; beyond a hundred there is none.
        if project_id.bits() > 100 {
            return Err(refuse("tenancy", Reason::ProjectNotFound));
        }
        change("tenancy", mood, || tenancy::GetProjectResponse {
            project: Some(tenancy::Project {
                project_id: project_id.to_string(),
                org_id: OrgId::from_bits(project_id.bits()).to_string(),
                ..Default::default()
            }),
        })
    }
} never {
    auto_create_workspace(AutoCreateWorkspaceRequest) -> AutoCreateWorkspaceResponse;
    get_caller(GetCallerRequest) -> GetCallerResponse;
    create_org(CreateOrgRequest) -> CreateOrgResponse;
    create_project(CreateProjectRequest) -> CreateProjectResponse;
    list_projects(ListProjectsRequest) -> ListProjectsResponse;
    create_api_key(CreateApiKeyRequest) -> CreateApiKeyResponse;
    list_api_keys(ListApiKeysRequest) -> ListApiKeysResponse;
    revoke_api_key(RevokeApiKeyRequest) -> RevokeApiKeyResponse;
    create_sign_in_link(CreateSignInLinkRequest) -> CreateSignInLinkResponse;
    redeem_sign_in_link(RedeemSignInLinkRequest) -> RedeemSignInLinkResponse;
    end_session(EndSessionRequest) -> EndSessionResponse;
    resolve_principal(ResolvePrincipalRequest) -> ResolvePrincipalResponse;
    list_members(ListMembersRequest) -> ListMembersResponse;
    set_member_role(SetMemberRoleRequest) -> SetMemberRoleResponse;
    remove_member(RemoveMemberRequest) -> RemoveMemberResponse;
    invite_member(InviteMemberRequest) -> InviteMemberResponse;
    list_invitations(ListInvitationsRequest) -> ListInvitationsResponse;
    revoke_invitation(RevokeInvitationRequest) -> RevokeInvitationResponse;
    accept_invitation(AcceptInvitationRequest) -> AcceptInvitationResponse;
    create_team(CreateTeamRequest) -> CreateTeamResponse;
    list_teams(ListTeamsRequest) -> ListTeamsResponse;
    add_team_member(AddTeamMemberRequest) -> AddTeamMemberResponse;
    remove_team_member(RemoveTeamMemberRequest) -> RemoveTeamMemberResponse;
    delete_team(DeleteTeamRequest) -> DeleteTeamResponse;
    list_sessions(ListSessionsRequest) -> ListSessionsResponse;
    revoke_session(RevokeSessionRequest) -> RevokeSessionResponse;
    list_audit_entries(ListAuditEntriesRequest) -> ListAuditEntriesResponse;
}}

fake! { CatalogService = catalog {
    async fn resolve_plan(
        &self,
        request: Request<catalog::ResolvePlanRequest>,
    ) -> Result<Response<catalog::ResolvePlanResponse>, Status> {
        let request = request.into_inner();
        if request.offering_slug != "support-triage" {
            return Err(refuse("catalog", Reason::OfferingNotFound));
        }
        if !PLANS.contains(&request.plan_slug.as_str()) {
            return Err(refuse("catalog", Reason::PlanNotFound));
        }
        let mood = self.know(|known| known.catalog);
        change("catalog", mood, || catalog::ResolvePlanResponse {
            offering_version_id: VERSION.to_string(),
            plan_id: plan_id(&request.plan_slug).to_string(),
        })
    }

    async fn get_offering_version(
        &self,
        request: Request<catalog::GetOfferingVersionRequest>,
    ) -> Result<Response<catalog::GetOfferingVersionResponse>, Status> {
        let offering_version_id = request.into_inner().offering_version_id;
        if offering_version_id != VERSION.to_string() {
            return Err(refuse("catalog", Reason::OfferingVersionNotFound));
        }
        let plan = |slug: &&str| catalog::Plan {
            plan_id: plan_id(slug).to_string(),
            slug: (*slug).to_owned(),
            ..Default::default()
        };
        let (mood, draft) = self.know(|known| (known.catalog, known.draft));
        let state = if draft {
            catalog::offering_version::State::Draft
        } else {
            catalog::offering_version::State::Published
        };
        change("catalog", mood, || catalog::GetOfferingVersionResponse {
            offering_version: Some(catalog::OfferingVersion {
                state: state.into(),
                offering_version_id,
                offering_slug: "support-triage".to_owned(),
                plans: PLANS.iter().map(plan).collect(),
                ..Default::default()
            }),
        })
    }
} never {
    create_offering(CreateOfferingRequest) -> CreateOfferingResponse;
    publish_offering_version(PublishOfferingVersionRequest) -> PublishOfferingVersionResponse;
    list_offerings(ListOfferingsRequest) -> ListOfferingsResponse;
    get_offering(GetOfferingRequest) -> GetOfferingResponse;
    pause_offering(PauseOfferingRequest) -> PauseOfferingResponse;
    resume_offering(ResumeOfferingRequest) -> ResumeOfferingResponse;
    end_offering_life(EndOfferingLifeRequest) -> EndOfferingLifeResponse;
    list_offering_versions(ListOfferingVersionsRequest) -> ListOfferingVersionsResponse;
    list_capabilities(ListCapabilitiesRequest) -> ListCapabilitiesResponse;
}}

fake! { InstancesService = instances {
    type WatchInstanceStream = Pin<Box<
        dyn futures::Stream<Item = Result<instances::WatchInstanceResponse, Status>> + Send,
    >>;

    async fn watch_instance(
        &self,
        _: Request<instances::WatchInstanceRequest>,
    ) -> Result<Response<Self::WatchInstanceStream>, Status> {
        panic!("commerce never asks for this")
    }

    async fn create_instance(
        &self,
        request: Request<instances::CreateInstanceRequest>,
    ) -> Result<Response<instances::CreateInstanceResponse>, Status> {
        let request = request.into_inner();
        assert_eq!(request.source_ref, request.request_id);
        self.know(|known| {
            known.asked += 1;
            let mut mood = known.instances;
            if let Some(left) = &mut known.instances_left {
                if *left == 0 {
                    mood = Mood::Refuses(Reason::Unavailable);
                }
                *left = left.saturating_sub(1);
            }
            let fresh = InstanceId::from_bits(known.made.len() as u128 + 1);
            change("instances", mood, || {
                let first = known.made.entry(request.request_id.clone()).or_insert((request.clone(), fresh));
                assert_eq!(first.0, request, "one request id is one command");
                instances::CreateInstanceResponse {
                    instance: Some(instances::Instance {
                        instance_id: first.1.to_string(),
                        ..Default::default()
                    }),
                }
            })
        })
    }
} never {
    auto_activate(AutoActivateRequest) -> AutoActivateResponse;
    get_instance(GetInstanceRequest) -> GetInstanceResponse;
    list_instances(ListInstancesRequest) -> ListInstancesResponse;
    get_entitlements(GetEntitlementsRequest) -> GetEntitlementsResponse;
    pause(PauseRequest) -> PauseResponse;
    resume(ResumeRequest) -> ResumeResponse;
    terminate(TerminateRequest) -> TerminateResponse;
    update_config(UpdateConfigRequest) -> UpdateConfigResponse;
    list_instance_events(ListInstanceEventsRequest) -> ListInstanceEventsResponse;
}}

fake! { BillingService = billing {
    type WatchWalletStream = Pin<Box<
        dyn futures::Stream<Item = Result<billing::WatchWalletResponse, Status>> + Send,
    >>;

    async fn watch_wallet(
        &self,
        _: Request<billing::WatchWalletRequest>,
    ) -> Result<Response<Self::WatchWalletStream>, Status> {
        panic!("commerce never asks for this")
    }

    async fn top_up(
        &self,
        request: Request<billing::TopUpRequest>,
    ) -> Result<Response<billing::TopUpResponse>, Status> {
        let request = request.into_inner();
        assert_eq!((request.source(), &request.source_ref), (billing::Source::Purchase, &request.request_id));
        self.know(|known| {
            known.asked += 1;
            change("billing", known.billing, || {
                let first = known.topped.entry(request.request_id.clone()).or_insert(request.clone());
                assert_eq!(*first, request, "one request id is one command");
                billing::TopUpResponse {
                    ledger_entry_id: LedgerEntryId::from_bits(1).to_string(),
                    ..Default::default()
                }
            })
        })
    }
} never {
    open_wallet(OpenWalletRequest) -> OpenWalletResponse;
    open_account(OpenAccountRequest) -> OpenAccountResponse;
    set_account_state(SetAccountStateRequest) -> SetAccountStateResponse;
    put_price_schedule(PutPriceScheduleRequest) -> PutPriceScheduleResponse;
    authorize(AuthorizeRequest) -> AuthorizeResponse;
    settle(SettleRequest) -> SettleResponse;
    release(ReleaseRequest) -> ReleaseResponse;
    get_wallet(GetWalletRequest) -> GetWalletResponse;
    list_ledger_entries(ListLedgerEntriesRequest) -> ListLedgerEntriesResponse;
    extend(ExtendRequest) -> ExtendResponse;
    reverse_top_up(ReverseTopUpRequest) -> ReverseTopUpResponse;
    set_account_schedule(SetAccountScheduleRequest) -> SetAccountScheduleResponse;
    adjust_wallet(AdjustWalletRequest) -> AdjustWalletResponse;
    set_wallet_state(SetWalletStateRequest) -> SetWalletStateResponse;
    get_receipt(GetReceiptRequest) -> GetReceiptResponse;
}}
