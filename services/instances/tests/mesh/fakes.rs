//! The parts beside instances, as small as they can be: what they were asked is kept, and a test says how
//! they answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::json;
use souk_kit::status;
use souk_proto::souk::{
    billing::v1::{self as billing, billing_service_server::BillingService},
    catalog::v1::{self as catalog, catalog_service_server::CatalogService},
    delivery::v1::{self as delivery, delivery_service_server::DeliveryService},
    tenancy::v1::{self as tenancy, tenancy_service_server::TenancyService},
};
use souk_types::{
    Event, EventId, Fault, InstanceId, OfferingId, OfferingVersionId, OrgId, PlanId, ProjectId, Reason, Time,
    event::Log,
};
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

pub(crate) const OFFERING: OfferingId = OfferingId::from_bits(51);
pub(crate) const VERSION: OfferingVersionId = OfferingVersionId::from_bits(52);
pub(crate) const NEWER: OfferingVersionId = OfferingVersionId::from_bits(53);
pub(crate) const DRAFT: OfferingVersionId = OfferingVersionId::from_bits(54);
/// Its default plan is not self-service.
pub(crate) const SOLD: OfferingVersionId = OfferingVersionId::from_bits(55);
pub(crate) const FREE: PlanId = PlanId::from_bits(61);
pub(crate) const PRO: PlanId = PlanId::from_bits(62);

/// How a part answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    Refuses(Reason),
}

impl Mood {
    fn ask(self, part: &'static str) -> Result<(), Status> {
        match self {
            Self::Well => Ok(()),
            Self::Refuses(reason) => Err(status(Fault::new(reason, part, "the fake refuses"))),
        }
    }
}

/// What the fakes know.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) catalog: Mood,
    pub(crate) billing: Mood,
    pub(crate) delivery: Mood,
    /// Requests for accounts: request id → instance.
    pub(crate) accounts: BTreeMap<String, String>,
    /// Requests to apply, by request id.
    pub(crate) applied: BTreeMap<String, delivery::Desired>,
    /// Applied revisions by instance; filled at once when `swift`, else by the test.
    pub(crate) revisions: BTreeMap<String, i64>,
    /// Whether what is committed is applied at once and told.
    pub(crate) swift: bool,
    /// Why the offering is not sold; unset: it is.
    pub(crate) sale: Option<Reason>,
    /// Requests for a state of an account, by request id.
    pub(crate) account_states: BTreeMap<String, billing::SetAccountStateRequest>,
    /// What the accounts are, by instance.
    pub(crate) account_now: BTreeMap<String, billing::AccountState>,
    /// Requests to take away, by request id.
    pub(crate) removed: BTreeMap<String, delivery::RemoveRequest>,
    /// Request ids that came again with something else.
    pub(crate) reused: Vec<String>,
    /// Requests that speak of one of these are never answered.
    pub(crate) silent: BTreeSet<String>,
    /// Whose projects are, for operators.
    pub(crate) projects: BTreeMap<ProjectId, OrgId>,
}

#[derive(Default)]
pub(crate) struct Fakes {
    pub(crate) known: Mutex<Known>,
    pub(crate) delivery_log: Arc<FakeLog>,
    pub(crate) billing_log: Arc<FakeLog>,
    pub(crate) catalog_log: Arc<FakeLog>,
}

impl Fakes {
    pub(crate) fn swift() -> Arc<Self> {
        let fakes = Self::default();
        fakes.known.lock().unwrap().swift = true;
        Arc::new(fakes)
    }

    /// What is committed is applied from now on, and delivery tells of it.
    pub(crate) fn apply(&self, instance: InstanceId, revision: i64) {
        self.known.lock().unwrap().revisions.insert(instance.to_string(), revision);
        self.delivery_log.tell_applied(&instance.to_string(), revision);
    }

    /// Waits for ever where a test wants a request to stay unanswered.
    async fn answer(&self, ask: &str) {
        if self.known.lock().unwrap().silent.iter().any(|word| ask.contains(word)) {
            std::future::pending::<()>().await;
        }
    }

    /// Catalog tells of its offering.
    pub(crate) fn offering(&self, kind: &str, end_time: Option<Time>) {
        let payload = json!({
            "offeringId": OFFERING,
            "slug": "support-triage",
            "endTime": end_time.map(|end| end.micros().to_string()),
            "reason": "",
        });
        self.catalog_log.tell(&format!("souk.catalog.v1.{kind}"), None, payload);
    }

    /// Whether catalog lets the offering be taken.
    pub(crate) fn sell(&self, refusal: Option<Reason>) {
        self.known.lock().unwrap().sale = refusal;
    }

    /// What billing holds an account to be.
    pub(crate) fn account(&self, instance: &str) -> Option<billing::AccountState> {
        self.known.lock().unwrap().account_now.get(instance).copied()
    }

    pub(crate) fn wallet(&self, kind: &str, org: OrgId) {
        let kind = format!("souk.billing.v1.{kind}");
        self.billing_log.tell(&kind, Some(org), json!({ "availableMicros": "0" }));
    }
}

/// A log in memory.
#[derive(Default)]
pub(crate) struct FakeLog {
    events: Mutex<Vec<Event>>,
    told: Notify,
}

impl FakeLog {
    pub(crate) fn tell(&self, kind: &str, org_id: Option<OrgId>, payload: serde_json::Value) {
        let mut events = self.events.lock().unwrap();
        let event = Event {
            event_id: EventId::from_bits(events.len() as u128 + 1),
            kind: kind.to_owned(),
            org_id,
            aggregate_id: "a".to_owned(),
            aggregate_seq: 1,
            occur_time: Time::from_micros(0),
            actor: "part:fake".to_owned(),
            trace: String::new(),
            payload,
        };
        events.push(event);
        self.told.notify_waiters();
    }

    fn tell_applied(&self, instance: &str, revision: i64) {
        let payload =
            json!({ "instanceId": instance, "revision": revision.to_string(), "contentHash": "cc" });
        self.tell("souk.delivery.v1.InstanceApplied", None, payload);
    }
}

#[async_trait]
impl Log for FakeLog {
    async fn after(&self, position: i64, limit: u64) -> Result<Vec<(i64, Event)>, Fault> {
        let events = self.events.lock().unwrap();
        let numbered = (1_i64..).zip(events.iter().cloned()).filter(|(at, _)| *at > position);
        Ok(numbered.take(usize::try_from(limit).unwrap()).collect())
    }

    async fn wait(&self, beyond: i64) {
        loop {
            let told = self.told.notified();
            if self.events.lock().unwrap().len() > usize::try_from(beyond).unwrap() {
                return;
            }
            told.await;
        }
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

fn absent<T>() -> Result<T, Status> {
    Err(status(Fault::new(Reason::Unimplemented, "fake", "the fake does not know this")))
}

/// Lets a body use `?`.
fn run<T>(body: impl FnOnce() -> Result<T, Status>) -> Result<T, Status> {
    body()
}

/// A generated server trait, with the bodies of some methods and a refusal for the rest.
macro_rules! fake {
    (
        $of:ty: $trait:ident;
        $($name:ident($this:ident, $ask:ident: $Ask:ty) -> $Answer:ty $body:block)*
        @absent $($gone:ident: $GoneAsk:ty => $GoneAnswer:ty;)*
        @streams $($watch:ident: $WatchAsk:ty => $Stream:ident of $WatchAnswer:ty;)*
    ) => {
        impl $trait for $of {
            $(fn $name<'life, 'async_trait>(
                &'life self,
                request: Request<$Ask>,
            ) -> Answer<'async_trait, $Answer>
            where
                'life: 'async_trait,
                Self: 'async_trait,
            {
                let $this = self;
                let $ask = request.into_inner();
                let asked = format!("{:?}", $ask);
                let answer: Result<$Answer, Status> = run(|| $body);
                Box::pin(async move {
                    $this.0.answer(&asked).await;
                    answer.map(Response::new)
                })
            })*
            $(fn $gone<'life, 'async_trait>(
                &'life self,
                _: Request<$GoneAsk>,
            ) -> Answer<'async_trait, $GoneAnswer>
            where
                'life: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(async { absent() })
            })*
            $(type $Stream = futures::stream::Empty<Result<$WatchAnswer, Status>>;
            fn $watch<'life, 'async_trait>(
                &'life self,
                _: Request<$WatchAsk>,
            ) -> Answer<'async_trait, Self::$Stream>
            where
                'life: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(async { absent() })
            })*
        }
    };
}

pub(crate) struct Catalog(pub(crate) Arc<Fakes>);
pub(crate) struct Billing(pub(crate) Arc<Fakes>);
pub(crate) struct Delivery(pub(crate) Arc<Fakes>);
pub(crate) struct Tenancy(pub(crate) Arc<Fakes>);

fn plan(plan_id: PlanId, slug: &str, self_service: bool) -> catalog::Plan {
    catalog::Plan {
        plan_id: plan_id.to_string(),
        slug: slug.to_owned(),
        self_service,
        config_json: json!({ "priority": { "lane": slug } }).to_string(),
        limits: Some(catalog::PlanLimits { runs_per_minute: 7, input_bytes: 4096, concurrent_runs: 2 }),
        ..Default::default()
    }
}

fn version(id: OfferingVersionId) -> Option<catalog::OfferingVersion> {
    if ![VERSION, NEWER, DRAFT, SOLD].contains(&id) {
        return None;
    }
    let state = match id {
        DRAFT => catalog::offering_version::State::Draft,
        _ => catalog::offering_version::State::Published,
    };
    Some(catalog::OfferingVersion {
        offering_version_id: id.to_string(),
        offering_id: OFFERING.to_string(),
        artifact_hash: "a".repeat(64),
        state: state.into(),
        capabilities: ["web_widget.branding", "run", "run"].map(str::to_owned).to_vec(),
        config_json: json!({
            "web_widget.branding": { "brand_name": "Acme", "allowed_domains": ["https://acme.example"] },
            "priority": { "lane": "none", "weight": 1 },
        })
        .to_string(),
        plans: vec![plan(FREE, "free", true), plan(PRO, "pro", false)],
        default_plan_id: if id == SOLD { PRO } else { FREE }.to_string(),
        price_schedule: Some(catalog::PriceSchedule {
            price_schedule_hash: "b".repeat(64),
            ..Default::default()
        }),
        offering_slug: "support-triage".to_owned(),
        ..Default::default()
    })
}

fake! {
    Catalog: CatalogService;
    get_offering_version(this, ask: catalog::GetOfferingVersionRequest) -> catalog::GetOfferingVersionResponse {
        this.0.known.lock().unwrap().catalog.ask("catalog")?;
        match ask.offering_version_id.parse().ok().and_then(version) {
            Some(found) => Ok(catalog::GetOfferingVersionResponse { offering_version: Some(found) }),
            None => Err(status(Fault::new(Reason::OfferingVersionNotFound, "catalog", "no such version"))),
        }
    }
    get_offering(this, ask: catalog::GetOfferingRequest) -> catalog::GetOfferingResponse {
        let known = this.0.known.lock().unwrap();
        known.catalog.ask("catalog")?;
        assert_eq!(ask.offering_id, OFFERING.to_string());
        let state = match known.sale {
            None => catalog::offering::State::Active,
            Some(Reason::OfferingPaused) => catalog::offering::State::Paused,
            Some(_) => catalog::offering::State::Ending,
        };
        let state = state.into();
        let offering = catalog::Offering { offering_id: ask.offering_id, state, ..Default::default() };
        Ok(catalog::GetOfferingResponse { offering: Some(offering) })
    }
    @absent
    create_offering: catalog::CreateOfferingRequest => catalog::CreateOfferingResponse;
    publish_offering_version: catalog::PublishOfferingVersionRequest => catalog::PublishOfferingVersionResponse;
    list_offerings: catalog::ListOfferingsRequest => catalog::ListOfferingsResponse;
    resolve_plan: catalog::ResolvePlanRequest => catalog::ResolvePlanResponse;
    pause_offering: catalog::PauseOfferingRequest => catalog::PauseOfferingResponse;
    resume_offering: catalog::ResumeOfferingRequest => catalog::ResumeOfferingResponse;
    end_offering_life: catalog::EndOfferingLifeRequest => catalog::EndOfferingLifeResponse;
    list_offering_versions: catalog::ListOfferingVersionsRequest => catalog::ListOfferingVersionsResponse;
    list_capabilities: catalog::ListCapabilitiesRequest => catalog::ListCapabilitiesResponse;
    @streams
}

fake! {
    Billing: BillingService;
    open_account(this, ask: billing::OpenAccountRequest) -> billing::OpenAccountResponse {
        let mut known = this.0.known.lock().unwrap();
        known.billing.ask("billing")?;
        known.account_now.entry(ask.instance_id.clone()).or_insert(billing::AccountState::Active);
        known.accounts.insert(ask.request_id, ask.instance_id);
        Ok(billing::OpenAccountResponse::default())
    }
    set_account_state(this, ask: billing::SetAccountStateRequest) -> billing::SetAccountStateResponse {
        let mut known = this.0.known.lock().unwrap();
        known.billing.ask("billing")?;
        let (id, state) = (ask.request_id.clone(), ask.state());
        let Some(now) = known.account_now.get(&ask.instance_id).copied() else {
            return Err(status(Fault::new(Reason::AccountNotFound, "billing", "no such account")));
        };
        match known.account_states.get(&id) {
            Some(first) if *first != ask => known.reused.push(id),
            Some(_) => {}
            None if now == billing::AccountState::Closed && state != now => {
                return Err(status(Fault::new(Reason::AccountClosed, "billing", "it is closed")));
            }
            None => {
                known.account_now.insert(ask.instance_id.clone(), state);
                known.account_states.insert(id, ask);
            }
        }
        Ok(billing::SetAccountStateResponse {})
    }
    @absent
    open_wallet: billing::OpenWalletRequest => billing::OpenWalletResponse;
    put_price_schedule: billing::PutPriceScheduleRequest => billing::PutPriceScheduleResponse;
    authorize: billing::AuthorizeRequest => billing::AuthorizeResponse;
    settle: billing::SettleRequest => billing::SettleResponse;
    release: billing::ReleaseRequest => billing::ReleaseResponse;
    top_up: billing::TopUpRequest => billing::TopUpResponse;
    get_wallet: billing::GetWalletRequest => billing::GetWalletResponse;
    list_ledger_entries: billing::ListLedgerEntriesRequest => billing::ListLedgerEntriesResponse;
    extend: billing::ExtendRequest => billing::ExtendResponse;
    reverse_top_up: billing::ReverseTopUpRequest => billing::ReverseTopUpResponse;
    set_account_schedule: billing::SetAccountScheduleRequest => billing::SetAccountScheduleResponse;
    adjust_wallet: billing::AdjustWalletRequest => billing::AdjustWalletResponse;
    set_wallet_state: billing::SetWalletStateRequest => billing::SetWalletStateResponse;
    get_receipt: billing::GetReceiptRequest => billing::GetReceiptResponse;
    @streams watch_wallet: billing::WatchWalletRequest => WatchWalletStream of billing::WatchWalletResponse;
}

fake! {
    Delivery: DeliveryService;
    apply(this, ask: delivery::ApplyRequest) -> delivery::ApplyResponse {
        let mut known = this.0.known.lock().unwrap();
        known.delivery.ask("delivery")?;
        let desired = ask.desired.unwrap();
        let (instance, revision) = (desired.instance_id.clone(), desired.revision);
        if known.applied.get(&ask.request_id).is_some_and(|first| *first != desired) {
            known.reused.push(ask.request_id.clone());
        }
        known.applied.insert(ask.request_id, desired);
        if known.swift {
            known.revisions.insert(instance.clone(), revision);
            drop(known);
            this.0.delivery_log.tell_applied(&instance, revision);
        }
        Ok(delivery::ApplyResponse { revision, ..Default::default() })
    }
    remove(this, ask: delivery::RemoveRequest) -> delivery::RemoveResponse {
        let mut known = this.0.known.lock().unwrap();
        known.delivery.ask("delivery")?;
        let applied = known.applied.values().filter(|desired| desired.instance_id == ask.instance_id);
        if applied.map(|desired| desired.revision).max().is_some_and(|newest| newest >= ask.revision) {
            return Err(status(Fault::new(Reason::InvalidArgument, "delivery", "an old revision")));
        }
        known.revisions.remove(&ask.instance_id);
        if known.removed.get(&ask.request_id).is_some_and(|first| *first != ask) {
            known.reused.push(ask.request_id.clone());
        }
        let revision = ask.revision;
        known.removed.insert(ask.request_id.clone(), ask);
        Ok(delivery::RemoveResponse { revision, ..Default::default() })
    }
    get_applied(this, ask: delivery::GetAppliedRequest) -> delivery::GetAppliedResponse {
        let known = this.0.known.lock().unwrap();
        known.delivery.ask("delivery")?;
        match known.revisions.get(&ask.instance_id) {
            Some(revision) => Ok(delivery::GetAppliedResponse {
                applied: Some(delivery::Applied { revision: *revision, ..Default::default() }),
            }),
            None => Err(status(Fault::new(Reason::AppliedStateNotFound, "delivery", "nothing applied"))),
        }
    }
    @absent
    @streams watch_applied: delivery::WatchAppliedRequest => WatchAppliedStream of delivery::WatchAppliedResponse;
}

fake! {
    Tenancy: TenancyService;
    get_project(this, ask: tenancy::GetProjectRequest) -> tenancy::GetProjectResponse {
        let known = this.0.known.lock().unwrap();
        let found = ask.project_id.parse().ok().and_then(|id: ProjectId| known.projects.get(&id));
        match found {
            Some(org) => Ok(tenancy::GetProjectResponse {
                project: Some(tenancy::Project { org_id: org.to_string(), ..Default::default() }),
            }),
            None => Err(status(Fault::new(Reason::ProjectNotFound, "tenancy", "no such project"))),
        }
    }
    @absent
    auto_create_workspace: tenancy::AutoCreateWorkspaceRequest => tenancy::AutoCreateWorkspaceResponse;
    get_caller: tenancy::GetCallerRequest => tenancy::GetCallerResponse;
    create_org: tenancy::CreateOrgRequest => tenancy::CreateOrgResponse;
    create_project: tenancy::CreateProjectRequest => tenancy::CreateProjectResponse;
    list_projects: tenancy::ListProjectsRequest => tenancy::ListProjectsResponse;
    create_api_key: tenancy::CreateApiKeyRequest => tenancy::CreateApiKeyResponse;
    list_api_keys: tenancy::ListApiKeysRequest => tenancy::ListApiKeysResponse;
    revoke_api_key: tenancy::RevokeApiKeyRequest => tenancy::RevokeApiKeyResponse;
    create_sign_in_link: tenancy::CreateSignInLinkRequest => tenancy::CreateSignInLinkResponse;
    redeem_sign_in_link: tenancy::RedeemSignInLinkRequest => tenancy::RedeemSignInLinkResponse;
    end_session: tenancy::EndSessionRequest => tenancy::EndSessionResponse;
    resolve_principal: tenancy::ResolvePrincipalRequest => tenancy::ResolvePrincipalResponse;
    list_members: tenancy::ListMembersRequest => tenancy::ListMembersResponse;
    set_member_role: tenancy::SetMemberRoleRequest => tenancy::SetMemberRoleResponse;
    remove_member: tenancy::RemoveMemberRequest => tenancy::RemoveMemberResponse;
    invite_member: tenancy::InviteMemberRequest => tenancy::InviteMemberResponse;
    list_invitations: tenancy::ListInvitationsRequest => tenancy::ListInvitationsResponse;
    revoke_invitation: tenancy::RevokeInvitationRequest => tenancy::RevokeInvitationResponse;
    accept_invitation: tenancy::AcceptInvitationRequest => tenancy::AcceptInvitationResponse;
    create_team: tenancy::CreateTeamRequest => tenancy::CreateTeamResponse;
    list_teams: tenancy::ListTeamsRequest => tenancy::ListTeamsResponse;
    add_team_member: tenancy::AddTeamMemberRequest => tenancy::AddTeamMemberResponse;
    remove_team_member: tenancy::RemoveTeamMemberRequest => tenancy::RemoveTeamMemberResponse;
    delete_team: tenancy::DeleteTeamRequest => tenancy::DeleteTeamResponse;
    list_sessions: tenancy::ListSessionsRequest => tenancy::ListSessionsResponse;
    revoke_session: tenancy::RevokeSessionRequest => tenancy::RevokeSessionResponse;
    list_audit_entries: tenancy::ListAuditEntriesRequest => tenancy::ListAuditEntriesResponse;
    @streams
}
