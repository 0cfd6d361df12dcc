//! The wire of tenancy: opens each request, hands it to its use case, encodes the answer. Decides nothing.

mod decode;
mod encode;

use std::sync::Arc;

use souk_kit::{House, answer, open, status};
use souk_proto::souk::tenancy::v1 as pb;
use souk_proto::souk::tenancy::v1::tenancy_service_server::TenancyService;
use souk_types::{Call, Fault, page::Page};
use tonic::{Request, Response, Status};

use crate::{model::team::Seat, service::Service};

/// The service that faults name.
const DOMAIN: &str = "tenancy";

/// Tenancy on the wire.
pub(crate) struct Api {
    house: House,
    service: Arc<Service>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Api {
    pub(crate) const fn new(house: House, service: Arc<Service>) -> Self {
        Self { house, service }
    }

    /// A list's name for its page tokens, and the wanted page.
    fn page(&self, call: &Call, list: &str, (size, token): (i32, &str)) -> Result<(String, Page), Fault> {
        let org = call.scope.org().map(|org| org.to_string());
        let whose = org.or_else(|| call.user_id().map(|user| user.to_string())).unwrap_or_default();
        let name = format!("{list}:{whose}");
        let page = self.house.pages().open(&name, size, token)?;
        Ok((name, page))
    }
}

#[tonic::async_trait]
impl TenancyService for Api {
    async fn auto_create_workspace(
        &self,
        request: Request<pb::AutoCreateWorkspaceRequest>,
    ) -> Answer<pb::AutoCreateWorkspaceResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::auto_create_workspace(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.auto_create_workspace(&call, ask).await };
        answer(self.house.owned(work).await.map(encode::ready_workspace))
    }

    async fn get_caller(&self, request: Request<pb::GetCallerRequest>) -> Answer<pb::GetCallerResponse> {
        let (call, _) = open(request)?;
        answer(self.service.caller(&call).await.map(encode::caller))
    }

    async fn create_org(&self, request: Request<pb::CreateOrgRequest>) -> Answer<pb::CreateOrgResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::create_org(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.create_org(&call, ask).await };
        answer(self.house.owned(work).await.map(encode::new_org))
    }

    async fn create_project(
        &self,
        request: Request<pb::CreateProjectRequest>,
    ) -> Answer<pb::CreateProjectResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::create_project(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.create_project(&call, ask).await };
        let encoded = |project| pb::CreateProjectResponse { project: Some(encode::project(project)) };
        answer(self.house.owned(work).await.map(encoded))
    }

    async fn list_projects(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Answer<pb::ListProjectsResponse> {
        let (call, ask) = open(request)?;
        let (name, page) = self.page(&call, "projects", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_projects(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let projects = items.into_iter().map(encode::project).collect();
        Ok(Response::new(pb::ListProjectsResponse { projects, next_page_token }))
    }

    async fn get_project(&self, request: Request<pb::GetProjectRequest>) -> Answer<pb::GetProjectResponse> {
        let (call, ask) = open(request)?;
        let id = decode::project_id(&ask).map_err(status)?;
        let encoded = |project| pb::GetProjectResponse { project: Some(encode::project(project)) };
        answer(self.service.get_project(&call, id).await.map(encoded))
    }

    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Answer<pb::CreateApiKeyResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::create_api_key(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.create_api_key(&call, ask).await };
        answer(self.house.owned(work).await.map(encode::new_api_key))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Answer<pb::ListApiKeysResponse> {
        let (call, ask) = open(request)?;
        let (name, page) = self.page(&call, "api-keys", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_api_keys(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let api_keys = items.into_iter().map(encode::api_key).collect();
        Ok(Response::new(pb::ListApiKeysResponse { api_keys, next_page_token }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Answer<pb::RevokeApiKeyResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::revoke_api_key(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.revoke_api_key(&call, ask).await };
        let encoded = |key| pb::RevokeApiKeyResponse { api_key: Some(encode::api_key(key)) };
        answer(self.house.owned(work).await.map(encoded))
    }

    async fn create_sign_in_link(
        &self,
        request: Request<pb::CreateSignInLinkRequest>,
    ) -> Answer<pb::CreateSignInLinkResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::create_sign_in_link(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.create_sign_in_link(&call, ask).await };
        answer(self.house.owned(work).await.map(encode::sign_in_link))
    }

    async fn redeem_sign_in_link(
        &self,
        request: Request<pb::RedeemSignInLinkRequest>,
    ) -> Answer<pb::RedeemSignInLinkResponse> {
        let (call, ask) = open(request)?;
        let code = souk_types::Secret::new(ask.code);
        let service = Arc::clone(&self.service);
        let work = async move { service.redeem_sign_in_link(&call, &code).await };
        answer(self.house.owned(work).await.map(encode::new_session))
    }

    async fn end_session(&self, request: Request<pb::EndSessionRequest>) -> Answer<pb::EndSessionResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::end_session(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.end_session(&call, ask).await };
        answer(self.house.owned(work).await.map(|()| pb::EndSessionResponse {}))
    }

    async fn resolve_principal(
        &self,
        request: Request<pb::ResolvePrincipalRequest>,
    ) -> Answer<pb::ResolvePrincipalResponse> {
        let (_, ask) = open(request)?;
        let proof = decode::proof(ask).map_err(status)?;
        answer(self.service.resolve(proof).await.map(encode::principal))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Answer<pb::ListMembersResponse> {
        let (call, ask) = open(request)?;
        let (name, page) = self.page(&call, "members", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_members(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let members = items.into_iter().map(encode::member).collect();
        Ok(Response::new(pb::ListMembersResponse { members, next_page_token }))
    }

    async fn set_member_role(
        &self,
        request: Request<pb::SetMemberRoleRequest>,
    ) -> Answer<pb::SetMemberRoleResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::set_member_role(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.set_member_role(&call, ask).await };
        answer(
            self.house
                .owned(work)
                .await
                .map(|member| pb::SetMemberRoleResponse { member: Some(encode::member(member)) }),
        )
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Answer<pb::RemoveMemberResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::remove_member(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.remove_member(&call, ask).await };
        answer(self.house.owned(work).await.map(|()| pb::RemoveMemberResponse {}))
    }

    async fn invite_member(
        &self,
        request: Request<pb::InviteMemberRequest>,
    ) -> Answer<pb::InviteMemberResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::invite_member(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.invite(&call, ask).await };
        answer(self.house.owned(work).await.map(encode::new_invitation))
    }

    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Answer<pb::ListInvitationsResponse> {
        let (call, ask) = open(request)?;
        let (name, page) =
            self.page(&call, "invitations", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_invitations(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let invitations = items.into_iter().map(encode::invitation).collect();
        Ok(Response::new(pb::ListInvitationsResponse { invitations, next_page_token }))
    }

    async fn revoke_invitation(
        &self,
        request: Request<pb::RevokeInvitationRequest>,
    ) -> Answer<pb::RevokeInvitationResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::revoke_invitation(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.revoke_invitation(&call, ask).await };
        answer(
            self.house
                .owned(work)
                .await
                .map(|row| pb::RevokeInvitationResponse { invitation: Some(encode::invitation(row)) }),
        )
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Answer<pb::AcceptInvitationResponse> {
        let (call, ask) = open(request)?;
        let code = souk_types::Secret::new(ask.code);
        let service = Arc::clone(&self.service);
        let work = async move { service.accept_invitation(&call, &code).await };
        let encoded = |held| pb::AcceptInvitationResponse { membership: Some(encode::membership(held)) };
        answer(self.house.owned(work).await.map(encoded))
    }

    async fn create_team(&self, request: Request<pb::CreateTeamRequest>) -> Answer<pb::CreateTeamResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::create_team(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.create_team(&call, ask).await };
        answer(
            self.house
                .owned(work)
                .await
                .map(|team| pb::CreateTeamResponse { team: Some(encode::team(team)) }),
        )
    }

    async fn list_teams(&self, request: Request<pb::ListTeamsRequest>) -> Answer<pb::ListTeamsResponse> {
        let (call, ask) = open(request)?;
        let (name, page) = self.page(&call, "teams", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_teams(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let teams = items.into_iter().map(encode::team).collect();
        Ok(Response::new(pb::ListTeamsResponse { teams, next_page_token }))
    }

    async fn add_team_member(
        &self,
        request: Request<pb::AddTeamMemberRequest>,
    ) -> Answer<pb::AddTeamMemberResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::change_team((&ask.team_id, &ask.user_id), Seat::Taken).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.change_team(&call, ask).await };
        answer(
            self.house
                .owned(work)
                .await
                .map(|team| pb::AddTeamMemberResponse { team: Some(encode::team(team)) }),
        )
    }

    async fn remove_team_member(
        &self,
        request: Request<pb::RemoveTeamMemberRequest>,
    ) -> Answer<pb::RemoveTeamMemberResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::change_team((&ask.team_id, &ask.user_id), Seat::Left).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.change_team(&call, ask).await };
        answer(
            self.house
                .owned(work)
                .await
                .map(|team| pb::RemoveTeamMemberResponse { team: Some(encode::team(team)) }),
        )
    }

    async fn delete_team(&self, request: Request<pb::DeleteTeamRequest>) -> Answer<pb::DeleteTeamResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::delete_team(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.delete_team(&call, ask).await };
        answer(self.house.owned(work).await.map(|()| pb::DeleteTeamResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Answer<pb::ListSessionsResponse> {
        let current = souk_kit::open::session(&request);
        let (call, ask) = open(request)?;
        let (name, page) = self.page(&call, "sessions", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_sessions(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let sessions = items.into_iter().map(|row| encode::session(&row, current)).collect();
        Ok(Response::new(pb::ListSessionsResponse { sessions, next_page_token }))
    }

    async fn revoke_session(
        &self,
        request: Request<pb::RevokeSessionRequest>,
    ) -> Answer<pb::RevokeSessionResponse> {
        let (call, ask) = open(request)?;
        let ask = decode::revoke_session(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let work = async move { service.revoke_session(&call, ask).await };
        answer(self.house.owned(work).await.map(|()| pb::RevokeSessionResponse {}))
    }

    async fn list_audit_entries(
        &self,
        request: Request<pb::ListAuditEntriesRequest>,
    ) -> Answer<pb::ListAuditEntriesResponse> {
        let (call, ask) = open(request)?;
        let (name, page) = self.page(&call, "audit", (ask.page_size, &ask.page_token)).map_err(status)?;
        let paged = self.service.list_audit_entries(&call, &page).await.map_err(status)?;
        let (items, next_page_token) = self.house.pages().seal(&name, paged).map_err(status)?;
        let audit_entries = items.into_iter().map(encode::audit_entry).collect();
        Ok(Response::new(pb::ListAuditEntriesResponse { audit_entries, next_page_token }))
    }
}

#[cfg(test)]
mod tests;
