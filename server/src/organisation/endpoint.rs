//! The definition of an endpoint, and how it becomes a place to send to.

use bailiwick_compliance_db::{Database, EndpointProfile, ModelKind};
use bailiwick_policy::{ModelAlias, Operation, scope};
use serde::{Deserialize, Serialize};

use super::price::{OwnPrices, PriceChange, PriceUsd};
use crate::credentials::{CredentialSource, Keyring, Values};
use crate::providers::{
    Analyzer, AnalyzerSettings, AuthStyle, ClientIdentity, Dialect, Limits, Preset, Secret, Target,
    TargetSpec,
};

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
    /// What it speaks: a dialect of the OpenAI API, `anthropic`, or `bedrock-converse`.
    pub dialect: Dialect,
    /// A service of which address and ways are known. It says nothing of what may be sent there: that is the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// `https://host[:port]`; the preset's where absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base_url: String,
    /// The provider's credential, by name; never the credential itself.
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

/// Which credential an endpoint uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a credential is its name, or `{ env: NAME }` or `{ file: PATH }` for one of the endpoint's own"
)]
pub enum CredentialRef {
    /// The one of this name.
    Named(String),
    /// One of the endpoint's own name, with where it is to be had. Applying makes it one of that name.
    Own(CredentialSource),
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
        let models = models.map(|model| ModelAlias { operations: model.operations.map(translated), ..model });
        bailiwick_policy::Endpoint {
            name: self.name.clone(),
            scope: self.scope.clone(),
            models: models.collect(),
            operations: translated(self.operations.clone()),
            profile: EndpointProfile { name: self.name.clone(), ..self.profile.clone() },
        }
    }

    /// Its profile for one of its models, as facts see it.
    #[must_use]
    pub fn profile_for(&self, upstream: &str, database: &Database) -> EndpointProfile {
        EndpointProfile { name: self.name.clone(), ..database.profile_of(&self.profile, upstream) }
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
        spec.preset = self.preset;
        spec.responses = self.has_responses(upstream_model);
        spec.limits = limits;
        spec.region.clone_from(&self.profile.source_region);
        spec.identity = identity.cloned();
        spec.allow_plain_http = self.allow_plain_http;
        Target::new(spec).map_err(|source| EndpointError::Target { endpoint: self.name.clone(), source })
    }

    /// Whether its service has the Responses API itself for a model, so that requests for it go there as they came: where
    /// that is declared. Elsewhere they are translated into chats.
    fn has_responses(&self, upstream_model: &str) -> bool {
        let of_models = self.models.iter().filter(|model| model.upstream == upstream_model);
        let mut told = of_models.filter_map(|model| model.operations.as_ref());
        self.operations.contains(&Operation::Responses)
            && told.all(|operations| operations.contains(&Operation::Responses))
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
        if self.dialect == Dialect::BedrockConverse {
            let (name, dialect) = (&self.name, self.dialect.name());
            return Err(format!(
                "endpoint `{name}`: a detector is not asked as `{dialect}` is: it would get no credential. Choose another dialect"
            ));
        }
        let target = self.target(&model.upstream, credential, identity).map_err(|error| error.to_string())?;
        let settings = self.analyzer.clone().unwrap_or_default();
        Analyzer::new(settings, &self.base_url, target, before).map(Some)
    }

    /// The name of its credential, if it needs one.
    #[must_use]
    pub fn credential_name(&self) -> Option<&str> {
        self.credential.as_ref().map(|reference| match reference {
            CredentialRef::Named(name) => name.as_str(),
            CredentialRef::Own(_) => self.name.as_str(),
        })
    }

    /// Its credential, if that needs one, as `values` has it.
    ///
    /// # Errors
    /// In words, without any part of it.
    pub fn credential_of(&self, values: &Values, keyring: &Keyring) -> Result<Option<Secret>, String> {
        let Some((reference, name)) = self.credential.as_ref().zip(self.credential_name()) else {
            return Ok(None);
        };
        let endpoint = &self.name;
        let named = |why: &str| format!("endpoint `{endpoint}`: its credential `{name}`: {why}");
        match (values.get(name), reference) {
            (Some((scope, _)), _) if !scope::covers(scope, &self.scope) => {
                Err(named(&format!("it is of {scope}, which does not cover {}", self.scope)))
            }
            (Some((_, value)), _) => value.cloned().map(Some).map_err(named),
            // As a server of the release before stores it.
            (None, CredentialRef::Own(source)) => keyring.read(source).map(Some).map_err(|why| named(&why)),
            (None, CredentialRef::Named(_)) => Err(named("there is none of that name")),
        }
    }

    /// The certificate that is presented, if there is one; its files are read as a credential's.
    ///
    /// # Errors
    /// In words, without any part of it.
    pub fn read_identity(&self, keyring: &Keyring) -> Result<Option<ClientIdentity>, String> {
        let read = |files: &ClientCertificate| {
            ClientIdentity::read(&files.certificate, &files.key, |path| keyring.read_file(path))
                .map_err(|what| format!("endpoint `{}`: {what}", self.name))
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

/// What chats in one API chats in the others: requests and answers are translated, but for none into responses.
fn translated(mut operations: Vec<Operation>) -> Vec<Operation> {
    for (one, other) in [
        (Operation::ChatCompletions, Operation::Messages),
        (Operation::Messages, Operation::ChatCompletions),
        (Operation::ChatCompletions, Operation::Responses),
    ] {
        if operations.contains(&one) && !operations.contains(&other) {
            operations.push(other);
        }
    }
    operations
}

fn chat() -> Vec<Operation> {
    vec![Operation::ChatCompletions]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_name_or_a_reference_in_yaml_and_json_and_as_stored() {
        let own = |source| CredentialRef::Own(source);
        let written = [
            ("openai-eu", CredentialRef::Named("openai-eu".into())),
            ("{ env: KEY }", own(CredentialSource::Env("KEY".into()))),
            ("{ file: /k }", own(CredentialSource::File("/k".into()))),
        ];
        for (yaml, expected) in written {
            assert_eq!(serde_norway::from_str::<CredentialRef>(yaml).unwrap(), expected);
            let stored = serde_json::to_value(&expected).unwrap();
            assert_eq!(serde_json::from_value::<CredentialRef>(stored).unwrap(), expected);
        }
        for wrong in ["{ env: KEY, file: /k }", "{ value: s3cret }", "{}", "7"] {
            let why = serde_norway::from_str::<CredentialRef>(wrong).unwrap_err().to_string();
            assert!(why.contains("its name, or") && !why.contains("s3cret"), "{wrong}: {why}");
        }
    }
}
