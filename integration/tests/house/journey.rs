//! The paths that must always work, as a person walks them on the command line.

use serde_json::Value;

use crate::harness::Souk;

fn micros(value: &Value) -> i64 {
    value.as_str().unwrap_or_else(|| panic!("no amount: {value}")).parse().unwrap()
}

fn state(value: &Value) -> &str {
    value["state"].as_str().unwrap().trim_start_matches("STATE_")
}

#[test]
fn run_now_from_an_empty_directory() {
    let souk = Souk::up();
    let workspace = souk.json(&["workspace"]);
    assert_eq!(micros(&workspace["walletBalanceMicros"]), 1_000_000_000);
    let again = souk.json(&["workspace"]);
    assert_eq!(again["orgId"], workspace["orgId"], "one workspace a user, one trial");
    assert_eq!(micros(&again["walletBalanceMicros"]), 1_000_000_000);

    let offerings = souk.json(&["offerings", "ls"]);
    let slugs: Vec<_> =
        offerings["offerings"].as_array().unwrap().iter().map(|o| o["slug"].clone()).collect();
    assert_eq!(slugs, ["chat-assistant", "router-desk", "support-triage"]);

    let activated = souk.json(&["instances", "activate", "support-triage"]);
    let instance = activated["instanceId"].as_str().unwrap();
    let watched = souk.cli(&["instances", "watch", instance, "--until", "ACTIVE", "--json"]);
    assert!(watched.ok, "{}", watched.err);
    let last: Value = serde_json::from_str(watched.out.lines().last().unwrap()).unwrap();
    assert_eq!(state(&last), "ACTIVE");
    for condition in ["AccountOpen", "Committed", "Applied"] {
        let found = last["conditions"].as_array().unwrap().iter().find(|c| c["type"] == condition);
        assert_eq!(found.expect(condition)["status"], "STATUS_TRUE", "{condition}");
    }
    let again = souk.json(&["instances", "activate", "support-triage"]);
    assert_eq!(again["instanceId"], instance, "once per project and offering");

    let run = souk.json(&["run", instance, "my parcel is late"]);
    assert_eq!((state(&run), run["output"].as_str().unwrap()), ("SUCCEEDED", "my parcel is late"));
    let (charged, balance) = (micros(&run["chargedMicros"]), micros(&run["balanceMicros"]));
    assert!(charged >= 1_000_000, "a run costs one credit and its tokens: {charged}");
    assert_eq!(charged + balance, 1_000_000_000);
    assert!(run["receiptId"].as_str().unwrap().starts_with("rcp_"));
    let wallet = souk.json(&["wallet"]);
    assert_eq!(micros(&wallet["availableMicros"]), balance);
    assert_eq!(micros(&wallet["reservedMicros"]), 0);
    let ledger = souk.json(&["ledger"]);
    let sum: i64 =
        ledger["ledgerEntries"].as_array().unwrap().iter().map(|e| micros(&e["amountMicros"])).sum();
    assert_eq!(sum, balance, "the wallet is the sum of its entries");
}

#[test]
fn a_restart_keeps_everything_and_a_second_start_hears_who_holds_the_directory() {
    let mut souk = Souk::up();
    let workspace = souk.json(&["workspace"]);
    souk.json(&["instances", "activate", "router-desk"]);
    assert!(souk.cli(&["instances", "watch", "router-desk", "--until", "ACTIVE"]).ok);

    let second = souk.cli(&["up", "--listen", "127.0.0.1:0"]);
    assert!(!second.ok);
    assert!(second.err.contains("is held by process"), "{}", second.err);

    assert!(souk.terminate(), "a clean end");
    souk.start(&[]);
    assert_eq!(souk.json(&["workspace"])["orgId"], workspace["orgId"]);
    assert_eq!(souk.json(&["offerings", "ls"])["offerings"].as_array().unwrap().len(), 3, "seeded once");
    let run = souk.json(&["run", "router-desk", "hello"]);
    assert_eq!(state(&run), "SUCCEEDED");
}

#[test]
fn nothing_is_seeded_when_nothing_is_wanted() {
    let souk = Souk::up_with(&["--no-demo"]);
    assert_eq!(souk.json(&["offerings", "ls"])["offerings"], Value::Array(vec![]));
}

#[test]
fn a_public_address_without_tls_is_refused_and_mistakes_are_said_at_once() {
    let souk = Souk::up_with(&["--no-demo"]);
    let public = souk.cli(&["up", "--listen", "0.0.0.0:0"]);
    assert!(!public.ok && public.err.contains("--insecure-public"), "{}", public.err);
    let config = souk.scratch().join("bad.toml");
    std::fs::write(&config, "[gateway]\nfoo = 1\naccess_token_seconds = 1\n[nope]\n").unwrap();
    let bad = souk.cli(&["up", "--config", config.to_str().unwrap()]);
    for word in ["foo", "access_token_seconds", "[nope]"] {
        assert!(bad.err.contains(word), "{word}: {}", bad.err);
    }
}

#[test]
fn another_person_sees_nothing_of_it() {
    let souk = Souk::up();
    souk.json(&["workspace"]);
    let instance = souk.json(&["instances", "activate", "support-triage"])["instanceId"].clone();
    let stranger = souk.sign_in_as("mallory@example.org");
    let words = ["run", instance.as_str().unwrap(), "hello", "--json"];
    let told = souk.cli_as(&stranger, &words);
    assert!(!told.ok && told.err.contains("INSTANCE_NOT_FOUND"), "{}", told.err);
    let told = souk.cli_as(&stranger, &["offerings", "publish", "/dev/null", "--json"]);
    assert!(!told.ok, "{}", told.out);
    let told = souk.cli_as(&stranger, &["orders", "ls", "--json"]);
    assert!(told.err.contains("PERMISSION_DENIED"), "{}", told.err);
    assert!(souk.cli_as("souk_sk_bad", &["whoami", "--json"]).err.contains("TOKEN_INVALID"));
}
