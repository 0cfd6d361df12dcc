//! JSON at the door: one unary method asked and answered as ProtoJSON, refusals in the form that
//! `google.rpc.Status` has in JSON. The part that is called sees the same bytes as from a gRPC caller.

use axum::{Json, response::IntoResponse};
use bytes::{Buf as _, BufMut as _, Bytes};
use http::{HeaderValue, StatusCode, header};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
    prost::Message as _,
};
use serde_json::{Value, json};
use souk_kit::status;
use souk_types::{Fault, Reason, Violation};
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use tonic_types::StatusExt as _;

use super::door::Response;

/// What a refusal's details are called in JSON.
const TYPES: &str = "type.googleapis.com/google.rpc";

/// A method that the door can ask in JSON.
#[derive(Clone)]
pub(crate) struct Method {
    path: http::uri::PathAndQuery,
    /// The part that serves it.
    part: &'static str,
    asks: MessageDescriptor,
    answers: MessageDescriptor,
}

impl Method {
    /// The EDGE method of this path.
    pub(crate) fn find(path: &'static str) -> Result<Self, Fault> {
        let bug = |text: String| Fault::bug("gateway", text);
        let pool = DescriptorPool::decode(souk_proto::EDGE_FILE_DESCRIPTOR_SET);
        let pool = pool.map_err(|error| bug(error.to_string()))?;
        let mut methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let method = methods
            .find(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()) == path);
        let method = method.ok_or_else(|| bug(format!("{path} is no method of the edge")))?;
        let rule = souk_proto::rule(path).ok_or_else(|| bug(format!("{path} has no rule")))?;
        Ok(Self {
            path: http::uri::PathAndQuery::from_static(path),
            part: rule.part,
            asks: method.input(),
            answers: method.output(),
        })
    }

    /// Reads a request from JSON. A field that the message does not have is refused by name.
    pub(crate) fn read(&self, body: &Value) -> Result<Bytes, Fault> {
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let message = DynamicMessage::deserialize_with_options(self.asks.clone(), body, &options);
        let message = message.map_err(|error| unreadable(&error.to_string()))?;
        Ok(message.encode_to_vec().into())
    }

    /// Asks the part; `token` says who calls.
    pub(crate) async fn ask(&self, channel: Channel, token: &str, body: Bytes) -> Result<Value, Status> {
        let mut request = tonic::Request::new(body);
        let bearer = format!("Bearer {token}").parse();
        let bearer = bearer.map_err(|_| status(Fault::bug("gateway", "a token is no header value")))?;
        request.metadata_mut().insert("authorization", bearer);
        let mut client = Grpc::new(channel);
        let away = |error: tonic::transport::Error| {
            let fault = Fault::new(Reason::Unavailable, "gateway", "the part does not answer");
            status(fault.retry_in(std::time::Duration::from_secs(1)).because(error))
        };
        client.ready().await.map_err(away)?;
        let answer = client.unary(request, self.path.clone(), AsTheyAre).await;
        let answer = answer.map_err(|refused| lost(refused, self.part))?.into_inner();
        let bug = |text: String| status(Fault::bug("gateway", text));
        let message = DynamicMessage::decode(self.answers.clone(), answer);
        let message = message.map_err(|error| bug(error.to_string()))?;
        let options = SerializeOptions::new().skip_default_fields(false);
        message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .map_err(|error| bug(error.to_string()))
    }
}

/// What a part refused, as it is; where nobody answered, the channel's own status says nothing that a caller
/// could use.
fn lost(refused: Status, part: &'static str) -> Status {
    let from_channel = std::error::Error::source(&refused).is_some() && refused.details().is_empty();
    if !from_channel {
        return refused;
    }
    let late = refused.code() == Code::DeadlineExceeded || refused.code() == Code::Cancelled;
    let reason = if late { Reason::DeadlineExceeded } else { Reason::Unavailable };
    let text = if late { "did not answer in time" } else { "does not answer" };
    let fault = Fault::new(reason, "gateway", format!("{part} {text}")).with("part", part);
    let fault = if late { fault } else { fault.retry_in(std::time::Duration::from_secs(1)) };
    status(fault.because(refused))
}

/// A body that is not the JSON that the method takes.
pub(crate) fn unreadable(problem: &str) -> Fault {
    Fault::invalid("gateway", vec![Violation::new("body", problem)])
}

/// Messages whose bytes are passed on without being read.
struct AsTheyAre;

impl Codec for AsTheyAre {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A refusal as JSON: `{"error": {"code", "status", "message", "details"}}`.
pub(crate) fn refused(status: &Status) -> Response {
    let mut code = http_code(status.code());
    let name = souk_kit::guard::name(status.code());
    let mut details = Vec::new();
    if let Some(info) = status.get_details_error_info() {
        if info.reason == Reason::MessageTooLarge.as_str() {
            // What HTTP's 429 asks for, to come again later, would not help.
            code = StatusCode::PAYLOAD_TOO_LARGE;
        }
        let metadata: std::collections::BTreeMap<_, _> = info.metadata.into_iter().collect();
        details.push(json!({"@type": format!("{TYPES}.ErrorInfo"),
            "reason": info.reason, "domain": info.domain, "metadata": metadata}));
    }
    if let Some(bad) = status.get_details_bad_request() {
        let violations = bad.field_violations.into_iter();
        let violations: Vec<_> = violations
            .map(|violation| json!({"field": violation.field, "description": violation.description}))
            .collect();
        details.push(json!({"@type": format!("{TYPES}.BadRequest"), "fieldViolations": violations}));
    }
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    if let Some(after) = after {
        let seconds = format!("{}.{:03}s", after.as_secs(), after.subsec_millis());
        details.push(json!({"@type": format!("{TYPES}.RetryInfo"), "retryDelay": seconds}));
    }
    let error =
        json!({"code": code.as_u16(), "status": name, "message": status.message(), "details": details});
    let mut response = (code, Json(json!({ "error": error }))).into_response();
    if let Some(after) = after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The HTTP status of a gRPC code, as `google.rpc.Code` documents it.
const fn http_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // 499: the caller left; no name in the registry.
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn create_run() -> Method {
        Method::find("/souk.runs.v1.RunsService/CreateRun").unwrap()
    }

    #[test]
    fn only_methods_of_the_edge_are_found() {
        assert!(Method::find("/souk.billing.v1.BillingService/TopUp").is_err(), "MESH");
        assert!(Method::find("/souk.runs.v1.RunsService/Nothing").is_err());
        create_run();
    }

    #[test]
    fn json_becomes_the_bytes_that_a_grpc_caller_sends() {
        use prost_reflect::prost::Message as _;
        use souk_proto::souk::runs::v1::CreateRunRequest;

        let body = json!({"instanceId": "ins_1", "requestId": "r", "input": "é"});
        let read = CreateRunRequest::decode(create_run().read(&body).unwrap()).unwrap();
        assert_eq!((read.instance_id.as_str(), read.request_id.as_str()), ("ins_1", "r"));
        assert_eq!(read.input, "é");
        for bad in [json!({"instance": "x"}), json!({"input": 3}), json!([]), json!("x"), json!(null)] {
            let fault = create_run().read(&bad).unwrap_err();
            assert_eq!(fault.reason, Reason::InvalidArgument, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_part_that_does_not_answer_is_said_to_be_away() {
        let nobody = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let refused = create_run().ask(nobody, "t", Bytes::new()).await.unwrap_err();
        let info = refused.get_details_error_info().unwrap();
        assert_eq!((refused.code(), info.reason.as_str()), (Code::Unavailable, "UNAVAILABLE"));
        assert_eq!(info.metadata["part"], "runs");
        assert!(refused.get_details_retry_info().is_some() && !refused.message().contains("os error"));
    }

    #[tokio::test]
    async fn a_refusal_says_reason_fields_and_when_to_come_again() {
        let mut fault = Fault::invalid("runs", vec![Violation::new("input", "too long")]);
        fault = fault.with("limit", 5).retry_in(std::time::Duration::from_millis(1500));
        let response = refused(&status(fault));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let error = &body["error"];
        assert_eq!((error["status"].as_str(), error["code"].as_u64()), (Some("INVALID_ARGUMENT"), Some(400)));
        assert_eq!(error["details"][0]["reason"], "INVALID_ARGUMENT");
        assert_eq!(error["details"][0]["metadata"]["limit"], "5");
        assert_eq!(error["details"][1]["fieldViolations"][0]["field"], "input");
        assert_eq!(error["details"][2]["retryDelay"], "1.500s");
    }
}
