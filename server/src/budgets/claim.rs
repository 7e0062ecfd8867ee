//! What is counted, and what an attempt asks for of each.

use std::fmt;
use std::str::FromStr;

use super::Amount;

/// What a budget counts. All but the first are *limits* of a rate: budgets of another unit with a short window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nano-dollars, as a budget: refused with `budget_exceeded`.
    #[default]
    Usd,
    /// Nano-dollars, as a limit.
    Spend,
    /// Requests: one each, however many endpoints are tried for it.
    Requests,
    /// Tokens of input and output.
    Tokens,
    /// Attempts under way at one time. Nothing of it is ever spent.
    Concurrent,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 5] = [Self::Usd, Self::Spend, Self::Requests, Self::Tokens, Self::Concurrent];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usd => "usd",
            Self::Spend => "spend",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrent => "concurrent",
        }
    }

    /// Whether it counts nano-dollars.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(self, Self::Usd | Self::Spend)
    }

    /// Whether it limits a rate.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        !matches!(self, Self::Usd)
    }

    /// Whether what is held may come back unspent. A request that is under way has been made.
    pub(super) const fn comes_back(self) -> bool {
        !matches!(self, Self::Requests)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|unit| unit.as_str() == text);
        known.ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            format!("`{shown}` is nothing that a budget counts: {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// What an attempt asks for on every budget and limit of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Nano-dollars.
    pub money: Amount,
    /// Tokens at worst.
    pub tokens: i64,
    /// One for the first attempt of a request.
    pub requests: i64,
    /// One where something is going to be under way.
    pub concurrent: i64,
}

impl Claim {
    /// Money and nothing else.
    #[must_use]
    pub const fn money(amount: Amount) -> Self {
        Self { money: amount, tokens: 0, requests: 0, concurrent: 0 }
    }

    /// One request, of which nothing is sent.
    pub const ONE_REQUEST: Self = Self { money: Amount::exactly(0), tokens: 0, requests: 1, concurrent: 0 };

    /// What of it concerns a budget of this unit, where it was cut down to `nano` nano-dollars.
    pub(super) const fn of(&self, unit: Unit, nano: i64) -> i64 {
        match unit {
            Unit::Usd | Unit::Spend => nano,
            Unit::Requests => self.requests,
            Unit::Tokens => self.tokens,
            Unit::Concurrent => self.concurrent,
        }
    }

    /// Whether a budget of this unit has no say in it.
    pub(super) const fn passes(&self, unit: Unit) -> bool {
        !unit.is_money() && self.of(unit, 0) <= 0
    }
}

/// What an attempt came to in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Nano-dollars.
    pub nano: i64,
    /// Tokens; as many as were held where nobody knows better.
    pub tokens: Option<i64>,
}

impl Cost {
    /// What is booked of `held` on a budget of this unit.
    pub(super) fn of(self, unit: Unit, held: i64) -> i64 {
        match unit {
            Unit::Usd | Unit::Spend => self.nano.max(0),
            Unit::Requests => held,
            Unit::Tokens => self.tokens.unwrap_or(held).max(0),
            Unit::Concurrent => 0,
        }
    }
}

/// How a limit stands, for those who send requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In a window.
    pub limit: i64,
    /// Left of it now, as far as this replica knows.
    pub remaining: i64,
    /// Until all of it is there again, milliseconds.
    pub resets_in_ms: i64,
}

/// The tightest limits of a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of requests.
    pub requests: Option<Rate>,
    /// Of tokens.
    pub tokens: Option<Rate>,
}

impl Rates {
    pub(super) fn add(&mut self, unit: Unit, rate: Rate) {
        let of_unit = match unit {
            Unit::Requests => &mut self.requests,
            Unit::Tokens => &mut self.tokens,
            Unit::Usd | Unit::Spend | Unit::Concurrent => return,
        };
        // Of two that leave the same, the one that lasts.
        let tightness = |rate: &Rate| (rate.remaining, std::cmp::Reverse(rate.resets_in_ms));
        if of_unit.as_ref().is_none_or(|known| tightness(&rate) < tightness(known)) {
            *of_unit = Some(rate);
        }
    }
}
