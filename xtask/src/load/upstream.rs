//! An upstream that costs as little as one can: a fixed answer, connections kept open.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The model that answers
    #[arg(long, default_value = "bench")]
    model: String,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let listener =
        TcpListener::bind(args.listen).await.map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
    println!("{}", listener.local_addr().map_err(|e| format!("no address: {e}"))?);
    let body = Bytes::from(completion(&args.model));
    loop {
        // A connection that fails on accept is the client's loss; the next one is served.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, body.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    body: Bytes,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    // The request is read to its end: an upstream that answers early would make the proxy look better than it is.
    let mut incoming = request.into_body();
    while let Some(Ok(_)) = incoming.frame().await {}
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// About a kilobyte, in the shape of OpenAI's chat completions API, with usage.
fn completion(model: &str) -> String {
    let sentence =
        "The invoice was sent on the third of the month and is due within thirty days of that date. ";
    serde_json::json!({
        "id": "chatcmpl-benchmark0000000000000000",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": sentence.repeat(8), "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": 420, "completion_tokens": 160, "total_tokens": 580 },
    })
    .to_string()
}
