//! `souk members …`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use souk_proto::souk::tenancy::v1::{
    InviteMemberRequest, ListMembersRequest, Member, RemoveMemberRequest, Role, SetMemberRoleRequest,
    tenancy_service_client::TenancyServiceClient,
};

use super::{
    invitations::advice,
    keys::org_of,
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk members …`.
#[derive(Subcommand)]
pub(crate) enum Members {
    /// List an org's members.
    Ls {
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Give a member another role.
    SetRole {
        /// The member's id or address.
        member: String,
        /// The role.
        role: Place,
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Remove a member; their keys of the org stop working.
    Remove {
        /// The member's id or address.
        member: String,
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Invite an address; the link is shown once.
    Invite {
        /// The address.
        email: String,
        /// The role they get.
        #[arg(long, default_value = "member")]
        role: Place,
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
}

/// A role as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Place {
    /// Sees everything.
    Viewer,
    /// May run.
    Member,
    /// Manages members, keys and instances.
    Admin,
}

impl Place {
    fn role(self) -> i32 {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Member => Role::Member,
            Self::Admin => Role::Admin,
        }
        .into()
    }
}

/// A role as it is shown.
pub(crate) fn shown(role: Role) -> String {
    role.as_str_name().trim_start_matches("ROLE_").to_lowercase()
}

pub(crate) async fn run(remote: &Remote, ask: Members, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    match ask {
        Members::Ls { org } => {
            let org_id = org_of(remote, org).await?;
            let request = ListMembersRequest { org_id, page_size: 1000, page_token: String::new() };
            let page = client.list_members(request).await?.into_inner();
            output.message("souk.tenancy.v1.ListMembersResponse", &page, |page| {
                let row = |member: &Member| {
                    let user = member.user.clone().unwrap_or_default();
                    vec![user.user_id, user.email, shown(member.role())]
                };
                table(&["USER", "ADDRESS", "ROLE"], &page.members.iter().map(row).collect::<Vec<_>>())
            })
        }
        Members::SetRole { member, role, org } => {
            let org_id = org_of(remote, org).await?;
            let request = SetMemberRoleRequest {
                user_id: id_of(remote, &org_id, member).await?,
                org_id,
                request_id: remote.request_id(""),
                role: role.role(),
                etag: String::new(),
            };
            let member = client.set_member_role(request).await?.into_inner().member.unwrap_or_default();
            output.message("souk.tenancy.v1.Member", &member, |member| {
                let user = member.user.clone().unwrap_or_default();
                format!("{} is {}", user.email, shown(member.role()))
            })
        }
        Members::Remove { member, org } => {
            let org_id = org_of(remote, org).await?;
            let user_id = id_of(remote, &org_id, member).await?;
            let request =
                RemoveMemberRequest { org_id, request_id: remote.request_id(""), user_id: user_id.clone() };
            client.remove_member(request).await?;
            if output.is_json() {
                return output.value(&json!({"removed": user_id}));
            }
            output.text(&format!("removed {user_id}"))
        }
        Members::Invite { email, role, org } => {
            let request = InviteMemberRequest {
                org_id: org_of(remote, org).await?,
                request_id: remote.request_id(""),
                email,
                role: role.role(),
            };
            let answer = client.invite_member(request).await?.into_inner();
            let invitation = answer.invitation.unwrap_or_default();
            let link = format!("{}/sign-in/{}", remote.server(), answer.code);
            if output.is_json() {
                let invitation = output.proto_json("souk.tenancy.v1.Invitation", &invitation)?;
                return output.value(&json!({"invitation": invitation, "code": answer.code, "link": link}));
            }
            output.say(&format!(
                "{} · {} is invited; {}:",
                invitation.invitation_id,
                invitation.email,
                advice(&invitation)
            ));
            output.text(&link)
        }
    }
}

/// The id of a member named by id or address.
pub(crate) async fn id_of(remote: &Remote, org_id: &str, member: String) -> Result<String, Failure> {
    if !member.contains('@') {
        return Ok(member);
    }
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let wanted = member.trim().to_ascii_lowercase();
    let mut page_token = String::new();
    loop {
        let request = ListMembersRequest { org_id: org_id.to_owned(), page_size: 1000, page_token };
        let page = client.list_members(request).await?.into_inner();
        let users = page.members.into_iter().filter_map(|member| member.user);
        if let Some(user) = users.into_iter().find(|user| user.email == wanted) {
            return Ok(user.user_id);
        }
        if page.next_page_token.is_empty() {
            let failure = Failure::new(format!("{wanted} is no member of {org_id}"));
            return Err(failure.hint("see who is: souk members ls"));
        }
        page_token = page.next_page_token;
    }
}
