//! A connection of which nothing is read too early.
//!
//! With STARTTLS (RFC 3207) encryption begins right after the line in which the mail server agrees. A client that reads
//! ahead keeps what stands behind that line, and takes it for what the server says encrypted: so whoever is on the way
//! could say, in clear, that a message is taken that never arrived. Until TLS begins a read gives one byte here, so that
//! nothing is behind the line that was read; what somebody put there reaches TLS, which ends the connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What TLS begins with: the type of a record with a handshake (RFC 8446, 5.1). No command of SMTP does.
const HANDSHAKE: u8 = 0x16;

/// See the module.
#[derive(Debug)]
pub(super) struct Unhurried {
    stream: TcpStream,
    /// Whether TLS has begun.
    encrypts: bool,
}

impl Unhurried {
    /// Connects to the first of the server's addresses that answers in time.
    pub(super) async fn connect(server: (&str, u16), patience: Duration) -> io::Result<Self> {
        let mut last = io::Error::other("its name leads to no address");
        for address in tokio::net::lookup_host(server).await? {
            match tokio::time::timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(Self { stream, encrypts: false }),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }
}

impl AsyncTokioStream for Unhurried {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Unhurried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.encrypts || buffer.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let mut one = [0_u8];
        let mut read = ReadBuf::new(&mut one);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Unhurried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.encrypts |= bytes.first() == Some(&HANDSHAKE);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
