//! What can be asked for, and what an approval of it brings about.

use bailiwick_policy::{Exception, scope};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::admin::input::part;
use crate::admin::{Problem, budgets, keys};
use crate::app::App;
use crate::budgets::format_usd;
use crate::identity::Permit;
use crate::store::requests::{Effect, Request};

/// The member of a request for a key that nobody is shown.
pub(super) const SECRET_HASH: &str = "secret_hash";
/// How long content may be read for one approval, at most.
const CONTENT_DAYS: i64 = 7;
/// When a key ends that somebody approves, where who asks does not say, and at the latest.
const KEY_DAYS: i64 = 90;
const LONGEST_KEY_DAYS: i64 = 365;
const DAY_MS: i64 = 86_400_000;

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    /// That a rule is waived somewhere for a time.
    Exception,
    /// More money for a time.
    BudgetRaise,
    /// To read prompts and answers of a scope for a time.
    ContentAccess,
    /// A virtual key.
    Key,
}

impl Wanted {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::BudgetRaise => "budget_raise",
            Self::ContentAccess => "content_access",
            Self::Key => "key",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Exception, Self::BudgetRaise, Self::ContentAccess, Self::Key]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedException {
    rule: String,
    scope: String,
    until: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRaise {
    budget: i64,
    amount_usd: String,
    #[serde(default = "window")]
    until: String,
}

fn window() -> String {
    String::from("window")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedContent {
    scope: String,
    until: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct WantedKey {
    key: Value,
    id: String,
    secret_hash: String,
}

/// The field of a request's body that says what is wanted.
const WANTED: &str = "/wanted";

fn read<T: DeserializeOwned>(wanted: &Value) -> Result<T, Problem> {
    part(wanted).map_err(|problem| problem.within(WANTED))
}

fn wrong(field: &str, told: &str) -> Problem {
    Problem::wrong_field(&format!("{WANTED}/{field}"), told)
}

/// A request that is right, and not asked yet.
pub(super) struct Asked {
    pub(super) scope: String,
    /// As it is kept.
    pub(super) wanted: Value,
    /// As the log is told.
    pub(super) told: Value,
    /// A key's written form, for who asks alone.
    pub(super) key: Option<String>,
}

/// Checks what is asked for.
pub(super) async fn asked(
    app: &App,
    permit: &Permit,
    kind: Wanted,
    wanted: Value,
    reason: &str,
) -> Result<Asked, Problem> {
    let same = |scope: String, wanted: Value| Asked { scope, told: wanted.clone(), wanted, key: None };
    match kind {
        Wanted::Exception => {
            let exception: WantedException = read(&wanted)?;
            scope::validate(&exception.scope).map_err(|why| wrong("scope", &why))?;
            permit.at(&exception.scope, "scope")?;
            check_exception(app, &exception)?;
            Ok(same(exception.scope, wanted))
        }
        Wanted::BudgetRaise => {
            let raise: WantedRaise = read(&wanted)?;
            if raise.until == "always" {
                return Err(wrong("until", "a raise that somebody approves has an end"));
            }
            let planned =
                budgets::plan(app, raise.budget, raise.amount_usd, raise.until, reason, permit.subject())
                    .await?;
            if planned.top_up.until_ms.is_none() {
                return Err(wrong("until", "the window of this budget has no end: name a time"));
            }
            permit.at(&planned.scope, "budget")?;
            Ok(same(planned.scope, wanted))
        }
        Wanted::ContentAccess => {
            let content: WantedContent = read(&wanted)?;
            scope::validate(&content.scope).map_err(|why| wrong("scope", &why))?;
            permit.at(&content.scope, "scope")?;
            check_content(app, &content)?;
            Ok(same(content.scope, wanted))
        }
        Wanted::Key => {
            let wanted = with_an_end(app, wanted);
            let planned = keys::plan(app, read(&wanted)?, |scope| permit.at(scope, "scope")).await;
            let planned = planned.map_err(|problem| problem.within(WANTED))?;
            check_end(app, planned.row.expires_ms)?;
            let hash = hex::encode(&planned.row.secret_hash);
            Ok(Asked {
                told: json!({ "key": planned.row.id, "wanted": keys::told(app, &planned.row) }),
                wanted: json!({ "key": wanted, "id": planned.row.id, (SECRET_HASH): hash }),
                scope: planned.row.scope,
                key: Some(planned.key.reveal()),
            })
        }
    }
}

fn check_exception(app: &App, wanted: &WantedException) -> Result<(), Problem> {
    let snapshot = app.gateway.snapshot.load();
    let bundle = snapshot.policy.bundle();
    if !bundle.rules.iter().any(|rule| rule.id == wanted.rule) {
        return Err(wrong("rule", &format!("the policy in force has no rule `{}`", wanted.rule)));
    }
    let days = i64::from(bundle.settings.max_exception_days);
    within(app, wanted.until, days)
}

fn check_content(app: &App, wanted: &WantedContent) -> Result<(), Problem> {
    within(app, wanted.until, CONTENT_DAYS)
}

/// The key that is asked for, with the usual end where none is said: who approves sees it.
fn with_an_end(app: &App, mut key: Value) -> Value {
    let usual_ms = app.gateway.clock.now_ms().saturating_add(KEY_DAYS * DAY_MS);
    if let (Some(key), Some(end)) = (key.as_object_mut(), DateTime::from_timestamp_millis(usual_ms)) {
        let expires = key.entry("expires").or_insert(Value::Null);
        if expires.is_null() {
            *expires = json!(end);
        }
    }
    key
}

fn check_end(app: &App, expires_ms: Option<i64>) -> Result<(), Problem> {
    let latest_ms = app.gateway.clock.now_ms().saturating_add(LONGEST_KEY_DAYS * DAY_MS);
    if expires_ms.is_some_and(|at_ms| at_ms <= latest_ms) {
        return Ok(());
    }
    Err(wrong("expires", &format!("a key that somebody approves ends within {LONGEST_KEY_DAYS} days")))
}

fn within(app: &App, until: DateTime<Utc>, days: i64) -> Result<(), Problem> {
    let ahead_ms = until.timestamp_millis() - app.gateway.clock.now_ms();
    if ahead_ms <= 0 || ahead_ms > days * DAY_MS {
        return Err(wrong("until", &format!("it is within {days} days to come")));
    }
    Ok(())
}

/// What an approval brings about.
#[derive(Default)]
pub(super) struct Granted {
    pub(super) effect: Effect,
    pub(super) made: Value,
    pub(super) until_ms: Option<i64>,
    pub(super) before: Value,
    pub(super) after: Value,
}

/// What an approval brings about now: checked anew, since what was right when it was asked may be so no more.
pub(super) async fn granted(app: &App, permit: &Permit, request: &Request) -> Result<Granted, Problem> {
    let kind = Wanted::of(&request.kind).ok_or_else(|| Problem::not_found("request"))?;
    match kind {
        Wanted::Exception => exception(app, permit, request),
        Wanted::BudgetRaise => {
            let raise: WantedRaise = read(&request.wanted)?;
            let (amount, until) = (raise.amount_usd, raise.until);
            let planned =
                budgets::plan(app, raise.budget, amount, until, &request.reason, permit.subject()).await?;
            let before = planned.limit_nano;
            let after = before.saturating_add(planned.top_up.amount_nano);
            Ok(Granted {
                until_ms: planned.top_up.until_ms,
                made: json!({ "top_up": planned.top_up.id }),
                before: json!({ "budget": raise.budget, "limit_usd": format_usd(before) }),
                after: json!({
                    "budget": raise.budget, "limit_usd": format_usd(after), "top_up": planned.top_up.id,
                }),
                effect: Effect { top_up: Some(planned.top_up), ..Effect::default() },
            })
        }
        Wanted::ContentAccess => {
            let content: WantedContent = read(&request.wanted)?;
            check_content(app, &content)?;
            Ok(Granted {
                until_ms: Some(content.until.timestamp_millis()),
                after: json!({ "reads_content_of": content.scope }),
                ..Granted::default()
            })
        }
        Wanted::Key => {
            let mut asked: WantedKey = read(&request.wanted)?;
            // Only who asked holds it: it is theirs, and ends with them.
            if request.principal.starts_with("user:")
                && let Some(key) = asked.key.as_object_mut()
            {
                let owner = key.entry("owner").or_insert(Value::Null);
                if owner.is_null() {
                    *owner = Value::String(request.principal.clone());
                }
            }
            // What was asked by an older version may have none.
            let planned = keys::plan(app, read(&with_an_end(app, asked.key))?, |_| Ok(())).await?;
            let (mut row, mut own) = (planned.row, planned.own);
            // The secret is the one that was shown to who asked.
            let mine = row.id.clone();
            row.id.clone_from(&asked.id);
            row.secret_hash = hex::decode(&asked.secret_hash).map_err(|_| Problem::not_found("request"))?;
            for budget in own.iter_mut().filter(|budget| budget.key_id.as_ref() == Some(&mine)) {
                budget.key_id = Some(asked.id.clone());
            }
            Ok(Granted {
                until_ms: row.expires_ms,
                made: json!({ "key": asked.id }),
                after: json!({ "key": asked.id, "granted": keys::told(app, &row) }),
                effect: Effect { key: Some((row, own)), ..Effect::default() },
                ..Granted::default()
            })
        }
    }
}

/// Git owns exceptions: an approved one is a file to commit.
fn exception(app: &App, permit: &Permit, request: &Request) -> Result<Granted, Problem> {
    let wanted: WantedException = read(&request.wanted)?;
    check_exception(app, &wanted)?;
    let now = DateTime::from_timestamp_millis(app.gateway.clock.now_ms()).unwrap_or_default();
    let id = request.id.replace('_', "-");
    let exception = Exception {
        id: id.clone(),
        rule: wanted.rule.clone(),
        scope: wanted.scope,
        reason: request.reason.clone(),
        approved_by: permit.actor().name.clone(),
        approved_on: now.date_naive(),
        from: now,
        until: wanted.until,
        file: String::new(),
        line: 0,
    };
    let yaml = serde_norway::to_string(&exception).map_err(|error| Problem::invalid(error.to_string()))?;
    let path = format!("exceptions/{id}.yaml");
    Ok(Granted {
        until_ms: Some(wanted.until.timestamp_millis()),
        after: json!({ "rule": wanted.rule, "proposed": path }),
        made: json!({ "path": path, "yaml": yaml }),
        ..Granted::default()
    })
}
