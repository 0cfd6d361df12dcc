//! The part as the mesh sees it: built by `build`, called over the pipe, with a bank in billing's place.

mod keys;
mod people;
mod projects;
mod sign_in;
mod workspace;

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use souk_kit::{House, Mesh, Mounted, Surroundings, keyring::Keyring, open, status};
use souk_proto::souk::{
    billing::v1::{self as bank, billing_service_server as bank_server},
    tenancy::v1::{self as pb, tenancy_service_client::TenancyServiceClient},
};
use souk_testkit::{Database, database::sqlite};
use souk_types::{
    Acting, Caller, Clock as _, Fault, Membership, OrgId, PartName, PlatformRole, Reason, Role, Scopes, Trace,
};
use tonic::{
    Request, Response, Status,
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{Config, MIGRATIONS, bootstrap, build, service::Service, store::Store};

/// Billing as far as tenancy asks it: wallets, and each request's first answer.
#[derive(Default)]
pub(super) struct Bank {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    wallets: BTreeMap<String, i64>,
    requests: BTreeMap<String, i64>,
    grants: Vec<bank::TopUpRequest>,
    refuses: Option<Reason>,
}

impl Bank {
    fn refuse(&self, reason: Option<Reason>) {
        self.books.lock().unwrap().refuses = reason;
    }

    fn grants(&self) -> Vec<bank::TopUpRequest> {
        self.books.lock().unwrap().grants.clone()
    }

    fn wallets(&self) -> BTreeMap<String, i64> {
        self.books.lock().unwrap().wallets.clone()
    }

    fn spend(&self, org: &str, micros: i64) {
        *self.books.lock().unwrap().wallets.get_mut(org).unwrap() -= micros;
    }

    fn at_work(&self) -> Result<std::sync::MutexGuard<'_, Books>, Status> {
        let books = self.books.lock().unwrap();
        match books.refuses {
            Some(reason) => Err(status(Fault::new(reason, "billing", "not now"))),
            None => Ok(books),
        }
    }
}

/// The bank on the wire.
struct Counter(Arc<Bank>);

type Told<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

macro_rules! closed {
    ($($name:ident: $ask:ident => $answer:ident;)+) => {$(
        fn $name<'own, 'told>(&'own self, _: Request<bank::$ask>) -> Told<'told, bank::$answer>
        where
            'own: 'told,
            Self: 'told,
        {
            Box::pin(async { Err(status(Fault::new(Reason::Unimplemented, "billing", "never asked"))) })
        }
    )+};
}

#[tonic::async_trait]
impl bank_server::BillingService for Counter {
    async fn open_wallet(
        &self,
        request: Request<bank::OpenWalletRequest>,
    ) -> Result<Response<bank::OpenWalletResponse>, Status> {
        let (_, ask) = open(request)?;
        self.0.at_work()?.wallets.entry(ask.org_id).or_insert(0);
        Ok(Response::new(bank::OpenWalletResponse { wallet_id: "wlt".into() }))
    }

    async fn top_up(
        &self,
        request: Request<bank::TopUpRequest>,
    ) -> Result<Response<bank::TopUpResponse>, Status> {
        let (_, ask) = open(request)?;
        let mut books = self.0.at_work()?;
        let key = format!("{}/{}", ask.org_id, ask.request_id);
        if let Some(balance_micros) = books.requests.get(&key).copied() {
            return Ok(Response::new(bank::TopUpResponse { balance_micros, ..Default::default() }));
        }
        let wallet = books.wallets.get_mut(&ask.org_id);
        let wallet = wallet.ok_or_else(|| status(Fault::new(Reason::WalletNotFound, "billing", "none")))?;
        *wallet += ask.amount_micros;
        let balance_micros = *wallet;
        books.requests.insert(key, balance_micros);
        books.grants.push(ask);
        Ok(Response::new(bank::TopUpResponse { balance_micros, ..Default::default() }))
    }

    async fn get_wallet(
        &self,
        request: Request<bank::GetWalletRequest>,
    ) -> Result<Response<bank::GetWalletResponse>, Status> {
        let (_, ask) = open(request)?;
        let available = self.0.at_work()?.wallets.get(&ask.org_id).copied();
        let available_micros =
            available.ok_or_else(|| status(Fault::new(Reason::WalletNotFound, "billing", "none")))?;
        let wallet = bank::Wallet { org_id: ask.org_id, available_micros, ..Default::default() };
        Ok(Response::new(bank::GetWalletResponse { wallet: Some(wallet) }))
    }

    type WatchWalletStream =
        Pin<Box<dyn futures::Stream<Item = Result<bank::WatchWalletResponse, Status>> + Send>>;

    async fn watch_wallet(
        &self,
        _: Request<bank::WatchWalletRequest>,
    ) -> Result<Response<Self::WatchWalletStream>, Status> {
        Err(status(Fault::new(Reason::Unimplemented, "billing", "never asked")))
    }

    closed! {
        open_account: OpenAccountRequest => OpenAccountResponse;
        set_account_state: SetAccountStateRequest => SetAccountStateResponse;
        put_price_schedule: PutPriceScheduleRequest => PutPriceScheduleResponse;
        authorize: AuthorizeRequest => AuthorizeResponse;
        settle: SettleRequest => SettleResponse;
        release: ReleaseRequest => ReleaseResponse;
        list_ledger_entries: ListLedgerEntriesRequest => ListLedgerEntriesResponse;
        extend: ExtendRequest => ExtendResponse;
        reverse_top_up: ReverseTopUpRequest => ReverseTopUpResponse;
        set_account_schedule: SetAccountScheduleRequest => SetAccountScheduleResponse;
        adjust_wallet: AdjustWalletRequest => AdjustWalletResponse;
        set_wallet_state: SetWalletStateRequest => SetWalletStateResponse;
        get_receipt: GetReceiptRequest => GetReceiptResponse;
    }
}

/// Puts a caller's mesh token on each request.
#[derive(Clone)]
pub(super) struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

type Client = TenancyServiceClient<InterceptedService<Channel, Bearer>>;

/// A mesh of tenancy and the bank, without loops: a test turns them by hand.
pub(super) struct Stage {
    db: Database,
    bank: Arc<Bank>,
    gateway: House,
    hand: Arc<Service>,
    _mesh: Mesh,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let db = sqlite("tenancy", MIGRATIONS).await;
        let dir = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            clock: db.clock.clone(),
            random: db.random.clone(),
            keyring: Arc::new(Keyring::generate(db.random.as_ref())),
            data_dir: dir.path().to_owned(),
            poll: Duration::from_millis(50),
        };
        let parts = [PartName::Tenancy, PartName::Billing, PartName::Gateway, PartName::Commerce];
        let mut mesh = Mesh::new(surroundings, &parts, &BTreeMap::new()).unwrap();
        let (house, billing) =
            (mesh.house(PartName::Tenancy).unwrap(), mesh.house(PartName::Billing).unwrap());
        let mut mounted = build(&house, &config, (*db).clone()).unwrap();
        mounted.work.clear();
        mesh.serve(&house, mounted).unwrap();
        let bank = Arc::new(Bank::default());
        let counter = bank_server::BillingServiceServer::new(Counter(Arc::clone(&bank)));
        mesh.serve(&billing, Mounted::new(Routes::new(counter))).unwrap();
        let gateway = mesh.house(PartName::Gateway).unwrap();
        let hand = Arc::new(Service::new(&house, Store::new((*db).clone()), config).unwrap());
        Self { db, bank, gateway, hand, _mesh: mesh, _dir: dir }
    }

    /// Tenancy, called by a person, an anonymous caller, whom the gateway vouches for.
    fn by(&self, caller: &Caller) -> Client {
        let end = self.db.clock.now() + Duration::from_secs(60);
        let token = self.gateway.tokens().sign(caller, "tenancy", end).unwrap();
        let channel = self.gateway.dial().raw(PartName::Tenancy).unwrap();
        TenancyServiceClient::with_interceptor(channel, Bearer(token))
    }

    /// Tenancy, called by the gateway for itself.
    fn door(&self) -> TenancyServiceClient<souk_kit::dial::PartChannel> {
        let acting = Acting { org: None, trace: Trace::default() };
        TenancyServiceClient::new(self.gateway.dial().to(PartName::Tenancy, acting))
    }

    /// Tenancy, called by a part.
    fn part(&self, part: PartName, org: Option<OrgId>) -> TenancyServiceClient<souk_kit::dial::PartChannel> {
        let house = self._mesh.house(part).unwrap();
        TenancyServiceClient::new(house.dial().to(PartName::Tenancy, Acting { org, trace: Trace::default() }))
    }

    /// The local operator, by the platform key.
    async fn operator(&self) -> (Caller, String) {
        let key = bootstrap(&self.db, None).await.unwrap().unwrap().expose().clone();
        (self.resolve_key(&key).await.unwrap().0, key)
    }

    /// A person who signed in by a link: who they are, their session's id and secret.
    async fn sign_in(&self, email: &str) -> (Caller, String, String) {
        let config = Config::default();
        let (code, _) = crate::sign_in_link(&self.db, &config, email).await.unwrap();
        let ask = pb::RedeemSignInLinkRequest { code: code.expose().clone() };
        let session = self.door().redeem_sign_in_link(ask).await.unwrap().into_inner();
        let caller = self.resolve_session(&session.secret).await.unwrap().0;
        (caller, session.session_id, session.secret)
    }

    async fn resolve_key(&self, key: &str) -> Result<(Caller, pb::ResolvePrincipalResponse), Status> {
        self.resolve(pb::resolve_principal_request::Credential::ApiKey(key.into())).await
    }

    async fn resolve_session(&self, secret: &str) -> Result<(Caller, pb::ResolvePrincipalResponse), Status> {
        self.resolve(pb::resolve_principal_request::Credential::SessionSecret(secret.into())).await
    }

    async fn resolve(
        &self,
        credential: pb::resolve_principal_request::Credential,
    ) -> Result<(Caller, pb::ResolvePrincipalResponse), Status> {
        let ask = pb::ResolvePrincipalRequest { credential: Some(credential) };
        let answer = self.door().resolve_principal(ask).await?.into_inner();
        Ok((caller(&answer), answer))
    }

    /// A person with a workspace: who they are afterwards, and the workspace.
    async fn settle(&self, email: &str) -> (Caller, pb::AutoCreateWorkspaceResponse) {
        let (caller, _, secret) = self.sign_in(email).await;
        let home = self.by(&caller).auto_create_workspace(wish("home")).await.unwrap().into_inner();
        (self.resolve_session(&secret).await.unwrap().0, home)
    }
}

/// What the gateway makes of a principal.
fn caller(answer: &pb::ResolvePrincipalResponse) -> Caller {
    let membership = |held: &pb::Membership| Membership {
        org_id: held.org_id.parse().unwrap(),
        role: match held.role() {
            pb::Role::Viewer => Role::Viewer,
            pb::Role::Member => Role::Member,
            pb::Role::Admin => Role::Admin,
            pb::Role::Unspecified => panic!("a role is stated"),
        },
        projects: held.project_ids.iter().map(|id| id.parse().unwrap()).collect(),
    };
    let user_id = answer.user.as_ref().unwrap().user_id.parse().unwrap();
    if answer.bound {
        let [only] = answer.memberships.as_slice() else { panic!("a bound key has one membership") };
        let api_key_id = answer.api_key_id.parse().unwrap();
        let scopes = Scopes::parse(&answer.scopes).unwrap();
        return Caller::Key { api_key_id, user_id, membership: membership(only), scopes };
    }
    Caller::User {
        user_id,
        memberships: answer.memberships.iter().map(membership).collect(),
        platform: answer.operator.then_some(PlatformRole::Operator),
    }
}

/// The same person with another role in each of their orgs.
fn demoted(caller: &Caller, role: Role) -> Caller {
    let Caller::User { user_id, memberships, .. } = caller.clone() else { panic!("no person") };
    let memberships = memberships.into_iter().map(|held| Membership { role, ..held }).collect();
    Caller::User { user_id, memberships, platform: None }
}

fn wish(request_id: &str) -> pb::AutoCreateWorkspaceRequest {
    pb::AutoCreateWorkspaceRequest { request_id: request_id.into(), display_name: String::new() }
}

/// The stable reason of a refusal, and its metadata.
fn refusal(status: &Status) -> souk_kit::Refusal {
    souk_kit::Refusal::read("tenancy", status)
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    refusal(&outcome.unwrap_err()).reason
}
