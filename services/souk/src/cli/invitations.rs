//! `souk invitations …`.

use clap::Subcommand;
use souk_proto::souk::tenancy::v1::{
    AcceptInvitationRequest, Invitation, ListInvitationsRequest, RevokeInvitationRequest,
    invitation::MailState, tenancy_service_client::TenancyServiceClient,
};

use super::{
    keys::org_of,
    members::shown,
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk invitations …`.
#[derive(Subcommand)]
pub(crate) enum Invitations {
    /// List an org's invitations, newest first, and how their mails stand.
    Ls {
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Revoke an open invitation.
    Revoke {
        /// The invitation's id.
        invitation: String,
    },
    /// Accept an invitation to the caller's address.
    Accept {
        /// The code, or the link that ends with it.
        code: String,
    },
}

pub(crate) async fn run(remote: &Remote, ask: Invitations, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    match ask {
        Invitations::Ls { org } => {
            let org_id = org_of(remote, org).await?;
            let request = ListInvitationsRequest { org_id, page_size: 1000, page_token: String::new() };
            let page = client.list_invitations(request).await?.into_inner();
            output.message("souk.tenancy.v1.ListInvitationsResponse", &page, |page| {
                let head = ["INVITATION", "ADDRESS", "ROLE", "STATE", "MAIL"];
                table(&head, &page.invitations.iter().map(row).collect::<Vec<_>>())
            })
        }
        Invitations::Revoke { invitation } => {
            let request =
                RevokeInvitationRequest { invitation_id: invitation, request_id: remote.request_id("") };
            let row = client.revoke_invitation(request).await?.into_inner().invitation.unwrap_or_default();
            output.message("souk.tenancy.v1.Invitation", &row, |row| format!("revoked {}", row.invitation_id))
        }
        Invitations::Accept { code } => {
            let code = code.rsplit('/').next().unwrap_or_default().to_owned();
            let request = AcceptInvitationRequest { request_id: remote.request_id(""), code };
            let held = client.accept_invitation(request).await?.into_inner().membership.unwrap_or_default();
            output.message("souk.tenancy.v1.Membership", &held, |held| {
                format!("{} of {}", shown(held.role()), held.org_id)
            })
        }
    }
}

/// What becomes of the link that an inviter was shown.
pub(super) fn advice(made: &Invitation) -> &'static str {
    match made.mail_state() {
        MailState::Logged => {
            "no mail is sent here: hand the link over yourself. It is shown this once; who has an account \
             signs in and runs souk invitations accept LINK"
        }
        _ => {
            "a mail brings them a link that signs in. This one is shown this once, for who is signed in: \
             souk invitations accept LINK"
        }
    }
}

fn row(row: &Invitation) -> Vec<String> {
    let state = row.state().as_str_name().trim_start_matches("STATE_").to_lowercase();
    let mail = match row.mail_state() {
        MailState::Logged => "not sent: hand the link over".to_owned(),
        other => other.as_str_name().trim_start_matches("MAIL_STATE_").to_lowercase(),
    };
    let mail = if row.mail_error.is_empty() { mail } else { format!("{mail}: {}", row.mail_error) };
    vec![row.invitation_id.clone(), row.email.clone(), shown(row.role()), state, mail]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_that_was_not_sent_is_not_said_to_be() {
        let of = |state: MailState| Invitation { mail_state: state.into(), ..Invitation::default() };
        assert!(advice(&of(MailState::Logged)).starts_with("no mail is sent"));
        assert!(advice(&of(MailState::Pending)).starts_with("a mail brings"));
        let shown = |state| row(&of(state)).pop().unwrap();
        assert_eq!(shown(MailState::Logged), "not sent: hand the link over");
        assert_eq!(shown(MailState::Sent), "sent");
        let failed = Invitation { mail_error: "550 no".into(), ..of(MailState::Failed) };
        assert_eq!(row(&failed).pop().unwrap(), "failed: 550 no");
    }
}
