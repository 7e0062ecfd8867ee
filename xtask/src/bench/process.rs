//! Child processes that end with their owner.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, cargo};

/// How long a server may take until it accepts, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that is asked to end when dropped, and killed where it does not.
pub(super) struct Server(Child);

impl Server {
    /// Starts it, with what it says kept in a file.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let shown = cargo::shown(command);
        let file = std::fs::File::create(log).map_err(|e| format!("cannot create {}: {e}", log.display()))?;
        let copy = file.try_clone().map_err(|e| format!("cannot share {}: {e}", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(copy).stderr(file).spawn();
        child.map(Self).map_err(|e| format!("cannot run `{shown}`: {e}"))
    }

    /// Starts it, and takes the first line that it prints.
    pub(super) fn announced(command: &mut Command) -> Result<(Self, String)> {
        let shown = cargo::shown(command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server = child.map(Self).map_err(|e| format!("cannot run `{shown}`: {e}"))?;
        let mut line = String::new();
        if let Some(out) = server.0.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(|e| format!("`{shown}`: {e}"))?;
        }
        if line.is_empty() {
            Err(format!("`{shown}` said nothing"))
        } else {
            Ok((server, line.trim().to_owned()))
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until something accepts at the address.
    pub(super) fn accepts(&mut self, address: &str, log: &Path) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("the server for {address} ended ({status}):\n{said}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("nothing accepts at {address} within {PATIENCE:?}; see {}", log.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Ok(Some(_)) = self.0.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address on the loopback that nobody listens at now.
pub(super) fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| format!("no free port: {e}"))?;
    listener.local_addr().map(|address| address.to_string()).map_err(|e| format!("no free port: {e}"))
}
