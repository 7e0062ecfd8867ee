//! Connections: HTTP by hyper, and the way below it where a behaviour needs one.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Shared,
    reply::{Body, Outcome, Step},
    respond::respond,
};

/// Bodies beyond this are not read; the request is recorded without one.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// Accepts until stopped.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, stop) = (shared.clone(), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        ended = connection(stream, shared) => {
                            if let Err(error) = ended {
                                tracing::debug!(%error, "a simulated connection ended");
                            }
                        }
                        () = stop.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a simulator could not accept a connection");
                // Out of file descriptors, most likely: without a wait this loop would spin.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection. A script ends HTTP on it: the socket is taken back and the script played.
async fn connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (send, mut scripts) = mpsc::unbounded_channel::<Vec<Step>>();
    let service = service_fn(move |request| serve(shared.clone(), send.clone(), request));
    let mut http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(std::time::Duration::from_secs(120))
        .serve_connection(TokioIo::new(stream), service);
    let script = tokio::select! {
        ended = &mut http => return ended.map_err(io::Error::other),
        script = scripts.recv() => script,
    };
    match script {
        Some(script) => play(http.into_parts().io.into_inner(), script).await,
        None => Ok(()),
    }
}

async fn serve(
    shared: Arc<Shared>,
    scripts: mpsc::UnboundedSender<Vec<Step>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let own = head.uri.path() == "/_received";
    if own && head.method == Method::GET {
        return Ok(received(&shared));
    }
    if own && head.method == Method::DELETE {
        shared.received.clear();
        return Ok(plain(StatusCode::NO_CONTENT, Bytes::new()));
    }
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        shared.received.add(&head, Bytes::new());
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, Bytes::from_static(b"{}")));
    };
    let body = body.to_bytes();
    shared.received.add(&head, body.clone());
    match respond(&shared, &head, &body) {
        Outcome::Answer(response) => Ok(response),
        Outcome::Silence => std::future::pending().await,
        Outcome::Script(script) => {
            // The connection holds the receiver for as long as it polls this future.
            let _sent = scripts.send(script);
            std::future::pending().await
        }
    }
}

fn received(shared: &Shared) -> Response<Body> {
    let requests = shared.received.all();
    let listed: Vec<_> = requests.iter().map(AsRef::as_ref).collect();
    match serde_json::to_vec(&listed) {
        Ok(json) => plain(StatusCode::OK, Bytes::from(json)),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"{}")),
    }
}

fn plain(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed());
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert("x-simulated", http::HeaderValue::from_static("true"));
    response
}

async fn play(mut stream: TcpStream, script: Vec<Step>) -> io::Result<()> {
    for step in script {
        match step {
            Step::Write(bytes) => stream.write_all(&bytes).await?,
            Step::Pause(time) => tokio::time::sleep(time).await,
            Step::Hang => {
                let mut ignored = [0; 256];
                while stream.read(&mut ignored).await? > 0 {}
                return Ok(());
            }
            Step::Reset => return stream.set_zero_linger(),
        }
    }
    stream.shutdown().await
}
