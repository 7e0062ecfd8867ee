//! A real mail server (aiosmtpd) and what it took.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sdk::given;

const PATIENCE: Duration = Duration::from_secs(40);
pub(crate) const USER: &str = "bailiwick";
pub(crate) const PASSWORD: &str = "canary-mail-password-7d1c";

/// The mail server; killed when dropped.
pub(crate) struct MailServer {
    child: Child,
    folder: tempfile::TempDir,
    /// By the way to it: `starttls`, `implicit`, `plain`.
    ports: Value,
}

impl MailServer {
    /// Starts it, where a Python with aiosmtpd is given.
    pub(crate) fn start() -> Option<Self> {
        let python = given("BAILIWICK_TEST_SMTP_PYTHON")?;
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), pair.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp/server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([folder.path().join("mail"), folder.path().join("cert.pem"), folder.path().join("key.pem")])
            .args([USER, PASSWORD])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Some(Self { child, folder, ports })
    }

    pub(crate) fn port(&self, way: &str) -> u16 {
        u16::try_from(self.ports[way].as_u64().unwrap()).unwrap()
    }

    /// The certificate that speaks for it.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// Every mail that it took, in order.
    pub(crate) fn mail(&self) -> Vec<Value> {
        let folder = std::fs::read_dir(self.folder.path().join("mail")).unwrap();
        let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "json"));
        files.sort();
        files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }

    /// Those to this address.
    pub(crate) fn to(&self, address: &str) -> Vec<Value> {
        self.mail().into_iter().filter(|mail| mail["to"][0] == address).collect()
    }

    /// Waits until it has taken what is enough.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let mail = self.mail();
            if enough(&mail) {
                return mail;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {mail:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
