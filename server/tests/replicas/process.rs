//! One `bailiwick serve`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
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
        let mut command = serve(folder, database_url, more);
        command.env("BAILIWICK_LOG", "info").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = log(folder);
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
        let done = serve(folder, database_url, more).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    }

    /// Starts it as [`Process::start`] does and kills it so long after that, whether it serves by then or not.
    pub(crate) fn killed(folder: &Path, database_url: Option<&str>, after: Duration) {
        let mut command = serve(folder, database_url, &[]);
        let mut child =
            command.env("BAILIWICK_LOG", "info").stdout(Stdio::null()).stderr(log(folder)).spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(ended.signal(), Some(9), "it ended by itself: {ended}");
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

/// The command that serves with the configuration in `folder`.
fn serve(folder: &Path, database_url: Option<&str>, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--config"]).arg(folder.join("bailiwick.toml")).args(more);
    if let Some(url) = database_url {
        command.env("BAILIWICK_DATABASE_URL", url);
    }
    command.stdin(Stdio::null());
    command
}

/// Where what it says is added.
fn log(folder: &Path) -> File {
    File::options().create(true).append(true).open(folder.join("log")).unwrap()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
