//! An instance at its own address, as curl asks it.

use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::harness::Souk;

fn curl() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The reason and the HTTP status of a refusal.
async fn refusal(response: Response) -> (u16, String) {
    let code = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], code, "{body}");
    (code, body["error"]["details"][0]["reason"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_instance_is_run_at_its_own_address() {
    let souk = Souk::up();
    let token = souk.sign_in_as("ann@example.org");
    let owner = |words: &[&str]| souk.cli_as(&token, &[words, &["--json"]].concat()).json();
    owner(&["workspace"]);
    let activated = owner(&["instances", "activate", "support-triage"]);
    let instance = activated["instanceId"].as_str().unwrap();
    assert!(souk.cli_as(&token, &["instances", "watch", instance, "--until", "ACTIVE"]).ok);
    let path = owner(&["instances", "get", instance])["path"].as_str().unwrap().to_owned();
    assert_eq!(path, format!("/i/{instance}"));
    let address = format!("{}{path}/run", souk.url);
    let curl = curl();
    let ask = || curl.post(&address).bearer_auth(&token);

    let plain = ask().header(header::CONTENT_TYPE, "text/plain").body("my parcel is late").send();
    let plain = plain.await.unwrap();
    assert_eq!(plain.status(), StatusCode::OK);
    assert!(plain.headers().contains_key("idempotency-key"), "the minted id is told");
    let plain: Value = plain.json().await.unwrap();
    assert_eq!(plain["run"]["output"], "my parcel is late");
    assert_eq!(plain["run"]["state"], "STATE_SUCCEEDED");

    let again = || ask().header("idempotency-key", "once").json(&json!({"input": "hello"})).send();
    let (first, second): (Value, Value) =
        (again().await.unwrap().json().await.unwrap(), again().await.unwrap().json().await.unwrap());
    assert_eq!(first["run"]["runId"], second["run"]["runId"], "one run for one id");
    let other = ask().header("idempotency-key", "once").json(&json!({"input": "other"}));
    assert_eq!(refusal(other.send().await.unwrap()).await, (409, "REQUEST_ID_REUSED".into()));

    let nobody = curl.post(&address).body("x").send().await.unwrap();
    assert_eq!(refusal(nobody).await, (401, "TOKEN_MISSING".into()));
    let stranger = souk.sign_in_as("mallory@example.org");
    let stranger = curl.post(&address).bearer_auth(stranger).body("x").send().await.unwrap();
    assert_eq!(refusal(stranger).await, (404, "INSTANCE_NOT_FOUND".into()));
    for odd in ["ins_00000000000000000000000000", "x", "ins_1/../..", "%00"] {
        let url = format!("{}/i/{odd}/run", souk.url);
        let answer = curl.post(url).bearer_auth(&token).body("x").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{odd}");
    }
    let form = ask().form(&[("input", "x")]).send().await.unwrap();
    assert_eq!(refusal(form).await, (400, "INVALID_ARGUMENT".into()));
    let looked = curl.get(&address).bearer_auth(&token).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::NOT_FOUND, "only POST runs");
}
