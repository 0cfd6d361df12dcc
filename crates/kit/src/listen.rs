//! The public port's connections: how many there may be at once, and how long a stranger may hold one
//! without saying what they want. Without both, whoever connects and stays silent takes the files that
//! the databases and the repository need.
//!
//! Once a guest has spoken, HTTP's own limits hold: a time for the headers, pings for HTTP/2.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{Stream, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

/// Connections at once at the most, where the system gives as many files.
const MOST: u64 = 4096;
/// Files that are asked of the system.
const FILES: u64 = 16 * 1024;
/// How long a guest may keep it to themselves which protocol they speak.
const SILENCE: Duration = Duration::from_secs(10);
/// How long accepting rests after the system refused: it would refuse again at once.
const REST: Duration = Duration::from_millis(100);
/// How HTTP/2 begins; HTTP/1.1 is told from it by the first byte that differs.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many connections this process has room for: half of the files that the system gives it, which is
/// asked to give what it may.
#[must_use]
pub fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |most| most.min(FILES));
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
    {
        tracing::debug!(error = error.to_string(), "the system gives no more files");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(FILES);
    usize::try_from((files / 2).min(MOST)).unwrap_or(1).max(1)
}

/// Accepts guests, `most` at once; the others wait in the system's queue.
pub fn guests(listener: TcpListener, most: usize) -> impl Stream<Item = io::Result<Guest<TcpStream>>> {
    let places = Arc::new(Semaphore::new(most));
    stream::unfold((listener, places), async |(listener, places)| {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Small answers must not wait for more of them.
                    stream.set_nodelay(true).ok();
                    return Some((Ok(Guest::new(stream, place)), (listener, places)));
                }
                Err(error) => {
                    tracing::warn!(error = error.to_string(), "no connection accepted");
                    sleep(REST).await;
                }
            }
        }
    })
}

/// One connection, which gives its place back when it ends.
pub struct Guest<S> {
    stream: S,
    /// Until the guest has said which protocol they speak: when patience ends, and how much of the
    /// preface was heard.
    silent: Option<(Pin<Box<Sleep>>, usize)>,
    _place: OwnedSemaphorePermit,
}

impl<S> Guest<S> {
    fn new(stream: S, place: OwnedSemaphorePermit) -> Self {
        Self { stream, silent: Some((Box::pin(sleep(SILENCE)), 0)), _place: place }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let Some((_, heard)) = &mut self.silent else { return };
        for byte in bytes {
            if PREFACE.get(*heard) != Some(byte) {
                self.silent = None;
                return;
            }
            *heard += 1;
        }
        if *heard == PREFACE.len() {
            self.silent = None;
        }
    }
}

impl Connected for Guest<TcpStream> {
    type ConnectInfo = <TcpStream as Connected>::ConnectInfo;
    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            self.hear(buf.filled().get(before..).unwrap_or_default());
        } else if let Some((patience, _)) = &mut self.silent {
            ready!(patience.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guest<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn guest<S>(stream: S) -> Guest<S> {
        Guest::new(stream, Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap())
    }

    /// What a guest who says only this, and then nothing for an hour, comes to.
    async fn says(bytes: &[u8]) -> Result<usize, io::ErrorKind> {
        let (mut near, far) = duplex(64);
        let mut guest = guest(far);
        near.write_all(bytes).await.unwrap();
        let mut read = vec![0; 64];
        let mut count = 0;
        let all = async {
            loop {
                count += guest.read(&mut read).await.map_err(|error| error.kind())?;
            }
        };
        let ended: Result<Result<(), _>, _> = tokio::time::timeout(Duration::from_secs(3600), all).await;
        ended.unwrap_or(Ok(())).map(|()| count)
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_says_what_they_speak_is_sent_away() {
        assert_eq!(says(b"").await, Err(io::ErrorKind::TimedOut));
        assert_eq!(says(b"PRI * HTTP/2.0\r\n\r\n").await, Err(io::ErrorKind::TimedOut));
        for spoken in [b"G".as_slice(), b"POST / HTTP/1.1", PREFACE] {
            assert_eq!(says(spoken).await, Ok(spoken.len()), "{spoken:?}");
        }
    }

    #[tokio::test]
    async fn no_more_than_there_is_room_for_until_one_leaves() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut guests = std::pin::pin!(guests(listener, 1));
        let _waiting =
            [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let first = guests.next().await.unwrap().unwrap();
        assert!(futures::poll!(guests.next()).is_pending());
        drop(first);
        assert!(guests.next().await.unwrap().is_ok());
    }

    #[test]
    fn there_is_room() {
        assert!((1..=4096).contains(&room()));
    }
}
