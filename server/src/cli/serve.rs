//! `bailiwick serve`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Failed, Output, asked_to_end, on_workers, workers};
use crate::app::{
    Act, App, Config, DatabaseUrl, StartError, metrics_recorder, router, serve_on, write_private,
};
use crate::audit::AuditOpenError;
use crate::identity::{ServiceTokenText, create_token, new_setup_link};
use crate::store;
use crate::transfer::checkpoints_in;

/// How long a replica that was stopped waits before it tries again to begin anew.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The configuration; defaults where absent
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database, in place of what the configuration says: a URL with a password is better kept in the variable
    #[arg(long, env = "BAILIWICK_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
    /// A file with the last checkpoint that somebody holds: a checkpoint, an export or a receipt; nothing is served if
    /// the log does not hold all that it signs. May be given several times
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
}

pub(super) fn run(args: ServeArgs, output: Output) -> Result<(), Failed> {
    let mut config = match &args.config {
        Some(path) => Config::read(path).map_err(StartError::from)?,
        None => Config::default(),
    };
    config.database_url = args.database_url.or(config.database_url);
    for path in &args.checkpoint {
        config.checkpoints.push((format!("the checkpoint in {}", path.display()), checkpoints_in(path)?));
    }
    config.check().map_err(StartError::from)?;
    let workers = config.workers.map_or_else(|| workers(config.on_sqlite()), NonZeroUsize::get);
    on_workers(workers, serve(config, output))
}

async fn serve(config: Config, output: Output) -> Result<(), Failed> {
    let end = asked_to_end()?;
    let grace = Duration::from_secs(config.limits.shutdown_seconds);
    let tls = config.tls.clone();
    let socket = std::net::TcpListener::bind(config.listen)
        .map_err(Failed::io(format!("cannot listen on {}", config.listen)))?;
    let bound = socket.local_addr().map_err(Failed::io("the socket has no address"))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"));
    let metrics = metrics_recorder();
    let mut end = std::pin::pin!(end);
    let mut app = App::open(config.clone(), None).await?;
    Box::pin(first_run(&app, &url, output)).await?;
    loop {
        let socket = socket.try_clone().map_err(Failed::io("the socket cannot be served"))?;
        let listening = serve_on(socket, tls.as_ref(), router(&app, &url, metrics.clone()))?;
        output.note(&format!("bailiwick serves {url}"));
        let fenced = tokio::select! {
            () = &mut end => false,
            () = app.fenced.cancelled() => true,
        };
        if !fenced {
            output.note("stopping: open requests are finished and the audit log is signed");
            app.gateway.stopping_live.cancel();
            let began = std::time::Instant::now();
            listening.stop(grace).await;
            // What is left of it: one grace period, not two.
            app.close(grace.saturating_sub(began.elapsed())).await;
            return Ok(());
        }
        output.note("this replica was silent and counts as dead: it begins again as a new one");
        // The old one refuses what comes until the new one serves.
        app.retire().await;
        let new = tokio::select! {
            () = &mut end => None,
            new = again(&config, output) => Some(new?),
        };
        app.gateway.stopping_live.cancel();
        listening.stop(Duration::ZERO).await;
        app.close(Duration::ZERO).await;
        match new {
            Some(new) => app = new,
            None => return Ok(()),
        }
    }
}

/// Opens the server anew, as soon as the database lets it. It could be opened before, so most of what stands in the way
/// goes away by itself.
async fn again(config: &Config, output: Output) -> Result<Arc<App>, StartError> {
    loop {
        match App::open(config.clone(), None).await {
            Ok(app) => return Ok(app),
            Err(broken @ StartError::Audit(AuditOpenError::Broken(_))) => return Err(broken),
            Err(error) => output.note(&format!("it cannot begin yet: {error}")),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A server that nobody can administer yet makes a way in: a one-time link for a person, a token for automation.
async fn first_run(app: &App, url: &str, output: Output) -> Result<(), Failed> {
    let said =
        |error: &dyn std::fmt::Display| Failed::Said(format!("the first run cannot be set up: {error}"));
    let nobody = store::people::list(&app.store).await.map_err(|error| said(&error))?.is_empty();
    let no_token = store::service_tokens::list(&app.store).await.map_err(|error| said(&error))?.is_empty();
    let now_ms = app.gateway.clock.now_ms();
    if no_token {
        let roles = serde_json::json!({ "name": "first run", "scope": "/", "roles": ["owner"] });
        let what = serde_json::json!({ "before": null, "after": roles });
        let act = Act { what, ..by_itself("first_token_created") };
        let token = Box::pin(app.act(act, |_| serde_json::Value::Null, first_token(app, now_ms)));
        let token = token.await.map_err(|error| said(&error))?;
        let path = app.config.data_dir.join("admin.token");
        write_private(&path, &token.reveal()).map_err(Failed::file(&path))?;
        output.note(&format!("a service token with every right is in {}", path.display()));
    }
    if nobody {
        let link = app
            .act_aside(by_itself("setup_link_created"), |_| serde_json::Value::Null, async {
                Ok::<_, Fault>(new_setup_link(&app.store, now_ms).await?)
            })
            .await
            .map_err(|error| said(&error))?;
        output.note(&format!("sign in to the console with this link; it works once: {url}{link}"));
    }
    Ok(())
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The server does it, without being asked.
fn by_itself(name: &'static str) -> Act<'static> {
    let what = serde_json::Value::Null;
    Act { kind: bailiwick_ledger::Kind::Admin, principal: "system", scope: Some("/"), name, what }
}

async fn first_token(app: &App, now_ms: i64) -> Result<ServiceTokenText, Fault> {
    let root = crate::organisation::Organisation {
        scopes: vec![crate::organisation::Scope {
            path: String::from("/"),
            declarations: crate::organisation::Declarations::default(),
        }],
        ..Default::default()
    };
    crate::organisation::apply(&app.store, &root, &Default::default(), now_ms).await?;
    Ok(create_token(&app.store, "first run", "/", &["owner"], now_ms).await?)
}
