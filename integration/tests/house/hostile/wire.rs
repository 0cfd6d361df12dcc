//! A client that keeps to no rule: bytes straight onto a connection, HTTP/2 frames made by hand.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Nothing here takes so long; what hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GO_AWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// A connection to the public port.
pub(super) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends as much as the other end takes; it may hang up before the end.
pub(super) fn send(stream: &mut impl Write, bytes: &[u8]) {
    stream.write_all(bytes).ok();
    stream.flush().ok();
}

/// What comes until the other end hangs up. It must: it was asked to, or could not read what it was sent.
pub(super) fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => said,
        // Whoever hangs up with our bytes unread resets the connection.
        Err(error) => {
            let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!hangs, "it neither answers nor hangs up");
            said
        }
    }
}

/// The status lines of what was answered to HTTP/1.1.
pub(super) fn statuses(said: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(said);
    let lines = text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text.get(at + 9..at + 12));
    lines.filter_map(|code| code.parse().ok()).collect()
}

/// One HTTP/1.1 exchange; the statuses that came back.
pub(super) fn exchange(address: &str, request: &[u8]) -> Vec<u16> {
    let mut stream = connect(address);
    send(&mut stream, request);
    statuses(&rest(stream))
}

/// An HTTP/2 frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What kind the next frame is that comes, and of which stream.
pub(super) fn next_frame(stream: &mut impl Read) -> (u8, u32) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    let [a, b, c, kind, _, stream_id @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]);
    let skipped = std::io::copy(&mut stream.take(u64::from(length)), &mut std::io::sink()).unwrap();
    assert_eq!(skipped, u64::from(length));
    (kind, u32::from_be_bytes(stream_id) & 0x7fff_ffff)
}

/// The connection's beginning: the preface and no settings.
pub(super) fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes
}

/// A header block without compression.
pub(super) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            // Seven bits of the length, and where that is not enough the rest in groups of seven.
            let mut rest = text.len().saturating_sub(127);
            block.push(u8::try_from(text.len().min(127)).unwrap());
            while text.len() >= 127 {
                let last = rest < 128;
                block.push(u8::try_from(rest % 128).unwrap() | if last { 0 } else { 128 });
                rest /= 128;
                if last {
                    break;
                }
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The headers of a gRPC call.
pub(super) fn call(path: &str) -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "souk"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}

/// Zeros by the megabyte, in a gzip stream of a few hundred kilobytes: one byte, then the same again and again.
pub(super) fn bomb(zeros: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let (mut held, mut count) = (0_u32, 0);
    let mut put = |value: u32, bits: u32| {
        // Huffman codes stand with their first bit first.
        for bit in (0..bits).rev() {
            held |= ((value >> bit) & 1) << count;
            count += 1;
            if count == 8 {
                bytes.push(u8::try_from(held).unwrap());
                (held, count) = (0, 0);
            }
        }
    };
    put(0b1, 1);
    put(0b10, 2);
    put(0b0011_0000, 8);
    for _ in 0..zeros / 258 {
        put(0b1100_0101, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    bytes.extend([0; 8]);
    bytes
}
