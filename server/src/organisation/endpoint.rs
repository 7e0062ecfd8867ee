//! The definition of an endpoint, and how it becomes a place to send to.

use std::io::Read as _;
use std::path::Path;

use bailiwick_compliance_db::{Database, EndpointProfile, ModelKind};
use bailiwick_policy::{ModelAlias, Operation};
use serde::{Deserialize, Serialize};

use super::price::{OwnPrices, PriceChange, PriceUsd};
use crate::providers::{
    Analyzer, AnalyzerSettings, AuthStyle, ClientIdentity, Dialect, Limits, Secret, Target, TargetSpec,
};

/// Bytes of the longest credential file.
const LONGEST_CREDENTIAL: u64 = 16 * 1024;

/// One endpoint, as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointDefinition {
    /// Unique name.
    pub name: String,
    /// Only requests of this scope and below may use it.
    pub scope: String,
    /// What it serves: the name clients use and the name the provider is sent.
    pub models: Vec<ModelAlias>,
    /// What it can do; chat completions where absent.
    #[serde(default = "chat")]
    pub operations: Vec<Operation>,
    /// Which dialect of the OpenAI API it speaks.
    pub dialect: Dialect,
    /// `https://host[:port]`.
    pub base_url: String,
    /// Where the provider's credential is to be had; never the credential itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
    /// What is presented to a provider that asks for mutual TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
    /// Who runs what where, for the compliance database.
    pub profile: EndpointProfile,
    /// What a million tokens cost here, where it is not the database's list price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceUsd>,
    /// What is added to either price, in per cent as text: `"7.5"`; a discount where negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markup_percent: Option<String>,
    /// What is different from a day on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub price_changes: Vec<PriceChange>,
    /// Whether it stands for a provider rather than being one. Shown wherever the endpoint is.
    #[serde(default)]
    pub simulated: bool,
    /// Allows `http://` with a credential to another machine.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// Seconds to the first byte of an answer; 60 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_timeout_s: Option<u64>,
    /// Seconds between two chunks; 60 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_s: Option<u64>,
    /// How it is asked to read a text, where it does `analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analyzer: Option<AnalyzerSettings>,
}

/// Where a credential is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "WrittenCredential")]
pub enum CredentialRef {
    /// An environment variable of the server.
    Env(String),
    /// A file that the server can read; its trailing line break is cut off.
    File(std::path::PathBuf),
}

/// As it is written, in YAML too, where an enum would ask for a tag: `{ env: NAME }` or `{ file: PATH }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCredential {
    #[serde(default)]
    env: Option<String>,
    #[serde(default)]
    file: Option<std::path::PathBuf>,
}

impl TryFrom<WrittenCredential> for CredentialRef {
    type Error = &'static str;

    fn try_from(written: WrittenCredential) -> Result<Self, Self::Error> {
        match (written.env, written.file) {
            (Some(name), None) => Ok(Self::Env(name)),
            (None, Some(path)) => Ok(Self::File(path)),
            _ => Err("a credential is `{ env: NAME }` or `{ file: PATH }`"),
        }
    }
}

/// A certificate of our own: two files that the server can read, under the rules of a credential's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// PEM file with the chain, our own certificate first.
    pub certificate: std::path::PathBuf,
    /// PEM file with its private key.
    pub key: std::path::PathBuf,
}

/// Why an endpoint cannot be used as declared.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The credential is not there.
    #[error("endpoint `{endpoint}`: {what}")]
    Credential {
        /// The endpoint.
        endpoint: String,
        /// What is missing.
        what: String,
    },
    /// The address or limits are unusable.
    #[error("endpoint `{endpoint}`: {source}")]
    Target {
        /// The endpoint.
        endpoint: String,
        /// Why.
        source: crate::providers::target::TargetError,
    },
    /// A price is no amount.
    #[error("endpoint `{endpoint}`: {what}")]
    Price {
        /// The endpoint.
        endpoint: String,
        /// Why.
        what: String,
    },
}

impl CredentialRef {
    /// Reads the credential. From a file it is read only where it is an ordinary and small one, outside the folder
    /// `secrets`, which is the server's own.
    ///
    /// # Errors
    /// In words, without any part of it.
    pub fn read(&self, secrets: Option<&Path>) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} with its credential is not set"))?,
            Self::File(path) => read_file(path, secrets)
                .map_err(|why| format!("its credential file {} cannot be read: {why}", path.display()))?,
        };
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() { Err(String::from("its credential is empty")) } else { Ok(Secret::new(text)) }
    }
}

/// Reading a pipe or a device may never end, and a large file is something else than a credential.
fn read_file(path: &Path, secrets: Option<&Path>) -> Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    let path = path.canonicalize().map_err(words)?;
    if secrets.is_some_and(|folder| path.starts_with(folder)) {
        return Err(String::from("it is in the server's own data directory: put it elsewhere"));
    }
    let known = std::fs::metadata(&path).map_err(words)?;
    if !known.is_file() {
        return Err(String::from("it is no ordinary file"));
    }
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(words)?;
    let read = file.take(LONGEST_CREDENTIAL + 1).read_to_string(&mut text).map_err(words)?;
    if u64::try_from(read).is_ok_and(|read| read > LONGEST_CREDENTIAL) {
        return Err(format!("it is longer than {LONGEST_CREDENTIAL} bytes"));
    }
    Ok(text)
}

impl EndpointDefinition {
    /// The endpoint as the policy engine sees it. What a model does is as declared, or else what `database` knows of it.
    #[must_use]
    pub fn for_policy(&self, database: &Database) -> bailiwick_policy::Endpoint {
        let models = self.models.iter().map(|model| ModelAlias {
            operations: model.operations.clone().or_else(|| {
                let kind = database.model(&self.profile.service, &model.upstream)?.kind;
                Some(match kind {
                    ModelKind::Chat => {
                        vec![Operation::ChatCompletions, Operation::Responses, Operation::Messages]
                    }
                    ModelKind::Embedding => vec![Operation::Embeddings],
                })
            }),
            ..model.clone()
        });
        bailiwick_policy::Endpoint {
            name: self.name.clone(),
            scope: self.scope.clone(),
            models: models.collect(),
            operations: self.operations.clone(),
            profile: EndpointProfile { name: self.name.clone(), ..self.profile.clone() },
        }
    }

    /// The place to send requests for one of its models to.
    ///
    /// # Errors
    /// [`EndpointError`] names the setting to change.
    pub fn target(
        &self,
        upstream_model: &str,
        credential: Option<&Secret>,
        identity: Option<&ClientIdentity>,
    ) -> Result<Target, EndpointError> {
        let mut limits = Limits::default();
        if let Some(seconds) = self.first_byte_timeout_s {
            limits.first_byte = std::time::Duration::from_secs(seconds);
        }
        if let Some(seconds) = self.idle_timeout_s {
            limits.idle = std::time::Duration::from_secs(seconds);
        }
        let mut spec =
            TargetSpec::new(self.dialect, self.base_url.clone(), credential.cloned(), upstream_model);
        if credential.is_none() {
            spec.auth = Some(AuthStyle::None);
        }
        spec.limits = limits;
        spec.identity = identity.cloned();
        spec.allow_plain_http = self.allow_plain_http;
        Target::new(spec).map_err(|source| EndpointError::Target { endpoint: self.name.clone(), source })
    }

    /// The detector that it is, where it does `analyze`. `before` is the one that it was.
    ///
    /// # Errors
    /// The setting to change, in words.
    pub fn analyzer(
        &self,
        credential: Option<&Secret>,
        identity: Option<&ClientIdentity>,
        before: Option<&Analyzer>,
    ) -> Result<Option<Analyzer>, String> {
        let (true, Some(model)) = (self.operations.contains(&Operation::Analyze), self.models.first()) else {
            return Ok(None);
        };
        let target = self.target(&model.upstream, credential, identity).map_err(|error| error.to_string())?;
        let settings = self.analyzer.clone().unwrap_or_default();
        Analyzer::new(settings, &self.base_url, target, before).map(Some)
    }

    /// The credential, if it needs one; see [`CredentialRef::read`].
    ///
    /// # Errors
    /// [`EndpointError::Credential`].
    pub fn read_credential(&self, secrets: Option<&Path>) -> Result<Option<Secret>, EndpointError> {
        let read = |reference: &CredentialRef| {
            reference
                .read(secrets)
                .map_err(|what| EndpointError::Credential { endpoint: self.name.clone(), what })
        };
        self.credential.as_ref().map(read).transpose()
    }

    /// The certificate that is presented, if there is one; its files are read as a credential's.
    ///
    /// # Errors
    /// [`EndpointError::Credential`].
    pub fn read_identity(&self, secrets: Option<&Path>) -> Result<Option<ClientIdentity>, EndpointError> {
        let read = |files: &ClientCertificate| {
            ClientIdentity::read(&files.certificate, &files.key, |path| read_file(path, secrets))
                .map_err(|what| EndpointError::Credential { endpoint: self.name.clone(), what })
        };
        self.client_certificate.as_ref().map(read).transpose()
    }

    /// What it declares of its prices.
    ///
    /// # Errors
    /// [`EndpointError::Price`].
    pub fn own_prices(&self) -> Result<OwnPrices, EndpointError> {
        OwnPrices::of(self).map_err(|what| EndpointError::Price { endpoint: self.name.clone(), what })
    }
}

fn chat() -> Vec<Operation> {
    vec![Operation::ChatCompletions]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_small_ordinary_file_outside_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let data = data.canonicalize().unwrap();
        let read = |path: &Path| CredentialRef::File(path.to_owned()).read(Some(&data));
        let good = folder.path().join("good");
        std::fs::write(&good, "sk-1\n").unwrap();
        assert!(read(&good).is_ok());
        let own = data.join("log.key");
        std::fs::write(&own, "secret").unwrap();
        assert!(read(&own).unwrap_err().contains("data directory"));
        let large = folder.path().join("large");
        std::fs::write(&large, "x".repeat(20_000)).unwrap();
        assert!(read(&large).unwrap_err().contains("longer than"));
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&own, &link).unwrap();
            assert!(read(&link).unwrap_err().contains("data directory"));
            assert!(read(Path::new("/dev/zero")).unwrap_err().contains("no ordinary file"));
        }
    }

    #[test]
    fn a_credential_reads_alike_from_yaml_and_json_and_from_what_is_stored() {
        let written = [
            ("{ env: KEY }", CredentialRef::Env("KEY".into())),
            ("{ file: /k }", CredentialRef::File("/k".into())),
        ];
        for (yaml, expected) in written {
            assert_eq!(serde_norway::from_str::<CredentialRef>(yaml).unwrap(), expected);
            let stored = serde_json::to_value(&expected).unwrap();
            assert_eq!(serde_json::from_value::<CredentialRef>(stored).unwrap(), expected);
        }
        for wrong in ["{ env: KEY, file: /k }", "{ value: s3cret }", "{}"] {
            assert!(serde_norway::from_str::<CredentialRef>(wrong).is_err(), "{wrong}");
        }
    }
}
