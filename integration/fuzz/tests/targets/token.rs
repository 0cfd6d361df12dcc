//! Mesh tokens: what was not signed is refused, and nobody but the gateway speaks of people.

use std::{sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*, sample::select};
use souk_fuzz::{bend, drive, edits};
use souk_kit::{
    clock::MachineRandom,
    keyring::Keyring,
    token::{ANY_PART, LIFETIME, Tokens},
};
use souk_types::{
    ApiKeyId, Caller, Clock, Membership, OrgId, PartName, PlatformRole, ProjectId, Role, Scopes, Time, UserId,
};

const WORDS: &[&str] = &[".", "..", "gateway.", "billing.", "A", "=", "_", "AAAA", "\u{0}", "*"];

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Time {
        Time::from_micros(1_700_000_000_000_000)
    }
}

fn membership() -> impl Strategy<Value = Membership> + Send {
    let role = select(vec![Role::Viewer, Role::Member, Role::Admin]);
    (any::<u128>(), role, vec(any::<u128>(), 0..4)).prop_map(|(org, role, projects)| Membership {
        org_id: OrgId::from_bits(org),
        role,
        projects: projects.into_iter().map(ProjectId::from_bits).collect(),
    })
}

fn caller() -> impl Strategy<Value = Caller> + Send {
    let scopes = Scopes::parse(&["runs.use".to_owned()]).unwrap();
    prop_oneof![
        Just(Caller::Anonymous),
        (select(PartName::ALL), any::<Option<u128>>())
            .prop_map(|(part, org)| Caller::Part { part, org: org.map(OrgId::from_bits) }),
        (any::<u128>(), vec(membership(), 0..3), any::<bool>()).prop_map(|(user, memberships, operator)| {
            let platform = operator.then_some(PlatformRole::Operator);
            Caller::User { user_id: UserId::from_bits(user), memberships, platform }
        }),
        (any::<u128>(), any::<u128>(), membership()).prop_map(move |(key, user, membership)| Caller::Key {
            api_key_id: ApiKeyId::from_bits(key),
            user_id: UserId::from_bits(user),
            membership,
            scopes: scopes.clone(),
        }),
    ]
}

#[test]
fn nothing_is_believed_that_was_not_signed() {
    let random = MachineRandom::default();
    let (house, foreign) = (Arc::new(Keyring::generate(&random)), Arc::new(Keyring::generate(&random)));
    let tokens = |part, keyring: &Arc<Keyring>| Tokens::new(part, Arc::clone(keyring), Arc::new(Noon));
    let billing = tokens(PartName::Billing, &house);
    let audience = select(vec!["billing", "catalog", ANY_PART, "", "billing.", "Billing"]);
    let inputs =
        ((select(PartName::ALL), caller(), audience, 0_u64..90), edits(WORDS, 4), ".{0,200}", any::<bool>());
    drive("mesh tokens", inputs, move |((signer, caller, audience, seconds), edits, wild, any_part)| {
        let end = Noon.now() + Duration::from_secs(seconds);
        let token = tokens(signer, &house).sign(&caller, audience, end).unwrap();
        let believed = billing.verify(&token, any_part);
        let may_say = match &caller {
            Caller::Part { part, .. } => *part == signer,
            Caller::Anonymous | Caller::User { .. } | Caller::Key { .. } => signer == PartName::Gateway,
        };
        let meant = audience == "billing" || (any_part && audience == ANY_PART);
        // What claims to last longer than a token does was not made by this house.
        let (long, in_time) = (end > Noon.now() + LIFETIME + Duration::from_secs(15), end > Noon.now());
        prop_assert_eq!(believed.is_ok(), may_say && meant && in_time && !long);
        if let Ok(claims) = believed {
            prop_assert_eq!(&claims.caller, &caller);
        }
        let stolen = tokens(signer, &foreign).sign(&caller, audience, end).unwrap();
        prop_assert!(billing.verify(&stolen, any_part).is_err(), "signed by another house");
        let bent = bend(token.as_bytes(), stolen.as_bytes(), &edits);
        let bent = String::from_utf8_lossy(&bent);
        for text in [bent.as_ref(), &wild] {
            prop_assert!(text == token || billing.verify(text, any_part).is_err(), "{}", text);
        }
        Ok(())
    });
}
