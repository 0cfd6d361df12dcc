//! An in-memory connection between parts of one process: tonic's own HTTP/2 over a byte pipe, so that
//! together and apart differ in latency only.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
};
use tonic::transport::{Channel, Endpoint, Uri, server::Connected};

use crate::mesh::HEADERS;

/// Bytes that wait in one direction before the writer does.
const BUFFER: usize = 256 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: usize = 64;

/// The server's end of one connection.
pub(crate) struct Far(DuplexStream);

impl Connected for Far {
    type ConnectInfo = ();
    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Far {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Far {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Where clients make theirs.
#[derive(Clone)]
pub(crate) struct Socket(mpsc::Sender<Far>);

/// A pipe: the clients' side and the server's.
pub(crate) fn pipe() -> (Socket, mpsc::Receiver<Far>) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    (Socket(sender), receiver)
}

impl Socket {
    /// A channel over the pipe; it connects when first used and again after the server's end closed.
    pub(crate) fn channel(&self) -> Channel {
        let sender = self.0.clone();
        let connect = tower::service_fn(move |_: Uri| {
            let sender = sender.clone();
            async move {
                let (near, far) = duplex(BUFFER);
                let gone = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the part is not running");
                sender.send(Far(far)).await.map_err(gone)?;
                Ok::<_, io::Error>(TokioIo::new(near))
            }
        });
        Endpoint::from_static("http://pipe")
            .initial_connection_window_size(4 * 1024 * 1024)
            .initial_stream_window_size(1024 * 1024)
            .http2_max_header_list_size(HEADERS)
            .connect_with_connector_lazy(connect)
    }
}
