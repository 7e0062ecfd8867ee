//! What the records of an export name by digest, for who has no server's database at hand.

use std::collections::HashMap;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;

use super::Failed;
use super::remote::{Api, RemoteError};
use crate::snapshot::Kept;

/// A folder, then what is at hand, then a server. What is found goes into the folder.
pub(super) struct KeptElsewhere {
    at_hand: HashMap<(String, String), Value>,
    folder: Option<PathBuf>,
    server: Option<Api>,
}

impl KeptElsewhere {
    pub(super) fn new(folder: Option<PathBuf>, server: Option<Api>) -> Self {
        Self { at_hand: HashMap::new(), folder, server }
    }

    /// Something that need not be looked for.
    pub(super) fn at_hand(&mut self, kind: &str, digest: &str, value: Value) {
        self.at_hand.insert((kind.to_owned(), digest.to_owned()), value);
    }
}

impl Kept for KeptElsewhere {
    type Error = Failed;

    async fn value(&self, kind: &str, digest: &str) -> Result<Option<Value>, Failed> {
        // A digest is text out of a file that somebody else made.
        let hex = digest.strip_prefix("sha256:").filter(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
        let Some(hex) = hex else { return Ok(None) };
        let file = self.folder.as_ref().map(|folder| folder.join(kind).join(format!("{hex}.json")));
        if let Some(file) = file.as_ref().filter(|file| file.is_file()) {
            let text = std::fs::read_to_string(file).map_err(Failed::file(file))?;
            return serde_json::from_str(&text)
                .map(Some)
                .map_err(|error| Failed::Said(format!("{}: {error}", file.display())));
        }
        let at_hand = self.at_hand.get(&(kind.to_owned(), digest.to_owned()));
        let found = match (at_hand, &self.server) {
            (Some(value), _) => Some(value.clone()),
            (None, Some(server)) => ask(server, kind, digest).await?,
            (None, None) => None,
        };
        let Some(value) = found else { return Ok(None) };
        if let Some(file) = &file {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(Failed::file(folder))?;
            }
            std::fs::write(file, value.to_string()).map_err(Failed::file(file))?;
        }
        Ok(Some(value))
    }
}

async fn ask(server: &Api, kind: &str, digest: &str) -> Result<Option<Value>, Failed> {
    let path = format!("/api/v1/policy/kept/{kind}/{digest}");
    match server.json(Method::GET, &path, &[], None).await {
        Ok(value) => Ok(Some(value)),
        Err(RemoteError::Problem { status: 404, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
