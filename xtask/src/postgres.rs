//! A private PostgreSQL cluster: made for one run, on loopback, gone with it.
//!
//! It is as a production cluster in what tests depend on: passwords by SCRAM, `fsync` on, and, where the version
//! can, texts in the order of a language, so that a query that relies on the order of bytes has to say so.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::tools::{Missing, apt, find, preset};
use crate::{Result, cargo};

/// The variable that the tests take the cluster from.
pub(crate) const URL: &str = "BAILIWICK_TEST_POSTGRES";
/// The variable that says where the programs are.
pub(crate) const BIN: &str = "BAILIWICK_TEST_POSTGRES_BIN";

/// How long the cluster may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a cluster's folder is called, before the number of the process that made it.
const FOLDER: &str = "bailiwick-postgres-";
/// Durable as in production; what only makes a cluster of many small databases slow is put off.
const SETTINGS: [&str; 9] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=200",
    "shared_buffers=128MB",
    "checkpoint_timeout=1h",
    "max_wal_size=8GB",
    "autovacuum=off",
    "unix_socket_directories=",
];

/// Runs a command with the cluster's URL in its environment.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The command; without one the URL is printed and the cluster runs until its end is asked for
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// `cargo xtask postgres`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let bin = programs().map_err(|missing| format!("{}: {}", missing.reason, missing.fix))?;
    let cluster = Cluster::start(&bin)?;
    let Some((program, arguments)) = args.command.split_first() else {
        println!("{URL}={}", cluster.url);
        // Until the terminal or the caller closes this end.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return Ok(ExitCode::SUCCESS);
    };
    let mut command = Command::new(program);
    command.args(arguments).env(URL, &cluster.url);
    cargo::free(&mut command);
    let status = command.status().map_err(|e| format!("cannot run `{}`: {e}", cargo::shown(&command)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folder of `initdb` and `postgres`, installed where that is ours to do.
pub(crate) fn programs() -> std::result::Result<PathBuf, Missing> {
    if let Some(bin) = preset(BIN).or_else(installed) {
        return Ok(bin);
    }
    apt(&["postgresql"])?;
    installed().ok_or_else(|| Missing {
        reason: "PostgreSQL is not installed".to_owned(),
        fix: format!("apt-get install postgresql, or say in {BIN} where `initdb` is"),
    })
}

/// The newest of Debian's versions, or what is on the search path.
fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter(|entry| entry.path().join("bin/initdb").is_file())
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .max();
    match newest {
        Some((_, bin)) => Some(bin),
        None => find("initdb").and_then(|path| path.parent().map(Path::to_path_buf)),
    }
}

/// A running cluster, ended and removed when dropped.
pub(crate) struct Cluster {
    /// With a user who may create databases.
    pub(crate) url: String,
    folder: PathBuf,
    server: Child,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) fn start(bin: &Path) -> Result<Self> {
        remove_left_behind();
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        let started = Self::start_in(bin, &folder);
        if started.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        started
    }

    fn start_in(bin: &Path, folder: &Path) -> Result<Self> {
        let failed = |what: &Path, e: std::io::Error| format!("{}: {e}", what.display());
        fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        let user = user()?;
        let password = random()?;
        let secret = folder.join("password");
        fs::write(&secret, &password).map_err(|e| failed(&secret, e))?;
        if let Some(user) = user {
            cargo::output(Command::new("chown").args(["-R", user]).arg(folder))?;
        }
        let data = folder.join("data");
        // Not every build has the language library; then the order is that of the bytes.
        let language = ["--locale-provider=icu", "--icu-locale=en-US"];
        init(bin, user, &data, &secret, &language).or_else(|_| init(bin, user, &data, &secret, &[]))?;

        let port = free_port()?;
        let log = folder.join("log");
        let file = fs::File::create(&log).map_err(|e| failed(&log, e))?;
        let copy = file.try_clone().map_err(|e| failed(&log, e))?;
        let mut command = as_user(user, &bin.join("postgres"), true);
        command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p"]).arg(port.to_string());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let server = command.current_dir(folder).stdin(Stdio::null()).stdout(copy).stderr(file).spawn();
        let server = server.map_err(|e| format!("cannot run `{}`: {e}", cargo::shown(&command)))?;
        let url = format!("postgres://bailiwick:{password}@127.0.0.1:{port}/postgres");
        let mut cluster = Self { url, folder: folder.to_path_buf(), server };
        cluster.wait(bin, port, &log)?;
        Ok(cluster)
    }

    fn wait(&mut self, bin: &Path, port: u16, log: &Path) -> Result<()> {
        let began = Instant::now();
        let mut ready = Command::new(bin.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        while began.elapsed() < PATIENCE {
            if let Ok(Some(status)) = self.server.try_wait() {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("PostgreSQL ended ({status}):\n{said}"));
            }
            if ready.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("PostgreSQL does not answer within {PATIENCE:?}"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // "Immediate": what it holds is thrown away, so nothing has to be written for that.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn init(bin: &Path, user: Option<&str>, data: &Path, secret: &Path, more: &[&str]) -> Result<()> {
    let _ = fs::remove_dir_all(data);
    let mut command = as_user(user, &bin.join("initdb"), false);
    command.arg("-D").arg(data).arg("--pwfile").arg(secret).args(more);
    command.args(["-U", "bailiwick", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
    if let Some(folder) = data.parent() {
        command.current_dir(folder);
    }
    cargo::output(&mut command).map(drop)
}

/// PostgreSQL refuses to run as root. Who root becomes for it: its own user where there is one.
fn user() -> Result<Option<&'static str>> {
    if cargo::output(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(None);
    }
    let known = |user: &&str| cargo::output(Command::new("id").args(["-u", user])).is_ok();
    match ["postgres", "nobody"].into_iter().find(known) {
        Some(user) => Ok(Some(user)),
        None => Err("PostgreSQL does not run as root, and there is no other user".to_owned()),
    }
}

/// A command as that user. A server ends when this process does, however it does.
fn as_user(user: Option<&str>, program: &Path, server: bool) -> Command {
    if find("setpriv").is_none() {
        let Some(user) = user else { return Command::new(program) };
        let mut command = Command::new("runuser");
        command.args(["-u", user, "--"]).arg(program);
        return command;
    }
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.arg(format!("--reuid={user}")).arg("--clear-groups");
        let group = cargo::output(Command::new("id").args(["-g", user])).unwrap_or_default();
        command.arg(format!("--regid={}", group.trim()));
    }
    if server {
        command.arg("--pdeathsig=QUIT");
    }
    command.arg(program);
    command
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|e| format!("no free port: {e}"))
}

fn random() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| format!("/dev/urandom: {e}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Folders of runs that were killed.
fn remove_left_behind() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(FOLDER)) else { continue };
        if owner.parse::<u32>().is_ok() && !Path::new("/proc").join(owner).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
