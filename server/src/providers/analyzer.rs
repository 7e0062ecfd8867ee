//! Another detector: a server with presidio-analyzer's HTTP API.
//!
//! Source: the OpenAPI description of Presidio Analyzer
//! (<https://microsoft.github.io/presidio/api-docs/api-docs.html>): `POST /analyze` with `text`, `language`, `entities` and
//! `score_threshold`; findings with `entity_type`, `start`, `end` and `score`, positions counted in characters. It is asked for
//! the kinds that are known here and for no others, so that nothing that it says can be lost; an answer that cannot be
//! understood in full is a failure. *Blind spots.* Its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_pii::{Confidence, EntityType, Finding};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::failure::UpstreamFailure;
use super::{Limits, Target, UpstreamClient};

/// A longer text is not sent: it would not be read in time.
const TEXT_MAX: usize = 1 << 20;

/// Bytes of an answer.
const ANSWER_MAX: u64 = 8 << 20;

/// The kinds that are asked for where nothing else is declared: Presidio's names and ours.
const KINDS: [(&str, EntityType); 12] = [
    ("PERSON", EntityType::Person),
    ("LOCATION", EntityType::City),
    ("ORGANIZATION", EntityType::Organisation),
    ("NRP", EntityType::EthnicOrigin),
    ("EMAIL_ADDRESS", EntityType::Email),
    ("PHONE_NUMBER", EntityType::Phone),
    ("CREDIT_CARD", EntityType::Card),
    ("IBAN_CODE", EntityType::Iban),
    ("IP_ADDRESS", EntityType::IpAddress),
    ("CRYPTO", EntityType::CryptoAddress),
    ("US_SSN", EntityType::UsSsn),
    ("US_DRIVER_LICENSE", EntityType::DriverLicense),
];

/// How a detector is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnalyzerSettings {
    /// The language that it is told the text is in.
    pub language: String,
    /// Findings of which it is less certain are left out, in percent.
    pub min_confidence: u8,
    /// Milliseconds that it may take, waiting for its turn included.
    pub deadline_ms: u64,
    /// Requests to it at once, from this server.
    pub at_once: usize,
    /// Its names for kinds, and the kinds that they are here. The usual ones where empty.
    pub kinds: BTreeMap<String, EntityType>,
}

impl Default for AnalyzerSettings {
    fn default() -> Self {
        Self {
            language: String::from("en"),
            min_confidence: 50,
            deadline_ms: 2_000,
            at_once: 8,
            kinds: BTreeMap::new(),
        }
    }
}

/// Why a text was not read.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzerFailure {
    /// The text is too long.
    #[error("the text is longer than 1 MiB")]
    TooLong,
    /// It did not answer in time, or had no room for another text.
    #[error("it did not answer in time")]
    Late,
    /// It could not be asked.
    #[error("{0}")]
    Upstream(#[from] UpstreamFailure),
    /// It answered with another status than 200.
    #[error("it answered with status {0}")]
    Status(u16),
    /// Its answer makes no sense.
    #[error("its answer is not understood")]
    Malformed,
}

/// One detector, ready to be asked.
#[derive(Debug)]
pub struct Analyzer {
    address: Uri,
    target: Target,
    settings: AnalyzerSettings,
    kinds: BTreeMap<String, EntityType>,
    turns: Arc<Semaphore>,
}

/// What it is asked.
#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
    language: &'a str,
    entities: Vec<&'a str>,
    score_threshold: serde_json::Number,
}

/// One finding of its answer.
#[derive(Deserialize)]
struct Told {
    entity_type: String,
    start: usize,
    end: usize,
    score: serde_json::Number,
}

impl Analyzer {
    /// A detector at `base_url`; `target` is the same place with its credential, checked. `before` is the detector of the same
    /// endpoint in the configuration before this one: requests that are under way count.
    ///
    /// # Errors
    /// The setting that is wrong, in words.
    pub fn new(
        settings: AnalyzerSettings,
        base_url: &str,
        target: Target,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        if settings.at_once == 0 || settings.deadline_ms == 0 || settings.min_confidence > 100 {
            return Err(String::from(
                "analyzer: `at_once` and `deadline_ms` are at least 1, `min_confidence` at most 100",
            ));
        }
        let address = format!("{}/analyze", base_url.trim_end_matches('/'));
        let address = address.parse().map_err(|_| String::from("base_url is no address"))?;
        let kinds = if settings.kinds.is_empty() {
            KINDS.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect()
        } else {
            settings.kinds.clone()
        };
        let turns = before
            .filter(|before| before.settings.at_once == settings.at_once)
            .map_or_else(|| Arc::new(Semaphore::new(settings.at_once)), |before| Arc::clone(&before.turns));
        Ok(Self { address, target, settings, kinds, turns })
    }

    /// The kinds that it is asked for.
    pub fn kinds(&self) -> impl Iterator<Item = EntityType> + '_ {
        self.kinds.values().copied()
    }

    /// What it finds in a text: sorted, positions in bytes.
    ///
    /// # Errors
    /// [`AnalyzerFailure`]; the text then counts as not read.
    pub async fn find(&self, client: &UpstreamClient, text: &str) -> Result<Vec<Finding>, AnalyzerFailure> {
        if text.len() > TEXT_MAX {
            return Err(AnalyzerFailure::TooLong);
        }
        let deadline = Duration::from_millis(self.settings.deadline_ms);
        let asked = tokio::time::timeout(deadline, async {
            let _turn = self.turns.acquire().await.map_err(|_| AnalyzerFailure::Late)?;
            self.ask(client, text, deadline).await
        });
        let answer = asked.await.map_err(|_| AnalyzerFailure::Late)??;
        self.read(text, &answer)
    }

    async fn ask(
        &self,
        client: &UpstreamClient,
        text: &str,
        deadline: Duration,
    ) -> Result<Bytes, AnalyzerFailure> {
        let percent = self.settings.min_confidence;
        let threshold = format!("{}.{:02}", percent / 100, percent % 100);
        let question = Question {
            text,
            language: &self.settings.language,
            entities: self.kinds.keys().map(String::as_str).collect(),
            score_threshold: threshold.parse().map_err(|_| AnalyzerFailure::Malformed)?,
        };
        let body = serde_json::to_vec(&question).map_err(|_| AnalyzerFailure::Malformed)?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((name, value)) = self.target.auth() {
            headers.insert(name.clone(), value.clone());
        }
        let limits = Limits {
            first_byte: deadline,
            idle: deadline,
            total: deadline,
            max_body_bytes: ANSWER_MAX,
            ..*self.target.limits()
        };
        let presenting = self.target.identity().map(|identity| client.presenting(identity)).transpose();
        let presenting = presenting.map_err(|error| {
            tracing::error!(%error, "a detector's certificate cannot be presented");
            UpstreamFailure::Tls
        })?;
        let response = presenting.as_ref().unwrap_or(client).send(request, &limits).await?;
        if response.status != http::StatusCode::OK {
            return Err(AnalyzerFailure::Status(response.status.as_u16()));
        }
        Ok(response.body.collect().await?)
    }

    /// Its findings, each with a place in the text.
    fn read(&self, text: &str, answer: &[u8]) -> Result<Vec<Finding>, AnalyzerFailure> {
        let told: Vec<Told> = serde_json::from_slice(answer).map_err(|_| AnalyzerFailure::Malformed)?;
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut found = Vec::with_capacity(told.len());
        for one in told {
            let entity = *self.kinds.get(&one.entity_type).ok_or(AnalyzerFailure::Malformed)?;
            let place = |at: usize| places.get(at).copied().ok_or(AnalyzerFailure::Malformed);
            let (start, end) = (place(one.start)?, place(one.end)?);
            if start >= end {
                return Err(AnalyzerFailure::Malformed);
            }
            let percent = percent(&one.score.to_string());
            if percent >= self.settings.min_confidence {
                found.push(Finding { entity, start, end, confidence: Confidence::new(percent) });
            }
        }
        found.sort_by_key(|finding| (finding.start, finding.end));
        Ok(found)
    }
}

/// A score from 0 to 1 as whole percent, rounded down. What is written in another way counts as certain.
fn percent(score: &str) -> u8 {
    let Some(decimals) = score.strip_prefix("0.").filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    else {
        return if score == "0" { 0 } else { 100 };
    };
    let two = format!("{:0<2}", decimals.get(..2).unwrap_or(decimals));
    two.parse().unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{Dialect, TargetSpec};

    fn analyzer(settings: AnalyzerSettings) -> Analyzer {
        let base = "http://127.0.0.1:9";
        let target = Target::new(TargetSpec::new(Dialect::Vllm, base, None, "presidio")).unwrap();
        Analyzer::new(settings, base, target, None).unwrap()
    }

    #[test]
    fn positions_are_of_characters_and_scores_are_percent() {
        let analyzer = analyzer(AnalyzerSettings::default());
        let text = "Grüße an Zoë Maßmann";
        let answer = br#"[{"entity_type":"PERSON","start":9,"end":20,"score":0.85},{"entity_type":"PERSON","start":0,"end":5,"score":0.3}]"#;
        let found = analyzer.read(text, answer).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].value(text), found[0].confidence.percent()), (Some("Zoë Maßmann"), 85));
        for (score, expected) in
            [("1.0", 100), ("1", 100), ("0.5", 50), ("0.05", 5), ("0", 0), ("0.999", 99), ("1e-3", 100)]
        {
            assert_eq!(percent(score), expected, "{score}");
        }
    }

    #[test]
    fn what_is_not_understood_is_a_failure() {
        let analyzer = analyzer(AnalyzerSettings::default());
        for answer in [
            "",
            "{}",
            "[1]",
            r#"[{"entity_type":"PERSON","start":0,"end":99,"score":1.0}]"#,
            r#"[{"entity_type":"PERSON","start":2,"end":2,"score":1.0}]"#,
            r#"[{"entity_type":"EMPLOYEE","start":0,"end":2,"score":1.0}]"#,
        ] {
            assert!(
                matches!(analyzer.read("abc", answer.as_bytes()), Err(AnalyzerFailure::Malformed)),
                "{answer}"
            );
        }
        assert!(analyzer.read("abc", b"[]").unwrap().is_empty());
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let base = "http://127.0.0.1:9";
        for settings in [
            AnalyzerSettings { at_once: 0, ..AnalyzerSettings::default() },
            AnalyzerSettings { deadline_ms: 0, ..AnalyzerSettings::default() },
            AnalyzerSettings { min_confidence: 101, ..AnalyzerSettings::default() },
        ] {
            let target = Target::new(TargetSpec::new(Dialect::Vllm, base, None, "presidio")).unwrap();
            assert!(Analyzer::new(settings, base, target, None).is_err());
        }
    }
}
