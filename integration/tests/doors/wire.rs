//! Calls any method by its name, with JSON for messages: over the public port, or on the operator's socket.

use std::sync::Mutex;

use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
    prost::Message as _,
};
use serde_json::Value;
use souk_kit::Refusal;
use souk_proto::FILE_DESCRIPTOR_SET;
use tokio::{runtime::Runtime, task::JoinSet};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{AsciiMetadataKey, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::program::Souk;

/// How long one call may take before the test gives up on it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A refusal, as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) code: Code,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) metadata: std::collections::BTreeMap<String, String>,
    /// Whether it says when to try again.
    pub(crate) again: bool,
}

impl No {
    fn of(status: &Status) -> Self {
        let refusal = Refusal::read("test", status);
        let message = status.message().to_owned();
        let again = refusal.retry_after.is_some();
        Self { code: status.code(), reason: refusal.reason, message, metadata: refusal.metadata, again }
    }

    /// Whether the first call with the same request id is still at work, and it is said when to ask again.
    pub(crate) fn is_in_progress(&self) -> bool {
        self.code == Code::Aborted && self.reason == "REQUEST_IN_PROGRESS" && self.again
    }
}

/// What a call came to: its answer (a stream's first message), or a refusal.
pub(crate) type Answer = Result<Value, No>;

/// One way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// Where the gateway listens.
    Public,
    /// `mesh.sock`.
    Socket,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) rpc: String,
    pub(crate) body: Value,
    /// Name and value, `authorization` among them.
    pub(crate) headers: Vec<(String, String)>,
}

/// The wires into a running platform.
pub(crate) struct Wire {
    pub(crate) runtime: Runtime,
    pool: DescriptorPool,
    public: Channel,
    socket: Channel,
    /// Calls whose answers nobody waits for.
    left: Mutex<JoinSet<Answer>>,
}

impl Wire {
    /// The wires into `souk`.
    pub(crate) fn to(souk: &Souk) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let lazy = |address: String| {
            let _entered = runtime.enter();
            Endpoint::from_shared(address).unwrap().connect_lazy()
        };
        let public = lazy(souk.url.clone());
        let socket = lazy(format!("unix:{}", souk.data().join("mesh.sock").display()));
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        Self { runtime, pool, public, socket, left: Mutex::default() }
    }

    /// Every method of the descriptor, as `souk.billing.v1.BillingService/TopUp`.
    pub(crate) fn methods(&self) -> Vec<String> {
        let services = self.pool.services().filter(|service| service.full_name().starts_with("souk."));
        let methods = services.flat_map(|service: ServiceDescriptor| {
            let name = service.full_name().to_owned();
            service.methods().map(move |method| format!("{name}/{}", method.name())).collect::<Vec<_>>()
        });
        let mut methods: Vec<_> = methods.collect();
        methods.sort();
        methods
    }

    fn method(&self, rpc: &str) -> MethodDescriptor {
        let (service, method) = rpc.split_once('/').unwrap_or_else(|| panic!("no method's name: {rpc}"));
        let service = self.pool.get_service_by_name(service).unwrap_or_else(|| panic!("no service of {rpc}"));
        service.methods().find(|found| found.name() == method).unwrap_or_else(|| panic!("no method {rpc}"))
    }

    /// Whether the request of a method carries a `request_id`.
    pub(crate) fn has_request_id(&self, rpc: &str) -> bool {
        self.method(rpc).input().get_field_by_name("request_id").is_some()
    }

    /// Sends one call and waits for its answer.
    pub(crate) fn call(&self, port: Port, sent: &Sent) -> Answer {
        self.runtime.block_on(self.send(port, sent.clone()))
    }

    /// Sends one call and lets it wait for its answer alone.
    pub(crate) fn call_and_leave(&self, port: Port, sent: Sent) {
        let sent = self.send(port, sent);
        self.left.lock().unwrap().spawn_on(sent, self.runtime.handle());
    }

    /// Sends the same call so many times at once.
    pub(crate) fn at_once(&self, port: Port, sent: &Sent, times: usize) -> Vec<Answer> {
        let all = (0..times).map(|_| self.send(port, sent.clone()));
        let all: JoinSet<_> = {
            let _entered = self.runtime.enter();
            all.collect()
        };
        self.runtime.block_on(all.join_all())
    }

    fn send(&self, port: Port, sent: Sent) -> impl Future<Output = Answer> + Send + 'static {
        let method = self.method(&sent.rpc);
        let channel = match port {
            Port::Public => self.public.clone(),
            Port::Socket => self.socket.clone(),
        };
        async move {
            let asked = ask(channel, &method, &sent);
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(answer) => answer.map_err(|status| No::of(&status)),
                Err(_) => panic!("{} did not answer", sent.rpc),
            }
        }
    }
}

async fn ask(channel: Channel, method: &MethodDescriptor, sent: &Sent) -> Result<Value, Status> {
    let body = DynamicMessage::deserialize(method.input(), sent.body.clone())
        .unwrap_or_else(|error| panic!("{}: {error}: {}", sent.rpc, sent.body));
    let mut request = Request::new(body);
    for (name, value) in &sent.headers {
        let value: MetadataValue<_> = value.parse().unwrap();
        request.metadata_mut().insert(name.parse::<AsciiMetadataKey>().unwrap(), value);
    }
    let path = format!("/{}", sent.rpc).parse().unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| panic!("{} has nobody to ask: {error}", sent.rpc)).unwrap();
    let codec = Json(method.output());
    let answer = if method.is_server_streaming() {
        let mut stream = client.server_streaming(request, path, codec).await?.into_inner();
        stream.message().await?.expect("a stream says something first")
    } else {
        client.unary(request, path, codec).await?.into_inner()
    };
    Ok(serde_json::to_value(&answer).unwrap())
}

/// Messages of any kind: those that come in are of this one.
#[derive(Clone)]
struct Json(MessageDescriptor);

impl Codec for Json {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Json {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(to).unwrap();
        Ok(())
    }
}

impl Decoder for Json {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        Ok(Some(DynamicMessage::decode(self.0.clone(), from).unwrap()))
    }
}
