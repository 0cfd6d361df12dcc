//! An OpenAI-compatible server on loopback that answers byte by byte what a test says, and keeps what it was
//! asked. It has threads of its own, so that a test on one thread can wait for it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `POST /v1/chat/completions`.
    pub(crate) line: String,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// What goes out, and what comes after it.
pub(crate) struct Reply {
    bytes: Vec<Vec<u8>>,
    then: Then,
}

/// How an answer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The connection ends, which a body without a length takes for its end.
    Close,
    /// Nothing more comes; the connection stays until the other side leaves it.
    Silence,
}

impl Reply {
    pub(crate) fn raw(bytes: Vec<Vec<u8>>, then: Then) -> Self {
        Self { bytes, then }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string().as_bytes())
    }

    pub(crate) fn body(status: u16, kind: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
            body.len()
        );
        Self::raw(vec![head.into_bytes(), body.to_vec()], Then::Close)
    }

    /// A stream of server-sent events, each written by itself; it ends with the connection.
    pub(crate) fn stream(pieces: &[&str], then: Then) -> Self {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec());
        Self::raw(std::iter::once(head.as_bytes().to_vec()).chain(pieces).collect(), then)
    }
}

/// One chunk of a stream.
pub(crate) fn delta(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] })
    )
}

/// The chunks that end a stream.
pub(crate) fn end(input: u64, output: u64) -> String {
    let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": input, "completion_tokens": output } });
    format!("data: {stop}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

type Answer = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server; it ends with the process.
pub(crate) struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    left: Arc<Mutex<usize>>,
}

impl Upstream {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let answer: Arc<Answer> = Arc::new(answer);
        let (kept, gone) = (Arc::clone(&asked), Arc::clone(&left));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, kept, gone) = (Arc::clone(&answer), Arc::clone(&kept), Arc::clone(&gone));
                thread::spawn(move || serve(stream, answer.as_ref(), &kept, &gone));
            }
        });
        Self { address, asked, left }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many silent connections the other side has left.
    pub(crate) fn left(&self) -> usize {
        *self.left.lock().unwrap()
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, kept: &Mutex<Vec<Asked>>, left: &Mutex<usize>) {
    let Some(asked) = read(&stream) else { return };
    let reply = answer(&asked);
    kept.lock().unwrap().push(asked);
    for bytes in reply.bytes {
        if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
            break;
        }
    }
    if reply.then == Then::Silence {
        // Ends when the other side closes.
        let mut byte = [0_u8];
        stream.read_exact(&mut byte).ok();
        *left.lock().unwrap() += 1;
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0_u8; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, headers, body: serde_json::from_slice(&body).ok()? })
}
