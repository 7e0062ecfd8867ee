//! A client for small things: discovery documents, keys, tokens, whether a credential is taken. No redirect is followed,
//! every answer is bounded in time and size, and addresses pass the [guard](super::guard).

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::{ConnectError, Connector, Way};
use super::guard::Forbidden;
use crate::providers::client::{ClientError, Trust, tls_config};

/// Unused connections are kept this long, and so many for one host.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 4;

/// What one answer may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From the request to the end of the answer.
    pub time: Duration,
    /// Of the answer's body.
    pub bytes: usize,
}

impl Default for Bounds {
    /// 10 s and 1 MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(10), bytes: 1 << 20 }
    }
}

/// Why there is no answer. Holds no URL and no header.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address may not be reached.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// No connection, or one that broke.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// No whole answer in time.
    #[error("it did not answer within {} seconds", .0.as_secs())]
    Slow(Duration),
    /// More than is read.
    #[error("its answer has more than {0} bytes")]
    TooLong(usize),
}

/// The client. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Http(Client<Connector, Full<Bytes>>);

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Sets up the client; connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError`] where certificates do not fit.
    pub fn new(trust: Trust, way: &Way) -> Result<Self, ClientError> {
        let connector = Connector::new(tls_config(trust, None)?, way, Bounds::default().time / 2);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a request to an absolute URL; the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn send(
        &self,
        request: Request<Bytes>,
        bounds: &Bounds,
    ) -> Result<Response<Bytes>, OutboundError> {
        let whole = async {
            let answer =
                self.0.request(request.map(Full::new)).await.map_err(|error| before_answer(&error))?;
            let (head, mut body) = answer.into_parts();
            let mut read = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| OutboundError::Unreachable(error.to_string()))?;
                let Ok(data) = frame.into_data() else { continue };
                if read.len().saturating_add(data.len()) > bounds.bytes {
                    return Err(OutboundError::TooLong(bounds.bytes));
                }
                read.extend_from_slice(&data);
            }
            Ok(Response::from_parts(head, read.freeze()))
        };
        tokio::time::timeout(bounds.time, whole).await.map_err(|_| OutboundError::Slow(bounds.time))?
    }
}

fn before_answer(error: &legacy::Error) -> OutboundError {
    let mut cause = error.source();
    while let Some(current) = cause {
        match current.downcast_ref::<ConnectError>() {
            Some(ConnectError::Forbidden(forbidden)) => return (*forbidden).into(),
            Some(other) => return OutboundError::Unreachable(other.to_string()),
            None => cause = current.source(),
        }
    }
    OutboundError::Unreachable(error.to_string())
}
