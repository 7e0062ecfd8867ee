//! A real Git repository with the starter bundle, made by `git` and signed by `ssh-keygen`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bailiwick::git::GitConfig;

/// Who may sign.
pub(crate) const SIGNERS: [&str; 2] = ["ada", "bo"];
/// Who may not.
pub(crate) const STRANGER: &str = "eve";

pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

/// Runs a program to its end, with this input.
pub(crate) fn run(command: &mut Command, input: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Repository {
    /// With the starter bundle in the folder `policy`, as ada's signed commit.
    pub(crate) fn new() -> Self {
        let own = Self { folder: tempfile::tempdir().unwrap() };
        own.git(&["init", "--quiet", "--initial-branch=main"]);
        for who in SIGNERS.into_iter().chain([STRANGER]) {
            own.key(who, &["-t", "ed25519"]);
        }
        own.allow(&SIGNERS.map(|who| format!("{who}@acme.example {}", own.public(who))).join(""));
        for (name, text) in bailiwick_policy::BundleSource::starter().files {
            own.write(&name, &text);
        }
        std::fs::write(own.path().join("README.md"), "Ours.\n").unwrap();
        own.commit("ada", "The starter bundle");
        own
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration that follows it.
    pub(crate) fn config(&self) -> GitConfig {
        GitConfig {
            folder: String::from("policy"),
            // Told by `policy_changed`, and not found by chance.
            interval_seconds: 3_600,
            allowed_signers: Some(self.signers()),
            ..GitConfig::at(self.path().display().to_string())
        }
    }

    pub(crate) fn signers(&self) -> PathBuf {
        self.path().join(".git/allowed")
    }

    /// The text of the allowed-signers file.
    pub(crate) fn allow(&self, text: &str) {
        std::fs::write(self.signers(), text).unwrap();
    }

    pub(crate) fn key_file(&self, who: &str) -> PathBuf {
        self.path().join(".git").join(format!("{who}.key"))
    }

    /// A new key.
    pub(crate) fn key(&self, who: &str, kind: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        run(command.args(["-q", "-N", "", "-C", who]).args(kind).arg("-f").arg(self.key_file(who)), "");
    }

    /// Its public half, as a line.
    pub(crate) fn public(&self, who: &str) -> String {
        std::fs::read_to_string(self.key_file(who).with_extension("key.pub")).unwrap()
    }

    /// A signature of `text` by `ssh-keygen`.
    pub(crate) fn sign(&self, who: &str, namespace: &str, text: &str) -> String {
        let mut command = Command::new("ssh-keygen");
        run(command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(self.key_file(who)), text)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(["-c", "gpg.format=ssh", "-c", "protocol.file.allow=always"]);
        // Whatever names a commit bears proves nothing.
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Ada")
                .env(format!("GIT_{role}_EMAIL"), "ada@acme.example");
        }
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env_remove("GIT_DIR")
            .args(words);
        command
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        run(&mut self.command(words), "").trim().to_owned()
    }

    pub(crate) fn git_with(&self, words: &[&str], input: &str) -> String {
        run(&mut self.command(words), input).trim().to_owned()
    }

    /// Writes a file of the bundle.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join("policy").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits whatever has changed, or nothing; gives the id.
    pub(crate) fn commit(&self, who: &str, message: &str) -> String {
        self.git(&["add", "--all"]);
        let key = format!("user.signingKey={}", self.key_file(who).display());
        self.git(&["-c", &key, "commit", "--quiet", "--allow-empty", "-S", "-m", message]);
        self.head()
    }

    pub(crate) fn commit_unsigned(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.head()
    }

    /// Puts the branch elsewhere.
    pub(crate) fn reset(&self, commit: &str) {
        self.git(&["reset", "--quiet", "--hard", commit]);
    }

    /// Makes the branch point at a commit of this very text.
    pub(crate) fn commit_raw(&self, text: &str) -> String {
        let id = self.git_with(&["hash-object", "-t", "commit", "-w", "--stdin"], text);
        self.git(&["update-ref", "refs/heads/main", &id]);
        id
    }

    /// A note with a signature over the id of a commit.
    pub(crate) fn approve(&self, who: &str, commit: &str) {
        let signature = self.sign(who, bailiwick::git::APPROVAL, &format!("{commit}\n"));
        self.git_with(&["notes", "--ref=approvals", "append", "--file=-", commit], &signature);
    }
}

/// A rule that stops a model for research.
pub(crate) fn rule(id: &str, model: &str) -> String {
    format!(
        "id: {id}\ntitle: Research does not use {model}\nbecause: [house policy]\nscope: /acme/research\n\
         when:\n  model: [{model}]\ndeny: true\nmessage: '{model} is not used'\n"
    )
}
