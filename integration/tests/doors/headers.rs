//! What a caller says of itself in headers is not believed: not on the way to the door's own methods, and
//! not on the way to the parts behind it.

use serde_json::json;
use souk_types::PartName;
use tonic::Code;

use crate::{
    wire::Port,
    world::{Who, World, text},
};

/// Names under which other houses pass on who calls.
const NAMES: [&str; 7] = [
    "x-tenant-id",
    "x-org-id",
    "x-user-id",
    "x-forwarded-user",
    "x-souk-caller",
    "souk-caller",
    "x-original-authorization",
];

#[test]
fn headers_lend_nobody_anything() {
    let mut world = World::new();
    let (viewer, operator) = (world.person(Who::Viewer), world.person(Who::Operator));
    // The door tells its own methods by this header what was shown to it; a caller tells them nothing.
    let shown = [operator.token.clone(), format!("bearer {}", operator.token)];
    for value in shown {
        let (port, mut sent) = world.sent(Who::Viewer, "gateway.IssueToken", json!({}));
        sent.headers.push(("souk-shown".to_owned(), value.clone()));
        let lent = text(&world.wire.call(port, &sent).unwrap(), "accessToken");
        let mut asked = world.sent(Who::Viewer, "tenancy.GetCaller", json!({})).1;
        asked.headers[0].1 = format!("Bearer {lent}");
        let who = world.wire.call(Port::Public, &asked).unwrap();
        assert_eq!(text(&who, "user.userId"), viewer.user_id, "a token for whom the credential stands for");
        let mut nobody = world.sent(Who::Anonymous, "gateway.IssueToken", json!({})).1;
        nobody.headers.push(("souk-shown".to_owned(), value));
        assert_eq!(world.wire.call(Port::Public, &nobody).unwrap_err().code, Code::Unauthenticated);
    }
    let token = world.part_token(PartName::Gateway, None);
    for name in NAMES {
        for value in [&operator.user_id, &world.away.org.clone(), &token] {
            let (port, mut sent) = world.sent(Who::Viewer, "tenancy.GetCaller", json!({}));
            sent.headers.push((name.to_owned(), value.clone()));
            let who = world.wire.call(port, &sent).unwrap();
            assert_eq!(text(&who, "user.userId"), viewer.user_id, "{name}");
            assert!(who["operator"].is_null() || who["operator"] == false, "{name}");
            let (port, mut sent) =
                world.sent(Who::Viewer, "billing.GetWallet", json!({"orgId": world.away.org}));
            sent.headers.push((name.to_owned(), value.clone()));
            assert_eq!(world.wire.call(port, &sent).unwrap_err().code, Code::NotFound, "{name}");
        }
    }
}
