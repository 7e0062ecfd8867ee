//! `/reached`: handler.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use serde::Deserialize;

use super::visit::{Visit, either};
use crate::api::{Problem, Typed, WrongField};
use crate::pages::errors::PageError;
use crate::pages::reached::{self, Reached, ReachedPage};
use crate::pages::{address, times};

/// What is asked for where nothing else is said: the last day.
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

#[derive(Deserialize)]
struct Named {
    name: String,
    operator: String,
}

#[derive(Deserialize)]
struct Names {
    endpoints: Vec<Named>,
}

/// `GET /reached`.
pub(super) async fn page(
    visit: Visit,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let Ok(Query(pairs)) = query else { return super::refuse(&visit.frame, PageError::BadRequest) };
    either(shown(&visit, Typed::new(pairs)).await)
}

async fn shown(visit: &Visit, typed: Typed) -> Result<Response, Response> {
    let names: Option<Names> = visit.offered("console:endpoints", "/api/v1/endpoints?limit=1000").await?;
    let names = names.map(|names| names.endpoints).unwrap_or_default();
    let mut providers: Vec<String> = names.iter().map(|named| named.operator.clone()).collect();
    providers.sort();
    providers.dedup();
    let mut shown = ReachedPage {
        endpoints: names.into_iter().map(|named| named.name).collect(),
        providers,
        scopes: visit.scopes("console:decisions", "read").await?,
        ..ReachedPage::default()
    };
    let title = visit.lang().text().reached_pages.title;
    let asked = FIELDS.iter().any(|name| typed.text(name).is_some());
    if !asked || (typed.text("from").is_none() && typed.text("to").is_none()) {
        // From a link that only says where: the day until now is offered.
        let now = visit.now_ms() - visit.now_ms().rem_euclid(MINUTE_MS) + MINUTE_MS;
        let typed = typed.with("from", times::write(now - DAY_MS)).with("to", times::write(now));
        return Ok(visit.show(title, || reached::page(&visit.frame, &shown, &typed, None)));
    }
    let problem = match question(visit, &typed) {
        Ok([csv, jsonl, target]) => match visit.ask_for::<Reached>(&target).await {
            Ok(found) => {
                shown.next = found.next.clone().map(|cursor| {
                    let field =
                        |name: &str| (!typed.raw(name).is_empty()).then(|| typed.raw(name).to_owned());
                    address(
                        "/reached",
                        [
                            ("endpoint", field("endpoint")),
                            ("provider", field("provider")),
                            ("from", field("from")),
                            ("to", field("to")),
                            ("scope", field("scope")),
                            ("cursor", Some(cursor)),
                        ],
                    )
                });
                (shown.csv, shown.jsonl, shown.found) = (csv, jsonl, Some(found));
                return Ok(visit.show(title, || reached::page(&visit.frame, &shown, &typed, None)));
            }
            Err(problem) if problem.status == 401 => return Err(visit.fault(&problem)),
            Err(problem) => problem,
        },
        Err(errors) => Problem { status: 400, errors: errors.into(), ..Problem::default() },
    };
    Ok(visit.again(&problem, title, || reached::page(&visit.frame, &shown, &typed, Some(&problem))))
}

const FIELDS: [&str; 5] = ["endpoint", "provider", "from", "to", "scope"];

/// The question as the API takes it: as CSV, as JSON Lines, and a page.
fn question(visit: &Visit, typed: &Typed) -> Result<[String; 3], Vec<WrongField>> {
    let t = &visit.lang().text().reached_pages;
    let mut wrong = Vec::new();
    let mut says = |name: &str, detail: &str| {
        wrong.push(WrongField { parameter: Some(name.to_owned()), detail: detail.to_owned(), pointer: None });
    };
    let (endpoint, provider) = (typed.text("endpoint"), typed.text("provider"));
    if endpoint.is_some() == provider.is_some() {
        says("endpoint", t.missing_which);
    }
    let (from, to) = (times::read(typed.raw("from")), times::read(typed.raw("to")));
    for (name, at) in [("from", from), ("to", to)] {
        if at.is_none() {
            says(name, t.missing_time);
        }
    }
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        says("to", t.order);
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let target = |format: &str, limit: Option<&str>, cursor: Option<String>| {
        address(
            "/api/v1/reached",
            [
                ("endpoint", endpoint.clone()),
                ("provider", provider.clone()),
                ("from", from.map(times::rfc3339)),
                ("to", to.map(times::rfc3339)),
                ("scope", typed.text("scope")),
                ("format", Some(format.to_owned())),
                ("limit", limit.map(str::to_owned)),
                ("cursor", cursor),
            ],
        )
    };
    Ok([
        target("csv", None, None),
        target("jsonl", None, None),
        target("json", Some("100"), typed.text("cursor")),
    ])
}
