//! What models cost and can do, beside the facts about where they run.

use std::{borrow::Cow, str::FromStr};

use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{EndpointProfile, Evidence, FactScope, Pattern, resolve::Match};

/// A model as one service offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// The service, as endpoints name it.
    pub service: String,
    /// The model's name there; `*` stands for every model of the service that has no entry of its own.
    pub model: Pattern,
    /// Other names for the same: aliases and dated snapshots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// What it does.
    pub kind: ModelKind,
    /// The price where no variant fits.
    pub price: Price,
    /// Other prices for some endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<PriceVariant>,
    /// How many tokens a request may hold. `None` is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// How many tokens a response may hold. `None` is unknown, or it makes no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// What it takes. What comes out of it its kind says.
    pub input: Vec<Modality>,
    /// Whether it calls functions. `None` is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<bool>,
    /// What of the above nobody was found to say, so that it is seen to have been looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unsaid>,
    /// Who says so.
    #[schemars(length(min = 1))]
    pub evidence: Vec<Evidence>,
}

/// What an entry may say to be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unsaid {
    /// How many tokens a request may hold.
    ContextTokens,
    /// How many tokens a response may hold.
    MaxOutputTokens,
    /// Whether it calls functions.
    Tools,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Text from a conversation.
    Chat,
    /// Vectors from text.
    Embedding,
}

/// What a model takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// Audio.
    Audio,
}

/// A price for some endpoints of a model, or for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceVariant {
    /// For which endpoints; all where absent.
    #[serde(rename = "where", default)]
    pub scope: FactScope,
    /// From the beginning of this day on, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// Until the beginning of this day, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// The price there.
    pub price: Price,
}

/// Prices by kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For tokens of the request.
    pub input: PerMillion,
    /// For tokens of the request that the provider had cached; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<PerMillion>,
    /// For tokens of the request that the provider writes into its cache; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<PerMillion>,
    /// The same to stay there for an hour; as `cache_write` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<PerMillion>,
    /// For tokens of images in the request; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_input: Option<PerMillion>,
    /// For tokens of audio in the request; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<PerMillion>,
    /// For tokens of the response.
    pub output: PerMillion,
    /// For tokens of reasoning; as `output` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<PerMillion>,
    /// For tokens of images in the response; as `output` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_output: Option<PerMillion>,
    /// For tokens of audio in the response; as `output` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<PerMillion>,
    /// For a million requests, whatever they hold; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<PerMillion>,
    /// For a million searches of the web that the provider makes for requests; not known where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_searches: Option<PerMillion>,
    /// What all tokens of a request cost that is longer than some; the same where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_context: Option<LongContext>,
}

/// Prices of requests with a long input. They hold for the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongContext {
    /// For requests with more input tokens than this.
    pub above_input_tokens: u32,
    /// For tokens of the request.
    pub input: PerMillion,
    /// For tokens of the request that the provider had cached; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<PerMillion>,
    /// For tokens of the response.
    pub output: PerMillion,
}

impl LongContext {
    /// Whichever begins earlier, and the higher price of each kind.
    fn max(self, other: Self) -> Self {
        let cached = |one: Self| one.cached_input.unwrap_or(one.input);
        Self {
            above_input_tokens: self.above_input_tokens.min(other.above_input_tokens),
            input: self.input.max(other.input),
            cached_input: Some(cached(self).max(cached(other))),
            output: self.output.max(other.output),
        }
    }
}

impl Price {
    /// The price of cached tokens.
    #[must_use]
    pub fn cached(&self) -> PerMillion {
        self.cached_input.unwrap_or(self.input)
    }

    /// The higher price of each kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let of = |part: fn(&Self) -> Option<PerMillion>, whole: fn(&Self) -> PerMillion| {
            let (one, two) = (part(&self), part(&other));
            one.or(two)?;
            Some(one.unwrap_or(whole(&self)).max(two.unwrap_or(whole(&other))))
        };
        let (input, output) = (|price: &Self| price.input, |price: &Self| price.output);
        Self {
            input: self.input.max(other.input),
            cached_input: of(|price| price.cached_input, input),
            cache_write: of(|price| price.cache_write, input),
            cache_write_1h: of(
                |price| price.cache_write_1h,
                |price| price.cache_write.unwrap_or(price.input),
            ),
            image_input: of(|price| price.image_input, input),
            audio_input: of(|price| price.audio_input, input),
            output: self.output.max(other.output),
            reasoning: of(|price| price.reasoning, output),
            image_output: of(|price| price.image_output, output),
            audio_output: of(|price| price.audio_output, output),
            requests: self.requests.max(other.requests),
            web_searches: self.web_searches.max(other.web_searches),
            long_context: match (self.long_context, other.long_context) {
                (Some(one), Some(two)) => Some(one.max(two)),
                (one, two) => one.or(two),
            },
        }
    }
}

/// A price in nano-dollars (1e-9 USD) per million tokens. In files it is a decimal string of dollars per million
/// tokens, such as `"0.15"`, with up to nine decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMillion(i64);

/// The text is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a price: write dollars per million tokens as a string, such as \"0.15\", with at most 9 decimals"
)]
pub struct NotAPrice(pub String);

impl PerMillion {
    /// Nano-dollars per million tokens.
    #[must_use]
    pub fn nano_dollars(self) -> i64 {
        self.0
    }

    /// What `tokens` tokens cost in nano-dollars, rounded up. `i64::MAX` where it is more than that.
    #[must_use]
    pub fn cost(self, tokens: u64) -> i64 {
        let exact = i128::from(self.0) * i128::from(tokens);
        i64::try_from((exact + 999_999) / 1_000_000).unwrap_or(i64::MAX)
    }
}

impl FromStr for PerMillion {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let nano = || {
            let whole: i64 = whole.parse().ok()?;
            let decimals: i64 = format!("{decimals:0<9}").parse().ok()?;
            whole.checked_mul(1_000_000_000)?.checked_add(decimals)
        };
        if digits(whole) && digits(decimals) && decimals.len() <= 9 { nano() } else { None }
            .map(Self)
            .ok_or_else(|| NotAPrice(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for PerMillion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for PerMillion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (whole, decimals) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        serializer.collect_str(&format_args!("{whole}.{decimals:09}"))
    }
}

impl JsonSchema for PerMillion {
    fn schema_name() -> Cow<'static, str> {
        "PerMillion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,9})?$" })
    }
}

impl ModelInfo {
    /// The price at `endpoint` on a day: that of the first variant that fits. Where it is unknown whether one fits,
    /// the highest of all that may, so that a reservation is never too small.
    #[must_use]
    pub fn price_at(&self, endpoint: &EndpointProfile, on: NaiveDate) -> Price {
        let mut highest = None::<Price>;
        let in_force = |variant: &&PriceVariant| {
            variant.from.is_none_or(|from| from <= on) && variant.until.is_none_or(|until| on < until)
        };
        for variant in self.variants.iter().filter(in_force) {
            match variant.scope.matches(endpoint) {
                Match::Yes => return highest.map_or(variant.price, |price| price.max(variant.price)),
                Match::Maybe => {
                    highest = Some(highest.map_or(variant.price, |price| price.max(variant.price)));
                }
                Match::No => {}
            }
        }
        highest.map_or(self.price, |price| price.max(self.price))
    }

    /// The days on which its price may change.
    pub fn price_changes(&self) -> impl Iterator<Item = NaiveDate> {
        self.variants.iter().flat_map(|variant| variant.from.into_iter().chain(variant.until))
    }

    /// Whether the entry says this of the model.
    #[must_use]
    pub fn says(&self, what: Unsaid) -> bool {
        match what {
            Unsaid::ContextTokens => self.context_tokens.is_some(),
            Unsaid::MaxOutputTokens => self.max_output_tokens.is_some(),
            Unsaid::Tools => self.tools.is_some(),
        }
    }

    /// Whether the entry is about a model of this name.
    #[must_use]
    pub fn is_named(&self, model: &str) -> bool {
        self.model.as_str() == model || self.also.iter().any(|name| name == model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> PerMillion {
        text.parse().unwrap()
    }

    #[test]
    fn prices_are_exact() {
        assert_eq!(price("0.15").nano_dollars(), 150_000_000);
        assert_eq!(price("0.00875").nano_dollars(), 8_750_000);
        assert_eq!(price("75").nano_dollars(), 75_000_000_000);
        assert_eq!(serde_json::to_string(&price("1.0725")).unwrap(), "\"1.072500000\"");
        for wrong in ["", "-1", "1e-6", ".5", "1.", "1.0000000001", "0,15", "+1", "9999999999999"] {
            assert!(wrong.parse::<PerMillion>().is_err(), "{wrong:?}");
        }
        assert!(serde_json::from_str::<PerMillion>("0.15").is_err(), "a float is no price");
    }

    #[test]
    fn a_price_is_in_force_from_a_day_until_a_day() {
        let model: ModelInfo = serde_json::from_value(serde_json::json!({
            "service": "s", "model": "m", "kind": "chat", "input": ["text"], "evidence": [],
            "price": { "input": "1", "output": "2" },
            "variants": [
                { "from": "2027-01-01", "until": "2027-02-01", "price": { "input": "3", "output": "4", "reasoning": "9" } },
                { "from": "2027-02-01", "price": { "input": "5", "output": "6", "requests": "10" } },
            ],
        }))
        .unwrap();
        let input = |day: &str| {
            model.price_at(&EndpointProfile::default(), day.parse().unwrap()).input.nano_dollars()
                / 1_000_000_000
        };
        let days = ["2026-12-31", "2027-01-01", "2027-01-31", "2027-02-01", "2099-01-01"];
        assert_eq!(days.map(input), [1, 3, 3, 5, 5]);
        assert_eq!(model.price_changes().count(), 3);
        let [one, two] = &model.variants[..] else { panic!() };
        let dearest = one.price.max(two.price);
        assert_eq!(dearest.reasoning, Some(price("9")));
        assert_eq!((dearest.requests, dearest.cache_write), (Some(price("10")), None));
    }

    #[test]
    fn costs_are_rounded_up_and_never_overflow() {
        assert_eq!(price("0.15").cost(1_000_000), 150_000_000);
        assert_eq!(price("0.15").cost(1), 150);
        assert_eq!(price("0.00875").cost(1), 9);
        assert_eq!(price("0.15").cost(0), 0);
        assert_eq!(price("75").cost(u64::MAX), i64::MAX);
    }
}
