//! Limits of a rate, as declared: rows of the same table as budgets, of another unit.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::BudgetSettings;
use crate::budgets::{Unit, Window, parse_usd};
use crate::fault::Fault;
use crate::store;

/// The largest count that every reader of JSON holds exactly (RFC 8785 asks for I-JSON's integers).
const MOST: i64 = (1 << 53) - 1;

/// A limit of requests, tokens, spend or concurrency on a scope, on one key or on one user's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitDefinition {
    /// The scope that it holds for. Exactly one of this, `key` and `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The key's id; within one file, its name; or its scope and name: `/acme/lab/notebook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The user that it holds for: the `owner` of keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only requests for models of this group; for every model where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<String>,
    /// Requests. Exactly one of this and the next three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<i64>,
    /// Tokens of input and output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// US dollars, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_usd: Option<String>,
    /// Attempts under way at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<i64>,
    /// In any span of this length; not with `concurrent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    /// Whether it no longer holds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// How long a limit's window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Sixty seconds, in steps of ten.
    Minute,
    /// Sixty minutes, in steps of ten.
    Hour,
    /// 24 hours, in steps of one.
    Day,
}

impl Per {
    const fn window(self) -> Window {
        match self {
            Self::Minute => Window::LAST_MINUTE,
            Self::Hour => Window::LAST_HOUR,
            Self::Day => Window::LAST_DAY,
        }
    }

    /// The one whose window that is.
    pub(super) fn of(window: &Window) -> Option<Self> {
        [Self::Minute, Self::Hour, Self::Day].into_iter().find(|per| per.window() == *window)
    }
}

impl LimitDefinition {
    /// What it counts, in which window, and how much; or what is wrong with it by itself.
    ///
    /// # Errors
    /// In words.
    pub fn measure(&self) -> Result<(Unit, Window, i64), String> {
        let spend = self.spend_usd.as_deref().map(parse_usd).transpose()?;
        let given: Vec<(&str, Unit, i64)> = [
            ("requests", Unit::Requests, self.requests),
            ("tokens", Unit::Tokens, self.tokens),
            ("spend_usd", Unit::Spend, spend),
            ("concurrent", Unit::Concurrent, self.concurrent),
        ]
        .into_iter()
        .filter_map(|(name, unit, amount)| Some((name, unit, amount?)))
        .collect();
        let [(name, unit, amount)] = given[..] else {
            return Err(String::from(
                "a limit counts `requests`, `tokens`, `spend_usd` or `concurrent`: give one of them",
            ));
        };
        if amount < 1 {
            return Err(format!(
                "`{name}`: a limit is at least one; to let nothing through, disable the key or throw a kill switch"
            ));
        }
        if amount > MOST {
            return Err(format!("`{name}`: {amount} is more than can be counted; leave the limit out"));
        }
        let window = match (unit, self.per) {
            (Unit::Concurrent, None) => Window::Total,
            (Unit::Concurrent, Some(_)) => {
                return Err(String::from(
                    "`concurrent` counts what is under way at one time: leave out `per`",
                ));
            }
            (_, Some(per)) => per.window(),
            (_, None) => return Err(format!("`{name}` needs `per`: minute, hour or day")),
        };
        Ok((unit, window, amount))
    }

    /// What is wrong with it by itself.
    pub(super) fn problems(&self) -> Vec<Fault> {
        let mut problems: Vec<Fault> = self.measure().err().map(Fault::of_field("")).into_iter().collect();
        if [&self.scope, &self.key, &self.user].iter().filter(|holder| holder.is_some()).count() != 1 {
            problems
                .push(Fault::at("", "a limit holds for a `scope`, a `key` or a `user`: name one of them"));
        }
        if self.user.as_deref().is_some_and(|user| user.trim().is_empty()) {
            problems.push(Fault::at("/user", "a limit's `user` has no name"));
        }
        problems
    }

    pub(super) fn row(
        &self,
        ids: &HashMap<String, String>,
        now_ms: i64,
    ) -> Result<store::budgets::Budget, String> {
        let (unit, window, amount) = self.measure()?;
        let key = |key: &str| ids.get(key).cloned().unwrap_or_else(|| key.to_owned());
        let settings = BudgetSettings { retired: self.retired, ..BudgetSettings::default() };
        row(unit, window, amount, settings, now_ms).map(|row| store::budgets::Budget {
            scope: self.scope.clone(),
            key_id: self.key.as_deref().map(key),
            owner: self.user.clone(),
            model_group: self.models.clone(),
            ..row
        })
    }
}

fn row(
    unit: Unit,
    window: Window,
    amount: i64,
    settings: BudgetSettings,
    now_ms: i64,
) -> Result<store::budgets::Budget, String> {
    Ok(store::budgets::Budget {
        id: 0,
        scope: None,
        key_id: None,
        owner: None,
        model_group: None,
        window: window.to_string(),
        unit: unit.to_string(),
        limit_nano: amount,
        hard: true,
        thresholds: serde_json::json!([]),
        settings: serde_json::to_value(settings).map_err(|error| error.to_string())?,
        created_ms: now_ms,
    })
}

/// The limit that a key's `requests_per_minute` is. `line` is the first key of its line of rotations.
///
/// # Errors
/// In words.
pub fn own_limit(
    line: &str,
    requests_per_minute: std::num::NonZeroU32,
    now_ms: i64,
) -> Result<store::budgets::Budget, String> {
    let settings = BudgetSettings { of_key: true, ..BudgetSettings::default() };
    let amount = i64::from(requests_per_minute.get());
    let row = row(Unit::Requests, Window::LAST_MINUTE, amount, settings, now_ms)?;
    Ok(store::budgets::Budget { key_id: Some(line.to_owned()), ..row })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Unit, Window, i64), String> {
        let limit: LimitDefinition = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match limit.problems().into_iter().next() {
            Some(problem) => Err(problem.told),
            None => limit.measure(),
        }
    }

    #[test]
    fn a_limit_says_what_how_much_and_how_long() {
        let scope = r#""scope": "/acme""#;
        for (fields, measured) in [
            (r#""requests": 100, "per": "minute""#, (Unit::Requests, Window::LAST_MINUTE, 100)),
            (r#""tokens": 5, "per": "hour""#, (Unit::Tokens, Window::LAST_HOUR, 5)),
            (r#""spend_usd": "0.50", "per": "day""#, (Unit::Spend, Window::LAST_DAY, 500_000_000)),
            (r#""concurrent": 3"#, (Unit::Concurrent, Window::Total, 3)),
        ] {
            assert_eq!(read(&format!("{{{scope}, {fields}}}")), Ok(measured));
        }
        for (fields, says) in [
            (r#""per": "minute""#, "give one of them"),
            (r#""requests": 1, "tokens": 1, "per": "minute""#, "give one of them"),
            (r#""requests": 0, "per": "minute""#, "at least one"),
            (r#""requests": -1, "per": "minute""#, "at least one"),
            (r#""spend_usd": "-1", "per": "minute""#, "not an amount"),
            (r#""spend_usd": "0", "per": "minute""#, "at least one"),
            (r#""requests": 1.5, "per": "minute""#, "expected i64"),
            (r#""tokens": 9007199254740992, "per": "minute""#, "more than can be counted"),
            (r#""tokens": 99999999999999999999, "per": "minute""#, "expected i64"),
            (r#""requests": 1, "per": "second""#, "expected one of `minute`, `hour`, `day`"),
            (r#""requests": 1, "per": "fortnight""#, "expected one of `minute`, `hour`, `day`"),
            (r#""requests": 1"#, "needs `per`"),
            (r#""concurrent": 1, "per": "minute""#, "leave out `per`"),
            (r#""concurrent": 0"#, "at least one"),
            (r#""watts": 1, "per": "minute""#, "unknown field `watts`"),
            (r#""user": "u", "requests": 1, "per": "minute""#, "name one of them"),
        ] {
            let error = read(&format!("{{{scope}, {fields}}}")).unwrap_err();
            assert!(error.contains(says), "{fields}: {error}");
        }
        assert!(read(r#"{"requests": 1, "per": "minute"}"#).unwrap_err().contains("name one of them"));
    }
}
