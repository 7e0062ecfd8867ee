//! The command line: parsed here, a file a command.
//!
//! Exit 0: done. 1: refused or failed, with the reason on standard error. 2: bad usage.

mod alerts;
mod audit;
mod backup;
mod budgets;
mod compliance;
mod compliance_verify;
mod credentials;
mod declare;
mod demo;
mod endpoints;
mod explain;
mod export;
mod facts;
mod identity;
mod kept;
mod keys;
mod kill_switch;
mod limits;
mod migrate;
mod output;
mod pack;
mod pii;
mod place;
mod plan;
mod plan_text;
mod policy;
mod policy_status;
mod policy_test;
mod remote;
mod replicas;
mod requests;
mod serve;
mod tokens;

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use output::Output;

/// A governance and compliance control plane for LLM traffic.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, about, propagate_version = true)]
struct Cli {
    /// Print one JSON value instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a sample organisation with simulated providers; needs nothing else
    Demo(demo::DemoArgs),
    /// Serve
    Serve(serve::ServeArgs),
    /// Move everything from SQLite to PostgreSQL
    Migrate(migrate::MigrateArgs),
    /// Write everything that a server keeps into a file, while it runs
    Backup(backup::BackupArgs),
    /// Put a backup into a new data directory or an empty database
    Restore(backup::RestoreArgs),
    /// Check and test policy bundles
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// What is known of providers: doubts and coverage
    #[command(subcommand)]
    Compliance(compliance::ComplianceCommand),
    /// Endpoints, and what is known of them on which evidence
    #[command(subcommand)]
    Endpoints(endpoints::EndpointsCommand),
    /// Virtual keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Stop an endpoint, a model, a provider or a transfer mechanism at once
    #[command(subcommand)]
    KillSwitch(kill_switch::KillSwitchCommand),
    /// Budgets: where they stand, and topping them up
    #[command(subcommand)]
    Budgets(budgets::BudgetsCommand),
    /// What people are told of
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// Limits of requests, tokens, spend and concurrency
    #[command(subcommand)]
    Limits(limits::LimitsCommand),
    /// What one asks for and another approves: exceptions, budgets, content, keys
    #[command(subcommand)]
    Requests(requests::RequestsCommand),
    /// The servers of the database
    #[command(subcommand)]
    Replicas(replicas::ReplicasCommand),
    /// Service tokens
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    /// People who have signed in
    #[command(subcommand)]
    People(identity::PeopleCommand),
    /// Sessions of the console
    #[command(subcommand)]
    Sessions(identity::SessionsCommand),
    /// Roles: who may do what, and why
    #[command(subcommand)]
    Rbac(identity::RbacCommand),
    /// What the configuration of signing in needs
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Credentials of providers
    #[command(subcommand)]
    Credentials(credentials::CredentialsCommand),
    /// Make an organisation what a file says: scopes, endpoints, budgets, keys and the rest
    Apply(declare::ApplyArgs),
    /// Write what is declared, as what `apply` reads
    Export(export::ExportArgs),
    /// Export, verify and prove the audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Find personal data in text
    #[command(subcommand)]
    Pii(pii::PiiCommand),
}

/// A running server.
#[derive(Debug, Args)]
struct Server {
    /// The server's address, such as http://127.0.0.1:8080
    #[arg(long, env = "BAILIWICK_SERVER", value_name = "URL")]
    server: String,
}

/// A running server, and who asks it.
#[derive(Debug, Args)]
struct Remote {
    #[command(flatten)]
    server: Server,
    /// A service token: bwt_…
    #[arg(long, env = "BAILIWICK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: String,
}

/// Why a command failed. Its text goes to standard error.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// Something that the command's own words explain.
    #[error("{0}")]
    Said(String),
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] crate::app::StartError),
    /// Nothing was moved.
    #[error(transparent)]
    Transfer(#[from] crate::transfer::TransferError),
    /// Reading or writing.
    #[error("{what}: {why}")]
    Io { what: String, why: std::io::Error },
    /// The server refused.
    #[error(transparent)]
    Remote(#[from] remote::RemoteError),
    /// The command has said everything already.
    #[error("")]
    Told,
}

impl Failed {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |why| Self::Io { what, why }
    }

    fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(path.display().to_string())
    }
}

const BAD_USAGE: u8 = 2;

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args_os().any(|word| word == "--json") => {
            Output::new(true).error(error.render().to_string().trim_end());
            return ExitCode::from(BAD_USAGE);
        }
        Err(error) => error.exit(),
    };
    logging();
    // Some library may ask for the process's provider; there is one, and it is this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let output = Output::new(cli.json);
    match run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Told) => ExitCode::FAILURE,
        Err(failed) => {
            output.error(&failed.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, output: Output) -> Result<(), Failed> {
    match command {
        Command::Compliance(command) => asynchronous(compliance::run(&command, output)),
        Command::Policy(command) => asynchronous(policy::run(command, output)),
        Command::Pii(command) => pii::run(&command, output),
        Command::Audit(audit::AuditCommand::Verify(args)) => audit::verify(&args, output),
        Command::Demo(args) => asynchronous(demo::run(args, output)),
        Command::Serve(args) => serve::run(args, output),
        Command::Backup(args) => asynchronous(backup::backup(args, output)),
        Command::Restore(args) => asynchronous(backup::restore(args, output)),
        Command::Migrate(args) => asynchronous(migrate::run(args, output)),
        Command::Endpoints(command) => asynchronous(endpoints::run(command, output)),
        Command::Keys(command) => asynchronous(keys::run(command, output)),
        Command::KillSwitch(command) => asynchronous(kill_switch::run(command, output)),
        Command::Budgets(command) => asynchronous(budgets::run(command, output)),
        Command::Alerts(command) => asynchronous(alerts::run(command, output)),
        Command::Limits(command) => asynchronous(limits::run(command, output)),
        Command::Requests(command) => asynchronous(requests::run(command, output)),
        Command::Replicas(command) => asynchronous(replicas::run(command, output)),
        Command::Tokens(command) => asynchronous(tokens::run(command, output)),
        Command::People(command) => asynchronous(identity::people(command, output)),
        Command::Sessions(command) => asynchronous(identity::sessions(command, output)),
        Command::Rbac(command) => asynchronous(identity::rbac(command, output)),
        Command::Identity(command) => identity::identity(&command, output),
        Command::Credentials(command) => asynchronous(credentials::run(command, output)),
        Command::Apply(args) => asynchronous(declare::run(args, output)),
        Command::Export(args) => asynchronous(export::run(args, output)),
        Command::Audit(command) => asynchronous(audit::run(command, output)),
    }
}

fn asynchronous(command: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    on_workers(workers(true), command)
}

/// Runs `command` with this many threads that serve.
fn on_workers(workers: usize, command: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(Failed::io("the asynchronous runtime"))?
        .block_on(command)
}

/// Threads that serve where the configuration names no number: as many as there are cores, and with SQLite one fewer,
/// because what writes to it is a thread of its own. On two cores that is the difference between 101-110 and 120-131
/// µs of CPU a request under load: work then stays on the core whose cache it is in.
fn workers(sqlite: bool) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    cores.saturating_sub(usize::from(sqlite)).max(1)
}

fn logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BAILIWICK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,bailiwick=info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// A path that stands for standard input or output where it is `-`.
fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Somebody asks the process to end. Listens from the call on, so that a server which has announced itself can already
/// be asked.
fn asked_to_end() -> Result<impl Future<Output = ()>, Failed> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Failed::io("listening for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failed::io("listening for SIGINT"))?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
