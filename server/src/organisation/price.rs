//! What an endpoint costs: its own price or the list's, a markup, and the days on which either changes.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::EndpointDefinition;
use crate::budgets::{LongContext, Price, Prices, parse_markup, parse_usd};

/// Prices in US dollars a million tokens, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceUsd {
    /// Input.
    pub input: String,
    /// Cached input; as input where absent. So are the next four, but for the hour's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<String>,
    /// Input that is written into the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<String>,
    /// Input that is written into it to stay for an hour; as `cache_write` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<String>,
    /// Images in the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_input: Option<String>,
    /// Audio in the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<String>,
    /// Output.
    pub output: String,
    /// Reasoning; as output where absent. So are the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Images in the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_output: Option<String>,
    /// Audio in the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<String>,
    /// A million requests, whatever they hold; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<String>,
    /// A million searches of the web that the provider makes; not known where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_searches: Option<String>,
    /// What a request with a long input costs instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_context: Option<LongContextUsd>,
}

/// Prices of requests with a long input, for the whole request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongContextUsd {
    /// For requests with more input tokens than this.
    pub above_input_tokens: u64,
    /// Input.
    pub input: String,
    /// Cached input; as input where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<String>,
    /// Output.
    pub output: String,
}

/// What is different from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceChange {
    /// From the beginning of this day on, UTC.
    pub from: NaiveDate,
    /// The price then; as before where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceUsd>,
    /// The markup then; as before where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markup_percent: Option<String>,
}

/// What an endpoint declares of its prices, read.
#[derive(Debug, Clone)]
pub struct OwnPrices {
    /// From when on, ascending: price and markup of their own.
    steps: Vec<(NaiveDate, Option<Price>, i32)>,
}

impl PriceUsd {
    /// One price for all input and one for all output.
    #[must_use]
    pub fn of_text(input: &str, output: &str) -> Self {
        Self {
            input: input.to_owned(),
            cached_input: None,
            cache_write: None,
            cache_write_1h: None,
            image_input: None,
            audio_input: None,
            output: output.to_owned(),
            reasoning: None,
            image_output: None,
            audio_output: None,
            requests: None,
            web_searches: None,
            long_context: None,
        }
    }

    fn read(&self) -> Result<Price, String> {
        let input = parse_usd(&self.input)?;
        let output = parse_usd(&self.output)?;
        let part = |text: &Option<String>, otherwise: i64| text.as_deref().map_or(Ok(otherwise), parse_usd);
        let cache_write = part(&self.cache_write, input)?;
        Ok(Price {
            input,
            cached_input: part(&self.cached_input, input)?,
            cache_write,
            cache_write_1h: part(&self.cache_write_1h, cache_write)?,
            image_input: part(&self.image_input, input)?,
            audio_input: part(&self.audio_input, input)?,
            output,
            reasoning: part(&self.reasoning, output)?,
            image_output: part(&self.image_output, output)?,
            audio_output: part(&self.audio_output, output)?,
            requests: part(&self.requests, 0)?,
            web_searches: self.web_searches.as_deref().map(parse_usd).transpose()?,
            long: self.long_context.as_ref().map(LongContextUsd::read).transpose()?,
        })
    }
}

impl LongContextUsd {
    fn read(&self) -> Result<LongContext, String> {
        let input = parse_usd(&self.input)?;
        Ok(LongContext {
            above: self.above_input_tokens,
            input,
            cached_input: self.cached_input.as_deref().map_or(Ok(input), parse_usd)?,
            output: parse_usd(&self.output)?,
        })
    }
}

impl OwnPrices {
    /// What `endpoint` declares.
    ///
    /// # Errors
    /// In words.
    pub fn of(endpoint: &EndpointDefinition) -> Result<Self, String> {
        let mut price = endpoint.price.as_ref().map(PriceUsd::read).transpose()?;
        let mut markup = endpoint.markup_percent.as_deref().map_or(Ok(0), parse_markup)?;
        let mut steps = vec![(NaiveDate::MIN, price, markup)];
        let mut changes: Vec<&PriceChange> = endpoint.price_changes.iter().collect();
        changes.sort_by_key(|change| change.from);
        for change in changes {
            if steps.last().is_some_and(|(from, ..)| *from == change.from) {
                return Err(format!("two changes of its price on {}", change.from));
            }
            if change.price.is_none() && change.markup_percent.is_none() {
                return Err(format!("nothing changes on {}: give `price` or `markup_percent`", change.from));
            }
            if let Some(written) = &change.price {
                price = Some(written.read()?);
            }
            if let Some(written) = &change.markup_percent {
                markup = parse_markup(written)?;
            }
            steps.push((change.from, price, markup));
        }
        Ok(Self { steps })
    }

    /// Joined with the list: its own price where it has one, else the list's, and its markup on either.
    #[must_use]
    pub fn over(
        &self,
        list_changes: impl Iterator<Item = NaiveDate>,
        listed: impl Fn(NaiveDate) -> Option<Price>,
    ) -> Prices {
        let own_changes = self.steps.iter().map(|(from, ..)| *from);
        Prices::new(own_changes.chain(list_changes), |day| {
            let step = self.steps.iter().rev().find(|(from, ..)| *from <= day);
            let (own, markup) = step.map_or((None, 0), |(_, price, markup)| (*price, *markup));
            Some(own.or_else(|| listed(day))?.marked_up(markup))
        })
    }
}

/// The list's price as budgets reckon with it.
#[must_use]
pub fn listed(price: &bailiwick_compliance_db::Price) -> Price {
    let (input, output) = (price.input.nano_dollars(), price.output.nano_dollars());
    let part = |price: Option<bailiwick_compliance_db::PerMillion>, otherwise: i64| {
        price.map_or(otherwise, bailiwick_compliance_db::PerMillion::nano_dollars)
    };
    Price {
        input,
        cached_input: part(price.cached_input, input),
        cache_write: part(price.cache_write, input),
        cache_write_1h: part(price.cache_write_1h, part(price.cache_write, input)),
        image_input: part(price.image_input, input),
        audio_input: part(price.audio_input, input),
        output,
        reasoning: part(price.reasoning, output),
        image_output: part(price.image_output, output),
        audio_output: part(price.audio_output, output),
        requests: part(price.requests, 0),
        web_searches: price.web_searches.map(bailiwick_compliance_db::PerMillion::nano_dollars),
        long: price.long_context.map(|long| LongContext {
            above: long.above_input_tokens.into(),
            input: long.input.nano_dollars(),
            cached_input: part(long.cached_input, long.input.nano_dollars()),
            output: long.output.nano_dollars(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(prices: &str) -> EndpointDefinition {
        let text = format!(
            r#"{{"name": "e", "scope": "/acme", "models": [], "dialect": "vllm", "base_url": "https://e.example",
                "profile": {{"name": "e", "operator": "self", "service": "vllm", "model": "m"}}{prices}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn price_and_markup_change_on_their_days() {
        let endpoint = endpoint(
            r#", "markup_percent": "10", "price_changes": [
                {"from": "2027-04-01", "price": {"input": "3", "output": "4", "reasoning": "5"}},
                {"from": "2027-02-01", "markup_percent": "-50"}]"#,
        );
        let own = OwnPrices::of(&endpoint).unwrap();
        let list_change = day("2027-01-01");
        let dollar = 1_000_000_000;
        let prices = own.over([list_change].into_iter(), |on| {
            Some(Price::of_text(if on < list_change { dollar } else { 2 * dollar }, 0))
        });
        let at = |on: &str| {
            let at = day(on).and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
            prices.at(at).unwrap()
        };
        let days = ["2026-12-31", "2027-01-01", "2027-02-01", "2027-04-01"];
        let inputs = days.map(|on| at(on).input);
        assert_eq!(inputs, [1_100_000_000, 2_200_000_000, dollar, 1_500_000_000]);
        assert_eq!(at("2027-04-01").reasoning, 2_500_000_000);
        let unknown = own.over(std::iter::empty(), |_| None);
        assert_eq!(unknown.at(0), None);
    }

    #[test]
    fn what_cannot_be_a_price_is_told() {
        for (prices, says) in [
            (r#", "price": {"input": "-1", "output": "1"}"#, "`-1` is not an amount"),
            (r#", "price": {"input": "1", "output": "1", "requests": "99999999999999"}"#, "more US dollars"),
            (r#", "markup_percent": "12000""#, "no markup"),
            (r#", "price_changes": [{"from": "2027-01-01"}]"#, "nothing changes"),
            (
                r#", "price_changes": [{"from": "2027-01-01", "markup_percent": "1"},
                    {"from": "2027-01-01", "markup_percent": "2"}]"#,
                "two changes",
            ),
        ] {
            let error = OwnPrices::of(&endpoint(prices)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
