//! Reading bodies that no shop sent: hostile, half, and wrapped ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn line() -> Value {
    json!({
        "id": "line-1", "productName": "Agent", "productSku": "SKU", "productVariantId": "variant-1",
        "quantity": 3, "isGift": false, "unitPrice": {"gross": {"amount": 10.10, "currency": "USD"}},
        "metadata": [{"key": "souk.credits", "value": "999999"}],
        "variant": {"id": "variant-1", "metadata": [{"key": "souk.kind", "value": "plan"}]},
    })
}

fn event() -> Value {
    json!({
        "__typename": "OrderFullyPaid", "issuedAt": "2026-11-20T16:40:04.267481+00:00",
        "recipient": {"id": "app-1"},
        "order": {
            "id": "order-1", "number": "7", "updatedAt": "2026-11-20T16:40:04.060238+00:00",
            "status": "UNFULFILLED", "chargeStatus": "FULL", "userEmail": "a@example.org", "user": null,
            "channel": {"slug": "default"},
            "metadata": [{"key": "souk.org_id", "value": "spoofed"}], "privateMetadata": [],
            "total": {"gross": {"amount": 30.3, "currency": "USD"}},
            "totalCharged": {"amount": 30.3, "currency": "USD"},
            "totalRefunded": {"amount": 0.0, "currency": "USD"},
            "grantedRefunds": [], "fulfillments": [], "lines": [line()],
        },
    })
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<Event, Error> {
    let mut event = event();
    change(&mut event);
    Event::read(event.to_string().as_bytes())
}

fn snapshot(change: impl FnOnce(&mut Value)) -> Snapshot {
    match changed(change).unwrap().order {
        Reading::Complete(snapshot) => *snapshot,
        incomplete @ Reading::Incomplete { .. } => panic!("{incomplete:?}"),
    }
}

fn why(result: Result<Event, Error>) -> String {
    match result {
        Err(Error::PayloadUnreadable { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_read_field_by_field() {
    let read = snapshot(|_| {});
    assert_eq!(read.updated_at.micros(), 1_795_192_804_060_238);
    assert_eq!(read.issued_at.unwrap().micros() - read.updated_at.micros(), 207_243);
    assert_eq!(read.org_ref, None, "public metadata is not read");
    assert_eq!(read.totals.gross.unwrap().to_string(), "30.3");
    assert_eq!(read.lines[0].unit_price.unwrap().to_string(), "10.1");
    assert_eq!(read.lines[0].declared.credits, None, "line metadata is not read");
    assert_eq!((read.lines[0].units(), read.lines[0].has_variant), (3, true));
}

#[test]
fn money_never_goes_through_a_float() {
    let text = event().to_string().replace("\"amount\":10.1,", "\"amount\":12345678901234567890.12345678,");
    let Reading::Complete(read) = Event::read(text.as_bytes()).unwrap().order else { panic!() };
    assert_eq!(read.lines[0].unit_price.unwrap().to_string(), "12345678901234567890.12345678");
}

#[test]
fn the_data_wrapper_is_taken_off() {
    for name in ["event", "orderFullyPaid"] {
        let body = json!({"data": {name: event()}, "errors": [{"message": "x"}]}).to_string();
        assert_eq!(Event::read(body.as_bytes()).unwrap(), changed(|_| {}).unwrap());
    }
    for data in [json!({}), json!({"event": null}), json!({"a": event(), "b": event()})] {
        let body = json!({"data": data}).to_string();
        assert_eq!(why(Event::read(body.as_bytes())), "its data does not hold exactly one event");
    }
}

#[test]
fn a_payload_without_a_query_is_called_by_its_name() {
    for body in ["[]", " \n[{\"type\": \"Order\"}]"] {
        assert!(why(Event::read(body.as_bytes())).contains("without a subscription query"));
    }
}

#[test]
fn what_is_missing_is_said() {
    for (field, path) in [
        ("updatedAt", "order.updatedAt"),
        ("status", "order.status"),
        ("chargeStatus", "order.chargeStatus"),
        ("grantedRefunds", "order.grantedRefunds"),
        ("fulfillments", "order.fulfillments"),
        ("lines", "order.lines"),
    ] {
        for gone in [true, false] {
            let read = changed(|event| {
                let order = event["order"].as_object_mut().unwrap();
                if gone {
                    order.remove(field);
                } else {
                    order.insert(field.to_owned(), Value::Null);
                }
            });
            let Reading::Incomplete { missing, order_id, .. } = read.unwrap().order else {
                panic!("{field}")
            };
            assert_eq!((missing, order_id.as_str()), (vec![path], "order-1"));
        }
    }
}

#[test]
fn what_is_no_order_event_is_refused() {
    for body in
        ["", "{}", "null", "1", "\"x\"", "{\"data\":1}", "{", "{}{}", "{\"__typename\":\"OrderPaid\"}"]
    {
        why(Event::read(body.as_bytes()));
    }
    why(Event::read(b"{\"__typename\":\"\xff\"}"));
    why(Event::read("[".repeat(1_000_000).as_bytes()));
    why(Event::read(format!("{{\"order\":{}", "{\"a\":".repeat(1_000_000)).as_bytes()));
    let long = "x".repeat(MAX_ID + 1);
    for id in ["", "a:b", "a b", "a\u{0}", "ö", &long] {
        why(changed(|event| event["order"]["id"] = json!(id)));
        why(changed(|event| event["order"]["lines"][0]["id"] = json!(id)));
    }
    why(changed(|event| event["order"]["updatedAt"] = json!("yesterday")));
    why(changed(|event| event["order"]["lines"] = json!([line(), line()])));
    why(changed(|event| event["order"]["lines"] = vec![line(); MAX_LINES + 1].into()));
    for quantity in [json!("3"), json!(1.5), json!(1e300), json!(null)] {
        why(changed(|event| event["order"]["lines"][0]["quantity"] = quantity));
    }
    for amount in [json!("0"), json!(null), json!({}), json!(1e200)] {
        why(changed(|event| event["order"]["lines"][0]["unitPrice"]["gross"]["amount"] = amount));
    }
}

#[test]
fn texts_are_cut_and_what_is_compared_is_never_cut() {
    let long = "x".repeat(MAX_TEXT + 1);
    let read = snapshot(|event| {
        event["order"]["lines"][0]["productName"] = json!(format!("a\u{0}{long}"));
        event["order"]["privateMetadata"] = json!([{"key": "souk.org_id", "value": long}]);
        event["order"]["user"] = json!({"id": "u\u{0}", "externalReference": ""});
    });
    let name = read.lines[0].product_name.as_ref().unwrap();
    assert!(name.starts_with("ax") && name.len() == MAX_TEXT);
    assert_eq!((read.org_ref, read.buyer.user_id, read.buyer.external_reference), (None, None, None));
}

#[test]
fn a_variant_that_was_not_given_whole_is_not_readable() {
    for variant in [json!(null), json!({"id": "variant-1"}), json!({"id": "variant-1", "metadata": null})] {
        let read = snapshot(|event| event["order"]["lines"][0]["variant"] = variant);
        assert!(!read.lines[0].has_variant);
        assert_eq!(read.lines[0].variant_id.as_deref(), Some("variant-1"));
    }
}

#[test]
fn a_refund_counts_once_money_moved_for_it() {
    let grant = |id: &str, amount: &str, quantity: i64| {
        let amount: serde_json::Number = amount.parse().unwrap();
        json!({"id": id, "amount": {"amount": amount}, "lines": [{"quantity": quantity, "orderLine": {"id": "line-1"}}]})
    };
    let refunded = |grants: &[Value], paid_back: f64, charge: &str| {
        let read = snapshot(|event| {
            event["order"]["grantedRefunds"] = json!(grants);
            event["order"]["totalRefunded"]["amount"] = json!(paid_back);
            event["order"]["chargeStatus"] = json!(charge);
        });
        read.lines[0].refunded_quantity
    };
    let one = [grant("a", "10.10", 1)];
    assert_eq!(refunded(&one, 0.0, "FULL"), 0);
    assert_eq!(refunded(&one, 10.09, "FULL"), 0);
    assert_eq!(refunded(&one, 10.1, "FULL"), 1);
    assert_eq!(refunded(&one, 0.0, "NONE"), 1);
    let equal = [grant("a", "10.10", 1), grant("c", "10.10", 1)];
    assert_eq!((refunded(&equal, 10.1, "FULL"), refunded(&equal, 20.2, "FULL")), (1, 2));
    // Money for one of two grants is counted for one of them.
    let mut two = [grant("b", "20.20", 2), grant("a", "10.10", 1)];
    assert_eq!(refunded(&two, 10.1, "FULL"), 1);
    two.reverse();
    assert_eq!(refunded(&two, 10.1, "FULL"), 1);
    assert_eq!(refunded(&two, 30.3, "FULL"), 3);
}

#[test]
fn what_came_back_counts_by_the_fulfilment() {
    for (status, units) in
        [("FULFILLED", 0), ("RETURNED", 2), ("REFUNDED", 2), ("REFUNDED_AND_RETURNED", 2), ("CANCELED", 0)]
    {
        let read = snapshot(|event| {
            event["order"]["fulfillments"] = json!([{"id": "f", "status": status, "lines": [
                {"quantity": 2, "orderLine": {"id": "line-1"}}, {"quantity": -5, "orderLine": {"id": "line-1"}},
                {"quantity": 1, "orderLine": {"id": "another"}}, {"quantity": 1, "orderLine": null},
            ]}]);
        });
        assert_eq!(read.lines[0].refunded_quantity, units, "{status}");
    }
}

#[test]
fn header_and_recipient_must_agree_with_the_body() {
    let event = changed(|_| {}).unwrap();
    event.check("order_fully_paid", None).unwrap();
    event.check("order_fully_paid", Some("app-1")).unwrap();
    for (header, app) in [("order_paid", None), ("OrderFullyPaid", None), ("order_fully_paid", Some("app-2"))]
    {
        assert!(matches!(event.check(header, app), Err(Error::EventMismatch { .. })), "{header}");
    }
    let nobody = changed(|event| event["recipient"] = Value::Null).unwrap();
    nobody.check("order_fully_paid", None).unwrap();
    assert!(matches!(nobody.check("order_fully_paid", Some("app-1")), Err(Error::EventMismatch { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::read(&body);
    }

    #[test]
    fn no_cut_or_flipped_body_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = event().to_string().into_bytes();
        let at = at.index(body.len());
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        let _ = Event::read(&body);
    }
}
