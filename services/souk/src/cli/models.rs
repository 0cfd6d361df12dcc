//! `souk model …`.

use std::{io::Read as _, path::PathBuf};

use clap::{Args, Subcommand};
use souk_proto::souk::{
    models::v1::{
        DeleteModelEndpointRequest, ListModelEndpointsRequest, ModelEndpoint, PutModelEndpointRequest,
        models_service_client::ModelsServiceClient,
    },
    runner::v1::{
        TestModelEndpointRequest, TestModelEndpointResponse, runner_service_client::RunnerServiceClient,
    },
};

use super::{
    output::{Failure, Output, table},
    remote::Remote,
};

const ENDPOINT: &str = "souk.models.v1.ModelEndpoint";
/// The largest key file, in bytes.
const KEY_FILE: u64 = 16 * 1024;

/// `souk model …`.
#[derive(Subcommand)]
pub(crate) enum Model {
    /// Add a model endpoint, or replace the one of that name. Its key goes to the secret store and is never
    /// shown again.
    Add(Add),
    /// List the model endpoints.
    Ls,
    /// Ask an endpoint one short question, as a run would; its provider charges for it.
    Test {
        /// Its name.
        name: String,
        /// The model to ask for [default: the endpoint's].
        #[arg(long, default_value = "", value_name = "MODEL", hide_default_value = true)]
        model: String,
    },
    /// Delete a model endpoint and its key. Runs that name it fail from then on.
    Rm {
        /// Its name.
        name: String,
    },
}

/// `souk model add`.
#[derive(Args)]
pub(crate) struct Add {
    /// What flows call it, such as `OPENAI_API_KEY`.
    name: String,
    /// Its base URL, such as `https://api.openai.com/v1`; http for 127.0.0.1 and localhost alone.
    #[arg(long)]
    url: String,
    /// A file that holds the key; `-` reads standard input. Without it the endpoint has no key, or keeps the
    /// one it has.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The model that is asked where a flow names none.
    #[arg(long, value_name = "MODEL", default_value = "")]
    default_model: String,
    /// A model that it may be asked for; given again for more [default: any].
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
}

pub(crate) async fn run(remote: &Remote, ask: Model, output: &Output) -> Result<(), Failure> {
    let mut client = ModelsServiceClient::new(remote.channel()?);
    match ask {
        Model::Add(add) => {
            let request = PutModelEndpointRequest {
                name: add.name,
                request_id: remote.request_id(""),
                url: add.url,
                api_key: key(add.key_file)?,
                models: add.models,
                default_model: add.default_model,
            };
            let put = client.put_model_endpoint(request).await?.into_inner();
            let endpoint = put.model_endpoint.unwrap_or_default();
            output.message(ENDPOINT, &endpoint, |endpoint| {
                let key = if endpoint.has_key { "with a key" } else { "without a key" };
                format!("{}  {}  {key}", endpoint.name, endpoint.url)
            })
        }
        Model::Ls => {
            let ask = ListModelEndpointsRequest { page_size: 1000, page_token: String::new() };
            let page = client.list_model_endpoints(ask).await?.into_inner();
            output.message("souk.models.v1.ListModelEndpointsResponse", &page, |page| {
                let rows: Vec<_> = page.model_endpoints.iter().map(row).collect();
                table(&["NAME", "URL", "DEFAULT MODEL", "KEY"], &rows)
            })
        }
        Model::Test { name, model } => test(remote, name, model, output).await,
        Model::Rm { name } => {
            let ask = DeleteModelEndpointRequest { name: name.clone(), request_id: remote.request_id("") };
            let gone = client.delete_model_endpoint(ask).await?.into_inner();
            output.message("souk.models.v1.DeleteModelEndpointResponse", &gone, |_| format!("deleted {name}"))
        }
    }
}

async fn test(remote: &Remote, name: String, model: String, output: &Output) -> Result<(), Failure> {
    let mut client = RunnerServiceClient::new(remote.channel()?);
    let ask = TestModelEndpointRequest { name: name.clone(), model };
    let tested = client.test_model_endpoint(ask).await?.into_inner();
    if tested.ok || output.is_json() {
        output
            .message("souk.runner.v1.TestModelEndpointResponse", &tested, |tested| answered(&name, tested))?;
    }
    match tested.ok {
        true => Ok(()),
        false => {
            let told = format!("{} (after {} ms)", tested.message, tested.latency_millis);
            Err(Failure::new(told).reason(&tested.reason))
        }
    }
}

/// An endpoint that answers, in two lines.
fn answered(name: &str, tested: &TestModelEndpointResponse) -> String {
    // Whoever runs the endpoint must not steer the operator's terminal.
    let plain = |text: &str| text.chars().map(|c| if steers(c) { ' ' } else { c }).collect::<String>();
    let model = if tested.model.is_empty() { "model not said".to_owned() } else { plain(&tested.model) };
    let used = match (tested.input_tokens, tested.output_tokens) {
        (0, 0) => "tokens not counted".to_owned(),
        (input, output) => format!("{input} tokens in, {output} out"),
    };
    format!(
        "{name}  ok  {} ms  {model}  {used}\nanswer: {}",
        tested.latency_millis,
        plain(&tested.text).trim()
    )
}

/// Whether a character moves what a terminal shows: control characters, and those that turn the direction.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn row(endpoint: &ModelEndpoint) -> Vec<String> {
    let key = if endpoint.has_key { "kept" } else { "none" };
    vec![endpoint.name.clone(), endpoint.url.clone(), endpoint.default_model.clone(), key.to_owned()]
}

/// The key that a file holds, without the line break that editors put at its end. A key is never taken from
/// the command line, where everybody on the machine can read it.
fn key(file: Option<PathBuf>) -> Result<String, Failure> {
    let Some(path) = file else { return Ok(String::new()) };
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(KEY_FILE).read_to_string(&mut text),
        false => std::fs::File::open(&path).and_then(|file| file.take(KEY_FILE).read_to_string(&mut text)),
    };
    read.map_err(failed)?;
    let key = text.trim();
    if key.is_empty() {
        return Err(Failure::new(format!("{} holds no key", path.display())));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_does_not_say_is_not_made_up() {
        let silent = TestModelEndpointResponse { ok: true, latency_millis: 7, ..Default::default() };
        assert_eq!(answered("A", &silent), "A  ok  7 ms  model not said  tokens not counted\nanswer: ");
        let told = TestModelEndpointResponse {
            model: "m-1".into(),
            input_tokens: 9,
            output_tokens: 1,
            text: "OK\n".into(),
            ..silent
        };
        assert_eq!(answered("A", &told), "A  ok  7 ms  m-1  9 tokens in, 1 out\nanswer: OK");
        let steering = TestModelEndpointResponse {
            text: "\u{1b}[2JO\r\nK\u{202e}".into(),
            model: "m\u{9b}1".into(),
            ..told
        };
        assert_eq!(answered("A", &steering), "A  ok  7 ms  m 1  9 tokens in, 1 out\nanswer: [2JO  K");
    }

    #[test]
    fn a_key_file_is_read_without_its_line_end_and_must_hold_something() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "sk-1\n").unwrap();
        assert_eq!(key(Some(path.clone())).ok().unwrap(), "sk-1");
        std::fs::write(&path, "\n").unwrap();
        assert!(key(Some(path)).is_err());
        assert!(key(Some(dir.path().join("absent"))).is_err());
        assert_eq!(key(None).ok().unwrap(), "");
    }
}
