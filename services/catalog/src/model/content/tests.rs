//! What a publisher may send, what is said of the rest, and that the name of a content is its content's.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { flow_bytes: 1000, plans: 3, config_bytes: 100 };

fn plan(slug: &str, self_service: bool) -> DraftPlan {
    DraftPlan { slug: slug.into(), display_name: "Plan".into(), self_service, ..DraftPlan::default() }
}

fn draft() -> Draft {
    let runs = || "runs".to_owned();
    Draft {
        flow: Bytes::from_static(b"{\"data\":{}}"),
        capabilities: vec!["web_widget.branding".into(), "rag".into()],
        connectors: vec!["slack".into()],
        config_json: r#"{"rag":{"top":3,"kb":"x"}}"#.into(),
        plans: vec![plan("free", true), plan("pro", false)],
        default_plan_slug: "free".into(),
        schedule: Some((
            vec![Price { dimension: runs(), amount_micros: 1_000_000, per: 1 }],
            vec![Quantity { dimension: runs(), quantity: 1 }],
        )),
    }
}

fn hash(draft: Draft) -> String {
    Content::new(draft, &LIMITS).unwrap().hash().unwrap().to_string()
}

fn wrong(draft: Draft) -> Vec<String> {
    Content::new(draft, &LIMITS).unwrap_err().into_iter().map(|violation| violation.field).collect()
}

#[test]
fn the_name_of_a_content_stays_for_ever() {
    let content = Content::new(draft(), &LIMITS).unwrap();
    let canonical = concat!(
        r#"{"artifact_hash":"7fb9d166d1a15bce0b9f085f3818946fd9297e4513a4a034a0ceb749292b4c0d","#,
        r#""capabilities":["rag","web_widget.branding"],"connectors":["slack"],"#,
        r#""config_json":"{\"rag\":{\"kb\":\"x\",\"top\":3}}","plans":["#,
        r#"{"slug":"free","display_name":"Plan","self_service":true,"config_json":"{}","#,
        r#""runs_per_minute":0,"input_bytes":0,"concurrent_runs":0,"included_credits":0},"#,
        r#"{"slug":"pro","display_name":"Plan","self_service":false,"config_json":"{}","#,
        r#""runs_per_minute":0,"input_bytes":0,"concurrent_runs":0,"included_credits":0}],"#,
        r#""default_plan_slug":"free","schedule":{"#,
        r#""prices":[{"dimension":"runs","amount_micros":1000000,"per":1}],"#,
        r#""default_estimate":[{"dimension":"runs","quantity":1}]}}"#
    );
    assert_eq!(serde_json::to_string(&content).unwrap(), canonical);
    // Of the line above, by sha256sum.
    let name = "03f79adc6f8774d0354517b596044fd14a5c5727bb6ff5b34060ea074d8b71cc";
    assert_eq!(content.hash().unwrap().as_str(), name);
}

#[test]
fn what_says_the_same_has_the_same_name() {
    let mut same = draft();
    same.capabilities = vec!["rag".into(), "web_widget.branding".into(), "rag".into()];
    same.config_json = r#" { "rag" : {"kb":"x", "top":3} } "#.into();
    same.plans.iter_mut().for_each(|plan| plan.config_json = "{ }".into());
    assert_eq!(hash(same), hash(draft()));
}

#[test]
fn every_part_of_a_content_is_in_its_name() {
    type Change = fn(&mut Draft);
    let changes: &[Change] = &[
        |draft| draft.flow = Bytes::from_static(b"{\"data\": {}}"),
        |draft| draft.capabilities.clear(),
        |draft| draft.connectors.clear(),
        |draft| draft.connectors.push("rag".into()),
        |draft| draft.config_json.clear(),
        |draft| draft.plans.reverse(),
        |draft| draft.plans[1].slug = "max".into(),
        |draft| draft.plans[1].display_name = "Other".into(),
        |draft| draft.plans[1].self_service = true,
        |draft| draft.plans[1].config_json = r#"{"rag":{}}"#.into(),
        |draft| draft.plans[1].runs_per_minute = 1,
        |draft| draft.plans[1].input_bytes = 1,
        |draft| draft.plans[1].concurrent_runs = 1,
        |draft| draft.plans[1].included_credits_micros = 1,
        |draft| draft.schedule.as_mut().unwrap().0[0].amount_micros = 2,
        |draft| draft.schedule.as_mut().unwrap().0[0].per = 2,
        |draft| draft.schedule.as_mut().unwrap().1[0].quantity = 2,
        |draft| {
            draft.plans[1].self_service = true;
            draft.default_plan_slug = "pro".into();
        },
    ];
    let mut names = BTreeSet::from([hash(draft())]);
    for (place, change) in changes.iter().enumerate() {
        let mut changed = draft();
        change(&mut changed);
        assert!(names.insert(hash(changed)), "change {place} has the name of another content");
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut bad = draft();
    bad.flow = Bytes::new();
    bad.capabilities = vec!["rag".into(), "Rag".into(), String::new()];
    bad.connectors = vec!["a".into(); 101];
    bad.config_json = "[]".into();
    bad.plans = vec![
        plan("pro", false),
        DraftPlan {
            slug: "pro".into(),
            config_json: "{".into(),
            runs_per_minute: -1,
            input_bytes: -1,
            concurrent_runs: -1,
            included_credits_micros: -1,
            ..DraftPlan::default()
        },
        DraftPlan { display_name: "a\nb".into(), ..plan("No Slug", true) },
    ];
    bad.default_plan_slug = "pro".into();
    bad.schedule = Some((Vec::new(), Vec::new()));
    let expected = [
        "flow_json",
        "capabilities[1]",
        "capabilities[2]",
        "connectors",
        "config_json",
        "plans[1].slug",
        "plans[1].display_name",
        "plans[1].limits.runs_per_minute",
        "plans[1].limits.input_bytes",
        "plans[1].limits.concurrent_runs",
        "plans[1].included_credits_micros",
        "plans[1].config_json",
        "plans[2].slug",
        "plans[2].display_name",
        "default_plan_slug",
        "price_schedule.prices",
        "price_schedule.default_estimate",
    ];
    assert_eq!(wrong(bad), expected);
}

#[test]
fn nothing_sent_is_said_field_by_field() {
    assert_eq!(wrong(Draft::default()), ["flow_json", "plans", "default_plan_slug", "price_schedule"]);
    let many = Draft { plans: vec![DraftPlan::default(); 10_000], ..draft() };
    assert_eq!(wrong(many), ["plans"]);
    let big = Draft { flow: Bytes::from(vec![b' '; 1001]), ..draft() };
    assert_eq!(wrong(big), ["flow_json"]);
    let none = Draft { default_plan_slug: "gold".into(), ..draft() };
    assert_eq!(wrong(none), ["default_plan_slug"]);
}

proptest! {
    #[test]
    fn any_texts_are_answered(texts in proptest::collection::vec("\\PC{0,70}", 6), number in any::<i64>()) {
        let mut any = draft();
        any.capabilities.push(texts[0].clone());
        any.config_json.clone_from(&texts[1]);
        any.plans[0].slug.clone_from(&texts[2]);
        any.plans[0].display_name.clone_from(&texts[3]);
        any.plans[0].included_credits_micros = number;
        any.default_plan_slug.clone_from(&texts[4]);
        let (prices, estimate) = any.schedule.as_mut().unwrap();
        prices[0].amount_micros = number;
        estimate[0].dimension.clone_from(&texts[5]);
        match Content::new(any, &LIMITS) {
            Ok(content) => prop_assert!(content.plans.iter().any(|plan| plan.self_service)),
            Err(wrong) => prop_assert!(!wrong.is_empty()),
        }
    }
}
