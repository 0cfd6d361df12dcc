//! What to type after a refusal: the command that mends it, where there is one. What holds for every caller,
//! the registry's remedy says.

use std::{collections::BTreeMap, time::Duration};

use souk_types::Reason;

/// The command that mends a refusal, or shows what it was about.
pub(crate) fn hint(
    reason: Reason,
    fields: &[(String, String)],
    metadata: &BTreeMap<String, String>,
) -> String {
    match reason {
        Reason::InvalidArgument => {
            fields.iter().find_map(|(field, _)| of_field(field)).map(ToOwned::to_owned)
        }
        Reason::PermissionDenied => {
            let permission = metadata.get("permission").filter(|permission| !permission.is_empty());
            let needs = permission.map(|permission| format!("it takes the permission {permission}; "));
            Some(format!("{}who you are: souk whoami", needs.unwrap_or_default()))
        }
        Reason::IllegalTransition if metadata.contains_key("state") => {
            Some("read its state: souk instances get INSTANCE".to_owned())
        }
        _ => command(reason).map(ToOwned::to_owned),
    }
    .unwrap_or_else(|| reason.remedy().to_owned())
}

/// What mends a reason of which nothing else is known; none of a reason that the registry does not have.
pub(crate) fn of_reason(reason: &str) -> Option<String> {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason)?;
    Some(hint(*known, &[], &BTreeMap::new()))
}

/// A hint that says when to try again, in whole seconds and never too early.
pub(crate) fn again(hint: Option<&str>, after: Duration) -> String {
    const STATED: &str = "after the stated time";
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
    match hint {
        Some(hint) if hint.contains(STATED) => hint.replace(STATED, &format!("in {seconds} s")),
        Some(hint) => format!("{hint}; try again in {seconds} s"),
        None => format!("try again in {seconds} s"),
    }
}

const fn command(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::TokenMissing => "set SOUK_TOKEN to an API key, or name the directory of souk up: --data DIR",
        Reason::TokenInvalid | Reason::TokenExpired => {
            "sign in again: souk login; or a new API key: souk keys create --name NAME"
        }
        Reason::IllegalTransition => "read its state: souk offerings ls",
        Reason::ProjectRequired => "name the project: --project PROJECT; or make one: souk workspace",
        Reason::OfferingNotFound | Reason::OfferingVersionNotFound => "see what there is: souk offerings ls",
        Reason::InstanceNotFound => "see what there is: souk instances ls",
        Reason::RunNotFound => "see what there is: souk runs ls",
        Reason::ApiKeyNotFound => "see what there is: souk keys ls",
        Reason::MemberNotFound | Reason::AlreadyMember | Reason::LastAdmin => "see who is: souk members ls",
        Reason::InvitationNotFound => "see what there is: souk invitations ls",
        Reason::TeamNotFound => "see what there is: souk teams ls",
        Reason::SessionNotFound => "see what there is: souk sessions ls",
        Reason::ModelEndpointNotFound => {
            "see what there is: souk model ls; add it: souk model add NAME --url URL --key-file FILE"
        }
        Reason::ShopNotFound | Reason::ShopExists => "see what there is: souk shop ls",
        Reason::OrderNotFound => "see what there is: souk orders ls",
        Reason::OrgNotFound | Reason::ProjectNotFound | Reason::WalletNotFound => {
            "see your orgs and projects: souk whoami"
        }
        Reason::InsufficientCredits => "see what is left: souk wallet; credits come in by orders of the shop",
        Reason::InstanceNotReady => "wait for it: souk instances watch INSTANCE --until ACTIVE",
        Reason::InstancePaused | Reason::InstanceFailed => "see its conditions: souk instances get INSTANCE",
        Reason::InstanceTerminated => "activate a new one: souk instances activate OFFERING",
        Reason::FlowInvalid | Reason::UnsupportedComponent | Reason::CredentialInFlow => {
            "mend what the findings name; docs/offering.md says what a flow may hold"
        }
        Reason::CapabilityUnknown => "see what there is: souk capabilities ls",
        Reason::ConfigInvalid => "see what a configuration may hold: souk capabilities get NAME",
        Reason::OfferingEnded => "see what may be taken: souk offerings ls",
        Reason::RequestIdRequired => "--request-id takes 1 to 255 printable ASCII characters",
        Reason::RequestIdReused => "choose another --request-id, or leave it out",
        _ => return None,
    })
}

/// Where the right value of a field is found.
fn of_field(field: &str) -> Option<&'static str> {
    Some(match field {
        "instance_id" => "see what there is: souk instances ls",
        "offering_id" | "offering_version_id" => "see what there is: souk offerings ls",
        "run_id" => "see what there is: souk runs ls",
        "org_id" | "project_id" => "see your orgs and projects: souk whoami; make them: souk workspace",
        "api_key_id" => "see what there is: souk keys ls",
        "shop_id" => "see what there is: souk shop ls",
        "order_id" => "see what there is: souk orders ls",
        "default_plan_slug" => "see docs/offering.md for the form of a manifest",
        _ if field.starts_with("plans[") || field.starts_with("price_schedule") => {
            "see docs/offering.md for the form of a manifest"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_a_command_or_the_remedy() {
        let none = BTreeMap::new();
        let field = |name: &str| vec![(name.to_owned(), String::new())];
        assert!(hint(Reason::InvalidArgument, &field("run_id"), &none).contains("souk runs ls"));
        assert_eq!(hint(Reason::InvalidArgument, &[], &none), Reason::InvalidArgument.remedy());
        let needs = BTreeMap::from([("permission".to_owned(), "commerce.admin".to_owned())]);
        assert!(hint(Reason::PermissionDenied, &[], &needs).contains("commerce.admin"));
        assert_eq!(hint(Reason::PermissionDenied, &[], &none), "who you are: souk whoami");
        let state = BTreeMap::from([("state".to_owned(), "TERMINATED".to_owned())]);
        assert!(hint(Reason::IllegalTransition, &[], &state).contains("souk instances get"));
        let soon = Duration::from_millis(1200);
        assert_eq!(again(Some(Reason::TooManyRequests.remedy()), soon), "slow down; try again in 2 s");
        assert_eq!(again(None, Duration::ZERO), "try again in 1 s");
        for reason in Reason::ALL {
            assert!(!hint(*reason, &[], &none).is_empty());
        }
    }
}
