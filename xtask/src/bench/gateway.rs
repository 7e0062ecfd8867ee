//! The gateway as a subject of the load run: a release build, every stage on, its audit log on the disk that the
//! target directory is on.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::process::{Server, free_address};
use crate::{Result, cargo, http};

/// A running gateway with one endpoint and one key.
pub(super) struct Gateway {
    pub(super) server: Server,
    pub(super) url: String,
    pub(super) key: String,
    /// A token with every right.
    pub(super) token: String,
}

/// The variable that commands take a service token from.
const TOKEN_VARIABLE: &str = "BAILIWICK_TOKEN";

impl Gateway {
    /// Starts it with the starter bundle in front of the upstream, and declares the scope, the endpoint and the key of the
    /// run.
    pub(super) fn start(binary: &Path, root: &Path, folder: &Path, upstream: &str) -> Result<Self> {
        let policy = format!("bundle = {:?}\n", root.join("policies/starter"));
        Self::start_with(binary, folder, &policy, &declaration(upstream))
    }

    /// As [`start`](Self::start), with this policy in its configuration and this declaration.
    pub(super) fn start_with(
        binary: &Path,
        folder: &Path,
        policy: &str,
        declaration: &Value,
    ) -> Result<Self> {
        let folder = folder.join("gateway");
        std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
        let address = free_address()?;
        let url = format!("http://{address}");
        let config = folder.join("bailiwick.toml");
        let text = format!(
            "listen = {address:?}\ndata_dir = {:?}\n{policy}\n[upstream]\nprivate_networks = [\"127.0.0.0/8\"]\n",
            folder.join("data")
        );
        write(&config, &text)?;
        let log = folder.join("log");
        let mut serve = Command::new(binary);
        serve.args(["serve", "--config"]).arg(&config).env_remove(TOKEN_VARIABLE);
        let mut server = Server::start(&mut serve, &log)?;
        server.accepts(&address, &log)?;
        ready(&url)?;

        let declared = folder.join("bench.yaml");
        write(&declared, &declaration.to_string())?;
        // A first start leaves a token with every right beside its data.
        let token_file = folder.join("data/admin.token");
        let token = std::fs::read_to_string(&token_file)
            .map_err(|e| format!("cannot read {}: {e}", token_file.display()))?;
        let call = |arguments: &[&str]| {
            let mut command = Command::new(binary);
            command.args(arguments).args(["--server", &url, "--json"]).env(TOKEN_VARIABLE, token.trim());
            cargo::output(&mut command)
        };
        call(&["apply", "-f", &declared.display().to_string()])?;
        let created = call(&["keys", "create", "--scope", "/bench", "--name", "load"])?;
        let created: Value = serde_json::from_str(&created).map_err(|e| format!("keys create: {e}"))?;
        let key = created.get("key").and_then(Value::as_str).ok_or("keys create printed no key")?.to_owned();
        Ok(Self { server, url, key, token: token.trim().to_owned() })
    }

    /// Its metrics page.
    pub(super) fn metrics(&self) -> Result<String> {
        let answer = http::ask("GET", &self.url, "/metrics", "", "")?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("/metrics answers {}", answer.status))
        }
    }
}

/// One scope, one endpoint: an own server in Germany, which the starter bundle lets everything go to. The budget is
/// there to be reserved from and settled to, not to refuse.
pub(super) fn declaration(upstream: &str) -> Value {
    json!({
        "scopes": [{ "path": "/bench", "controller": "DE", "subject_regions": ["DE"] }],
        "endpoints": [{
            "name": "bench",
            "scope": "/bench",
            "models": [{ "alias": "bench", "upstream": "bench" }],
            "dialect": "vllm",
            "base_url": format!("http://{upstream}"),
            "profile": {
                "name": "bench",
                "operator": "self",
                "service": "vllm",
                "model": "bench",
                "declared": { "countries": ["DE"], "hosting": "on_premises", "retention_days": 0 },
            },
            "price": { "input": "0.15", "output": "0.60" },
        }],
        "budgets": [{ "scope": "/bench", "window": "day", "limit_usd": "1000000" }],
    })
}

/// Waits until it serves: the socket is bound before everything behind it is open.
fn ready(url: &str) -> Result<()> {
    for _ in 0..200 {
        if http::ask("GET", url, "/readyz", "", "").is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Err(format!("{url} does not become ready"))
}

pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))
}
