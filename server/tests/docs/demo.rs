//! A demo of its own for a page: the built binary, as a reader starts it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running demo. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Demo {
    child: Child,
    /// The line that it prints with `--json`.
    pub(crate) said: Value,
    _data: tempfile::TempDir,
}

impl Demo {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bailiwick"))
            .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the demo said `{line}`: {error}"));
        Self { child, said, _data: data }
    }

    /// A text of what it said, by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.said
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("the demo said no {pointer}"))
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.text("/url").trim_start_matches("http://")
    }

    /// The address of an endpoint's simulator.
    fn simulator(&self, name: &str) -> &str {
        let endpoints = self.said.get("endpoints").and_then(Value::as_array).unwrap();
        let endpoint = endpoints.iter().find(|endpoint| endpoint["name"] == name).unwrap();
        endpoint["simulator_url"].as_str().unwrap()
    }

    /// A vLLM, simulated.
    pub(crate) fn vllm(&self) -> &str {
        self.simulator("vllm-germany").trim_start_matches("http://")
    }

    /// The variables that the pages have their reader set from what the demo prints.
    pub(crate) fn variables(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("BAILIWICK_SERVER", self.text("/url")),
            ("BAILIWICK_TOKEN", self.text("/admin_token")),
            ("SUPPORT", self.text("/keys/support")),
            ("CLINIC", self.text("/keys/clinic")),
            ("RESEARCH", self.text("/keys/research")),
            ("VLLM_GERMANY", self.simulator("vllm-germany")),
            ("OPENAI_US", self.simulator("openai-us")),
        ]
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
