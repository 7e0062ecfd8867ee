//! One `bailiwick serve`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_bailiwick");
/// How long it may take to serve, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
}

impl Process {
    /// Starts it with the configuration in `folder`, where its log goes too, and waits until it serves.
    pub(crate) fn start(folder: &Path, database_url: Option<&str>, more: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--config"]).arg(folder.join("bailiwick.toml")).args(more);
        if let Some(url) = database_url {
            command.env("BAILIWICK_DATABASE_URL", url);
        }
        command
            .env("BAILIWICK_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                if let Some(url) = line.strip_prefix("bailiwick serves ") {
                    let _ = tell.send(url.to_owned());
                }
            }
        });
        let url = told.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("it does not serve:\n{}", std::fs::read_to_string(folder.join("log")).unwrap())
        });
        Self { child, url }
    }

    /// Starts it as [`Process::start`] does where it must not serve; what it said.
    pub(crate) fn refused(folder: &Path, database_url: Option<&str>, more: &[&str]) -> String {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--config"]).arg(folder.join("bailiwick.toml")).args(more);
        if let Some(url) = database_url {
            command.env("BAILIWICK_DATABASE_URL", url);
        }
        let done = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Kills it: no handler runs.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.signal("-TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
