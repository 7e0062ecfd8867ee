//! The load generator: closed loop (each connection asks as soon as it is answered) or paced.
//!
//! Paced, requests fall due at fixed times whether or not earlier ones are answered, and a latency counts from when
//! its request was *due*: a server that stalls is charged for all that waited (no coordinated omission). The pace is
//! kept by at most `--connections` connections; what falls due while all are busy waits, and the wait is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::Result;
use crate::latency::Latencies;

/// How long one answer may take before the connection is given up.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to ask, by POST
    url: Uri,
    /// The file with the request's body
    #[arg(long)]
    body: std::path::PathBuf,
    /// A header, as `name: value`; may be repeated
    #[arg(long = "header", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Connections held open
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How long to go on
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Requests a second over all connections; without it, as many as can be answered
    #[arg(long)]
    rate: Option<u32>,
}

fn header(text: &str) -> std::result::Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is `name: value`")?;
    let name = name.trim().parse::<HeaderName>().map_err(|e| e.to_string())?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|e| e.to_string())?))
}

/// What every connection asks, until when, and in what order requests fall due.
struct Plan {
    authority: String,
    path: String,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    ends: Instant,
    /// Of the paced run: when each request falls due, given as it does.
    due: Option<Mutex<mpsc::UnboundedReceiver<Instant>>>,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    latencies: Latencies,
    statuses: BTreeMap<u16, u64>,
    failures: u64,
    failure: Option<String>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let body = std::fs::read(&args.body).map_err(|e| format!("cannot read {}: {e}", args.body.display()))?;
    let seconds = Duration::try_from_secs_f64(args.seconds).map_err(|e| format!("--seconds: {e}"))?;
    let began = Instant::now();
    let plan = Arc::new(Plan {
        authority: args.url.authority().ok_or("the URL names no host")?.to_string(),
        path: args.url.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        body: body.into(),
        headers: args.headers,
        ends: began + seconds,
        due: args.rate.map(|rate| Mutex::new(pace(rate, began, began + seconds))),
    });
    let tasks: Vec<_> = (0..args.connections).map(|_| tokio::spawn(connection(plan.clone()))).collect();
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await.map_err(|e| format!("a connection's task ended: {e}"))?;
        all.latencies.extend(seen.latencies);
        all.failures += seen.failures;
        all.failure = all.failure.or(seen.failure);
        for (status, count) in seen.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
    }
    let result = json!({
        "requests": all.latencies.count(),
        "micros": u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "statuses": all.statuses,
        "failures": all.failures,
        "failure": all.failure,
        "latency_micros": all.latencies.summary(),
    });
    println!("{result}");
    Ok(())
}

/// Asks until the plan's end, over one connection that is opened again when it breaks.
async fn connection(plan: Arc<Plan>) -> Seen {
    let mut seen = Seen::default();
    let mut sender = None;
    while let Some(due) = due(&plan).await {
        let asked = tokio::time::timeout(LIMIT, ask(&plan, &mut sender)).await;
        match asked.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}"))) {
            Ok(status) => {
                seen.latencies.record(due.elapsed());
                *seen.statuses.entry(status).or_default() += 1;
            }
            Err(reason) => {
                seen.failures += 1;
                seen.failure.get_or_insert(reason);
                sender = None;
                // A server that is down refuses at once; do not spin on it.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    seen
}

/// Waits for the next request and tells when it fell due; nothing when the run is over.
async fn due(plan: &Plan) -> Option<Instant> {
    match &plan.due {
        None => Some(Instant::now()).filter(|now| *now < plan.ends),
        Some(due) => due.lock().await.recv().await,
    }
}

/// Tells when requests fall due, from a thread that sleeps: the runtime's timer counts in milliseconds.
fn pace(rate: u32, began: Instant, ends: Instant) -> mpsc::UnboundedReceiver<Instant> {
    let (send, receive) = mpsc::unbounded_channel();
    let gap = Duration::from_secs(1) / rate.max(1);
    std::thread::spawn(move || {
        for number in 0.. {
            let due = began + gap * number;
            if due >= ends {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if send.send(due).is_err() {
                return;
            }
        }
    });
    receive
}

async fn ask(plan: &Plan, sender: &mut Option<SendRequest<Full<Bytes>>>) -> Result<u16> {
    let sender = match sender {
        Some(open) if !open.is_closed() => open,
        closed => closed.insert(open(plan).await?),
    };
    let mut request = Request::post(&plan.path).header(http::header::HOST, &plan.authority);
    for (name, value) in &plan.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(plan.body.clone())).map_err(|e| format!("no such request: {e}"))?;
    sender.ready().await.map_err(|e| format!("the connection closed: {e}"))?;
    let mut response = sender.send_request(request).await.map_err(|e| format!("no answer: {e}"))?;
    while let Some(frame) = response.frame().await {
        frame.map_err(|e| format!("the answer broke off: {e}"))?;
    }
    Ok(response.status().as_u16())
}

async fn open(plan: &Plan) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(&plan.authority)
        .await
        .map_err(|e| format!("cannot reach {}: {e}", plan.authority))?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| format!("no HTTP at {}: {e}", plan.authority))?;
    tokio::spawn(connection);
    Ok(sender)
}
