//! The use cases of tenancy: what each RPC and each loop does, in order. Secrets are minted here and go
//! out in one answer; the store sees their hashes only.

mod bootstrap;
mod mails;
mod people;
mod principals;
mod workspaces;

use souk_db::Once;
use souk_kit::{House, keyring::Purpose, seal::Seal};
use souk_types::{
    Call, Caller, Fault, ProjectId, Secret, Time,
    page::{Page, Paged},
};

pub(crate) use self::bootstrap::{platform_key, sign_in_link};
use crate::{
    config::Config,
    error::Error,
    model::{
        ApiKey, CreateApiKey, CreateOrg, CreateProject, CreateSignInLink, Credential, EndSession, NewOrg,
        Project, RevokeApiKey, Session, User, credential::Kind,
    },
    outside::Notifier,
    peers::Billing,
    store::{Minted, NewSession, Store},
};

/// Everything tenancy does.
pub(crate) struct Service {
    store: Store,
    billing: Billing,
    seal: Seal,
    notifier: Notifier,
    config: Config,
}

impl Service {
    /// The service upon its tables.
    ///
    /// # Errors
    /// When a file that the notifier needs cannot be read.
    pub(crate) fn new(house: &House, store: Store, config: Config) -> Result<Self, Fault> {
        let seal = Seal::new(house.keyring(), Purpose::Notice);
        let (billing, notifier) = (Billing::new(house.clone()), Notifier::new(&config.notify)?);
        Ok(Self { store, billing, seal, notifier, config })
    }

    /// The store, for the loops that write what others tell.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Makes an org. Its wallet is opened right away where billing answers, else soon by the loop: the
    /// org stands either way, so the answer does not wait for it.
    pub(crate) async fn create_org(&self, call: &Call, ask: CreateOrg) -> Result<NewOrg, Error> {
        let new = self.store.create_org(call, &ask, self.config.max_orgs_per_user).await?;
        let row = self.store.workspace(new.org.org_id).await?;
        match self.complete(row, &crate::store::Cause::of(call), &call.trace).await {
            Ok(_) => {}
            Err(Error::WorkspaceUnfinished { org_id, state, refusal }) => {
                tracing::warn!(%org_id, state, cause = %refusal, "org's wallet is opened later");
            }
            Err(error) => return Err(error),
        }
        Ok(new)
    }

    pub(crate) async fn create_project(&self, call: &Call, ask: CreateProject) -> Result<Project, Error> {
        self.store.create_project(call, &ask, self.config.max_projects_per_org).await
    }

    pub(crate) async fn list_projects(&self, call: &Call, page: &Page) -> Result<Paged<Project>, Error> {
        self.store.list_projects(&call.scope, page).await
    }

    pub(crate) async fn get_project(&self, call: &Call, id: ProjectId) -> Result<Project, Error> {
        self.store.get_project(&call.scope, id).await
    }

    /// Makes a key; its secret is in this answer only.
    pub(crate) async fn create_api_key(
        &self,
        call: &Call,
        ask: CreateApiKey,
    ) -> Result<(ApiKey, Secret<String>), Error> {
        if matches!(call.caller, Caller::Key { .. }) {
            return Err(Error::KeyByKey);
        }
        let secret = Credential::mint(Kind::ApiKey, self.store.random());
        match self.store.create_api_key(call, &ask, &Minted::of(&secret)).await? {
            Once::Fresh(key) => Ok((key, secret.into_secret())),
            Once::Replayed(key) => Err(Error::KeyAlreadyShown(key.api_key_id)),
        }
    }

    pub(crate) async fn list_api_keys(&self, call: &Call, page: &Page) -> Result<Paged<ApiKey>, Error> {
        self.store.list_api_keys(&call.scope, page).await
    }

    pub(crate) async fn revoke_api_key(&self, call: &Call, ask: RevokeApiKey) -> Result<ApiKey, Error> {
        self.store.revoke_api_key(call, &ask).await
    }

    /// Mints a sign-in link; its code is in this answer only.
    pub(crate) async fn create_sign_in_link(
        &self,
        call: &Call,
        ask: CreateSignInLink,
    ) -> Result<(Secret<String>, Time), Error> {
        let code = Credential::mint(Kind::SignInCode, self.store.random());
        let end = self.store.now() + self.config.link_life();
        match self.store.create_sign_in_link(call, &ask, (&code.hash(), end)).await? {
            Once::Fresh(link) => Ok((code.into_secret(), link.expire_time)),
            Once::Replayed(link) => Err(Error::LinkAlreadyShown(link.user_id)),
        }
    }

    /// Turns a link's or an invitation's code into a session; its secret is in this answer only.
    pub(crate) async fn redeem_sign_in_link(
        &self,
        call: &Call,
        code: &Secret<String>,
    ) -> Result<(Session, Secret<String>, User), Error> {
        let code = code.expose();
        let link = Credential::parse(Kind::SignInCode, code);
        let secret = Credential::mint(Kind::SessionSecret, self.store.random());
        let new = NewSession {
            secret_hash: secret.hash(),
            expire_time: self.store.now() + self.config.session_life(),
        };
        let (session, user) = match link {
            Ok(link) => self.store.redeem(call, &link.hash(), &new).await?,
            Err(_) => {
                let code = Credential::parse(Kind::InvitationCode, code).map_err(|_| Error::LinkInvalid)?;
                self.store.redeem_invitation(call, &code.hash(), &new, self.config.admission()).await?
            }
        };
        Ok((session, secret.into_secret(), user))
    }

    pub(crate) async fn end_session(&self, call: &Call, ask: EndSession) -> Result<(), Error> {
        self.store.end_session(call, &ask).await
    }
}
