//! `GET /api/v1/reached`: what was sent to an endpoint, or to all of a provider, between two instants: the question of an
//! incident. It is answered out of the log's own records, so it tells of every attempt, those that were not answered and
//! those of detectors too.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Problem;
use super::input::Asked;
use super::page::Page;
use crate::app::App;
use crate::audit::AuditError;
use crate::identity::Permit;
use crate::store::StoreError;
use crate::store::replay::{self, DecisionRecord};

/// Records that tell that something was sent: a decision's with its first attempt, a later attempt's, a detector's.
const KINDS: [&str; 3] = ["decision", "attempt", "analysis"];
/// Records read at a time.
const BATCH: u64 = 2_000;
/// Records that one page looks through.
const MOST_LOOKED_AT: usize = 20_000;
/// How long before an attempt its request may have been decided.
const BEFORE_MS: i64 = 15 * 60_000;

/// Columns of a file, in order.
const COLUMNS: [&str; 13] = [
    "time",
    "decision",
    "kind",
    "number",
    "endpoint",
    "countries",
    "model",
    "scope",
    "key",
    "key_name",
    "data_classes",
    "redactions",
    "outcome",
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReachedQuery {
    endpoint: Option<String>,
    provider: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    scope: Option<String>,
    format: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Something that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Sent {
    /// When that it would be was durable: no byte left before.
    time_ms: i64,
    decision: String,
    /// `attempt`, or `detector` for one that looked for data before the decision.
    kind: &'static str,
    number: u32,
    endpoint: String,
    countries: Vec<String>,
    simulated: bool,
    /// The model that was asked for.
    model: Option<String>,
    scope: String,
    key: Option<String>,
    key_name: Option<String>,
    data_classes: Vec<String>,
    /// Redactions by kind, such as `EMAIL=2,IBAN=1`.
    redactions: Option<String>,
    /// How the request ended.
    outcome: Option<String>,
}

/// The sections `attempt` and `analysis`, as far as they tell where something went.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Went {
    number: u32,
    endpoint: String,
    countries: Vec<String>,
    simulated: bool,
}

/// What is looked for, and how far it was looked.
struct Search {
    app: Arc<App>,
    permit: Permit,
    endpoints: BTreeSet<String>,
    scope: String,
    from_ms: i64,
    to_ms: i64,
    /// The decision that the next records come after.
    after: String,
    before: String,
    done: bool,
    looked_at: usize,
    /// Records of which it is not known any more where they went.
    undisclosed: u64,
    covers: HashMap<String, bool>,
}

impl Search {
    /// Of the parameters of a query.
    fn of(
        app: Arc<App>,
        permit: Permit,
        query: &ReachedQuery,
        after: Option<String>,
    ) -> Result<Self, Problem> {
        let missing =
            |name: &str| Problem::wrong_parameter(name, "say it: an instant such as `2026-11-22T17:00:00Z`");
        let from_ms = query.from.ok_or_else(|| missing("from"))?.timestamp_millis();
        let to_ms = query.to.ok_or_else(|| missing("to"))?.timestamp_millis();
        if from_ms >= to_ms {
            return Err(Problem::wrong_parameter("to", "it is after `from`"));
        }
        let endpoints: BTreeSet<String> = match (&query.endpoint, &query.provider) {
            // One that is not declared any more can have been reached all the same.
            (Some(endpoint), None) => BTreeSet::from([endpoint.clone()]),
            (None, Some(provider)) => {
                let snapshot = app.gateway.snapshot.load();
                let of = snapshot.places.iter().filter(|place| place.operator == *provider);
                of.map(|place| place.name.clone()).collect()
            }
            _ => return Err(Problem::wrong_parameter("endpoint", "say either it or `provider`")),
        };
        if endpoints.is_empty() {
            return Err(Problem::wrong_parameter(
                "provider",
                "no endpoint is declared of it; of one that was, ask by the endpoint's name",
            ));
        }
        let scope = permit.scope(query.scope.clone())?;
        Ok(Self {
            after: after.unwrap_or_else(|| replay::first_decision_of(from_ms.saturating_sub(BEFORE_MS))),
            before: replay::first_decision_of(to_ms.saturating_add(BEFORE_MS)),
            app,
            permit,
            endpoints,
            scope,
            from_ms,
            to_ms,
            done: false,
            looked_at: 0,
            undisclosed: 0,
            covers: HashMap::new(),
        })
    }

    /// The next that were sent; none is not the end.
    async fn next(&mut self) -> Result<Vec<Sent>, AuditError> {
        let mut limit = BATCH;
        let page = loop {
            let mut page = replay::page(&self.app.store, &KINDS, &self.after, &self.before, limit).await?;
            if u64::try_from(page.len()).unwrap_or(u64::MAX) < limit {
                self.done = true;
                break page;
            }
            // The last decision may have records beyond the page.
            let last = page.last().map(|record| record.decision.clone()).unwrap_or_default();
            let whole = page.partition_point(|record| record.decision < last);
            if whole > 0 {
                page.truncate(whole);
                break page;
            }
            limit = limit.saturating_mul(2);
        };
        if let Some(last) = page.last() {
            self.after.clone_from(&last.decision);
        }
        self.looked_at = self.looked_at.saturating_add(page.len());
        let mut sent = Vec::new();
        for record in &page {
            if let Some(one) = self.sent(record)? {
                sent.push(one);
            }
        }
        self.tell(&mut sent).await?;
        Ok(sent)
    }

    fn sent(&mut self, record: &DecisionRecord) -> Result<Option<Sent>, StoreError> {
        let header = record.header()?;
        let scope = header.scope.unwrap_or_else(|| String::from("/"));
        if !(self.from_ms..self.to_ms).contains(&header.time)
            || !bailiwick_policy::scope::covers(&self.scope, &scope)
            || !self.covers(&scope)
        {
            return Ok(None);
        }
        let (kind, name) =
            if record.kind == "analysis" { ("detector", "analysis") } else { ("attempt", "attempt") };
        let sections = record.sections()?;
        let section = sections.iter().find(|section| section.name == name);
        let went: Option<Went> = section.and_then(|section| serde_json::from_slice(&section.bytes).ok());
        let Some(went) = went else {
            // A dry run has none and says so by committing to none; of one that was destroyed it is not known.
            if header.commitments.contains_key(name) {
                self.undisclosed = self.undisclosed.saturating_add(1);
            }
            return Ok(None);
        };
        Ok(self.endpoints.contains(&went.endpoint).then(|| Sent {
            time_ms: header.time,
            decision: record.decision.clone(),
            kind,
            number: went.number,
            endpoint: went.endpoint,
            countries: went.countries,
            simulated: went.simulated,
            scope,
            ..Sent::default()
        }))
    }

    fn covers(&mut self, scope: &str) -> bool {
        match self.covers.get(scope) {
            Some(covers) => *covers,
            None => {
                let covers = self.permit.covers(scope);
                *self.covers.entry(scope.to_owned()).or_insert(covers)
            }
        }
    }

    /// Adds what the list of decisions tells.
    async fn tell(&self, sent: &mut [Sent]) -> Result<(), AuditError> {
        let ids: Vec<String> = sent.iter().map(|one| one.decision.clone()).collect();
        let rows = self.app.gateway.audit.decision_rows(&ids).await?;
        let rows: HashMap<String, _> = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        let snapshot = self.app.gateway.snapshot.load_full();
        for one in sent {
            let Some(row) = rows.get(&one.decision) else { continue };
            one.model.clone_from(&row.model);
            one.key.clone_from(&row.key_id);
            one.key_name = row.key_id.as_deref().and_then(|id| snapshot.key(id)).map(|key| key.name.clone());
            let classes = row.classes.as_deref().unwrap_or_default().split(',');
            one.data_classes = classes.filter(|class| !class.is_empty()).map(str::to_owned).collect();
            one.redactions.clone_from(&row.redactions);
            one.outcome = Some(row.outcome.clone());
        }
        Ok(())
    }
}

/// `GET /api/v1/reached`.
pub(super) async fn reached(
    State(app): State<Arc<App>>,
    permit: Permit,
    query: Result<Asked<ReachedQuery>, Problem>,
) -> Result<Response, Problem> {
    let Asked(query) = query?;
    let format = query.format.as_deref().unwrap_or("json");
    if !["json", "jsonl", "csv"].contains(&format) {
        return Err(Problem::wrong_parameter("format", "it is `json`, `jsonl` or `csv`"));
    }
    let page = Page::of("reached", query.limit, query.cursor.as_deref())?;
    let mut search = Search::of(app, permit, &query, page.after.clone())?;
    if format != "json" {
        return Ok(file(search, format == "csv"));
    }
    let mut found = Vec::new();
    while !search.done && found.len() < page.limit && search.looked_at < MOST_LOOKED_AT {
        found.extend(search.next().await?);
    }
    if let Some(last) = cut(&mut found, page.limit) {
        (search.after, search.done) = (last, false);
    }
    let next = (!search.done).then(|| page.behind(&search.after));
    let mut answer = page.answer(&found, next);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(String::from("undisclosed"), json!(search.undisclosed));
        answer.insert(String::from("endpoints"), json!(search.endpoints));
    }
    Ok(axum::Json(answer).into_response())
}

/// Cuts what is more than a page behind a whole decision: of one that was sent several times all is on one page, even where that
/// is more. Which one is the last, where something was cut.
fn cut(found: &mut Vec<Sent>, limit: usize) -> Option<String> {
    let ends = |at: usize| match (found.get(at.wrapping_sub(1)), found.get(at)) {
        (Some(before), Some(after)) => before.decision != after.decision,
        _ => false,
    };
    let at = (1..=limit).rev().find(|at| ends(*at)).or_else(|| (limit..found.len()).find(|at| ends(*at)))?;
    if found.len() <= limit {
        return None;
    }
    found.truncate(at);
    found.last().map(|last| last.decision.clone())
}

/// All of it, as it is read. Where it breaks off the connection does too: half of it must not look like the whole.
fn file(search: Search, csv: bool) -> Response {
    struct Written {
        search: Search,
        head: bool,
        lines: VecDeque<String>,
    }
    let begin = Written { search, head: csv, lines: VecDeque::new() };
    let lines = futures::stream::try_unfold(begin, move |mut written| async move {
        if std::mem::take(&mut written.head) {
            return Ok(Some((Bytes::from(format!("{}\r\n", COLUMNS.join(","))), written)));
        }
        while written.lines.is_empty() && !written.search.done {
            let sent = written.search.next().await?;
            written.lines.extend(sent.iter().map(|one| if csv { row(one) } else { line(one) }));
        }
        if written.lines.is_empty() {
            return Ok::<_, AuditError>(None);
        }
        let some: String = written.lines.drain(..).collect();
        Ok(Some((Bytes::from(some), written)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let (kind, name) = match csv {
        true => ("text/csv; charset=utf-8", "attachment; filename=\"reached.csv\""),
        false => ("application/jsonl", "attachment; filename=\"reached.jsonl\""),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    response
}

fn line(sent: &Sent) -> String {
    format!("{}\n", json!(sent))
}

fn row(sent: &Sent) -> String {
    let time = DateTime::from_timestamp_millis(sent.time_ms).unwrap_or_default();
    let cells = [
        time.to_rfc3339_opts(SecondsFormat::Millis, true),
        sent.decision.clone(),
        sent.kind.to_owned(),
        sent.number.to_string(),
        sent.endpoint.clone(),
        sent.countries.join(" "),
        sent.model.clone().unwrap_or_default(),
        sent.scope.clone(),
        sent.key.clone().unwrap_or_default(),
        sent.key_name.clone().unwrap_or_default(),
        sent.data_classes.join(" "),
        sent.redactions.clone().unwrap_or_default(),
        sent.outcome.clone().unwrap_or_default(),
    ];
    format!("{}\r\n", cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(","))
}

/// A cell of RFC 4180. What a table would take for a formula gets an apostrophe in front: names are given by people.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    match text.contains(['"', ',', '\n', '\r', '\'']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_a_whole_decision() {
        let sent = |ids: &[&str]| -> Vec<Sent> {
            ids.iter().map(|id| Sent { decision: (*id).to_owned(), ..Sent::default() }).collect()
        };
        for (ids, limit, last, left) in [
            (&["a", "b", "b", "c"][..], 2, Some("a"), 1),
            (&["a", "b", "b", "c"], 3, Some("b"), 3),
            (&["a", "a", "a", "b"], 1, Some("a"), 3),
            (&["a", "a", "a"], 2, None, 3),
            (&["a", "b"], 2, None, 2),
        ] {
            let mut found = sent(ids);
            assert_eq!(cut(&mut found, limit).as_deref(), last, "{ids:?}, {limit}");
            assert_eq!(found.len(), left);
        }
    }

    #[test]
    fn a_name_is_no_formula_and_ends_no_cell() {
        assert_eq!(cell("plain name"), "plain name");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        assert_eq!(cell("two\nlines"), "\"two\nlines\"");
        let sent =
            Sent { decision: String::from("dec_1"), key_name: Some(String::from("@x")), ..Sent::default() };
        let row = row(&sent);
        assert!(row.starts_with("1970-01-01T00:00:00.000Z,dec_1,") && row.ends_with("\r\n"), "{row}");
        assert_eq!(row.matches(',').count() + 1, COLUMNS.len());
    }
}
