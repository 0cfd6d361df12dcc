//! The flows of the demo pass the check and answer.

use std::{fs, path::PathBuf};

use souk_runner::{Flow, Request, check, native};

fn demo(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../souk/demo/{name}.flow.json"))
}

fn answers(name: &str, text: &str) -> Vec<(String, String)> {
    let bytes = fs::read(demo(name)).unwrap();
    assert_eq!(check(&bytes), []);
    let request = Request { input_value: Some(text.into()), ..Request::default() };
    let outcome = native::run(&Flow::parse(&bytes).unwrap(), &request, &mut |_| {}).unwrap();
    outcome.outputs.into_iter().map(|own| (own.display_name, own.text)).collect()
}

#[test]
fn support_triage_gives_the_message_back() {
    assert_eq!(answers("support-triage", "hi {there}"), [("Triage reply".into(), "hi {there}".into())]);
}

#[test]
fn router_desk_takes_one_of_two_ways() {
    let refund = "Refund desk: we look at your request now.\nYou wrote: a REFUND please";
    assert_eq!(answers("router-desk", "a REFUND please"), [("Refund desk reply".into(), refund.into())]);
    let front = "Front desk: how can we help?\nYou wrote: opening hours?";
    assert_eq!(answers("router-desk", "opening hours?"), [("Front desk reply".into(), front.into())]);
}

#[test]
fn the_chat_assistant_passes_the_check_and_names_its_endpoint() {
    let bytes = fs::read(demo("chat-assistant")).unwrap();
    assert_eq!(check(&bytes), []);
    let flow = Flow::parse(&bytes).unwrap();
    let plan = native::Plan::new(&flow, &Request::default()).unwrap();
    let at = flow.nodes.iter().position(|node| native::Kind::of(&node.type_key) == Some(native::Kind::Model));
    assert_eq!(plan.step(at.unwrap()).unwrap().completion().unwrap().endpoint, "OPENAI_API_KEY");
    assert_eq!(plan.warnings(), Vec::<String>::new());
    assert_eq!(native::warnings(&flow), [], "nothing is said at publish either");
}
