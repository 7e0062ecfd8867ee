//! A deadline for the first bytes of a connection. Until they are there the server does not know which version of HTTP it
//! speaks, and none of that version's own deadlines runs: whoever connects and says nothing would hold a connection for
//! ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What tells the version: the length of HTTP/2's preface (RFC 9113, section 3.4). No request with a host is shorter.
const PREFACE: usize = 24;

/// A stream whose first bytes have to come in time; reading from one that is late fails.
#[derive(Debug)]
pub(super) struct FirstBytes<S> {
    stream: S,
    lacks: usize,
    /// `None` once they are there.
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> FirstBytes<S> {
    pub(super) fn within(limit: Duration, stream: S) -> Self {
        Self { stream, lacks: PREFACE, late: Some(Box::pin(sleep(limit))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(late) = &mut self.late {
            if read.is_pending() {
                ready!(late.as_mut().poll(cx));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "it says nothing")));
            }
            self.lacks = self.lacks.saturating_sub(buffer.filled().len().saturating_sub(before));
            if self.lacks == 0 {
                self.late = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn whoever_says_too_little_is_cut_off_and_who_has_spoken_may_be_silent() {
        for said in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n"] {
            let (mut client, server) = duplex(1_024);
            let mut server = FirstBytes::within(LIMIT, server);
            client.write_all(said.as_bytes()).await.unwrap();
            let mut heard = vec![0; said.len()];
            server.read_exact(&mut heard).await.unwrap();
            let began = tokio::time::Instant::now();
            let late = server.read_u8().await.unwrap_err();
            assert_eq!((late.kind(), began.elapsed() >= LIMIT), (io::ErrorKind::TimedOut, true), "{said:?}");
        }
        let (mut client, server) = duplex(1_024);
        let mut server = FirstBytes::within(LIMIT, server);
        let spoken = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(spoken).await.unwrap();
        server.read_exact(&mut [0; 27]).await.unwrap();
        assert!(tokio::time::timeout(LIMIT * 3, server.read_u8()).await.is_err(), "it is waited for");
    }
}
