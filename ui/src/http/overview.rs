//! `/`: handler.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use serde::Deserialize;

use super::visit::{Visit, either};
use crate::pages::budgets::{Budget, Standing};
use crate::pages::endpoints::Summary;
use crate::pages::errors::PageError;
use crate::pages::keys::KeyList;
use crate::pages::kill_switches::Switch;
use crate::pages::overview::needs::{self, Attestation, Need, Policy};
use crate::pages::overview::{self, Endpoints, OverviewPage};
use crate::pages::requests::Asked;
use crate::view::Range;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RangeQuery {
    range: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Budgets {
    budgets: Vec<Budget>,
}

#[derive(Deserialize)]
struct Listed {
    endpoints: Vec<Summary>,
    #[serde(default)]
    unusable: Vec<String>,
}

#[derive(Deserialize)]
struct Thrown {
    kill_switches: Vec<Switch>,
}

#[derive(Deserialize)]
struct Requests {
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Me {
    subject: String,
}

#[derive(Deserialize)]
struct Compliance {
    #[serde(default)]
    attestations: Vec<Attestation>,
}

/// `GET /`.
pub(super) async fn page(visit: Visit, query: Result<Query<RangeQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let range = match query.range.as_deref().filter(|range| !range.is_empty()) {
        Some(name) => match Range::from_name(name) {
            Some(range) => range,
            None => return super::refuse(&visit.frame, PageError::BadRequest),
        },
        None => Range::default(),
    };
    let scope = query.scope.filter(|scope| !scope.is_empty());
    either(shown(&visit, range, scope).await)
}

async fn shown(visit: &Visit, range: Range, scope: Option<String>) -> Result<Response, Response> {
    let lang = visit.lang();
    let sees = visit.viewer.may("console:decisions", "read");
    let traffic = if sees {
        let traffic = visit.pages.console.traffic(&visit.viewer, range, scope.as_deref()).await;
        Some(traffic.map_err(|error| super::fault(&visit.frame, error))?)
    } else {
        None
    };
    let scopes = if sees { visit.scopes("console:decisions", "read").await? } else { Vec::new() };
    let budgets: Option<Budgets> = visit.offered("console:budgets", "/api/v1/budgets?limit=1000").await?;
    let endpoints: Option<Listed> =
        visit.offered("console:endpoints", "/api/v1/endpoints?limit=1000").await?;
    let keys: Option<KeyList> = visit.offered("console:keys", "/api/v1/keys?limit=1000").await?;
    let standing = budgets.map(|found| Standing {
        budgets: found.budgets,
        keys: keys.as_ref().map(|list| list.keys.clone()).unwrap_or_default(),
        ..Standing::default()
    });
    let mut waits = waiting(visit).await?;
    if let Some(standing) = &standing {
        waits.extend(needs::of_budgets(standing, lang));
    }
    if let Some(keys) = &keys {
        waits.extend(needs::of_keys(&keys.keys, visit.now_ms(), lang));
    }
    let shown = OverviewPage {
        range,
        scope,
        scopes,
        traffic,
        standing,
        endpoints: endpoints.map(|found| Endpoints { summaries: found.endpoints, unusable: found.unusable }),
        needs: waits,
    };
    let title = lang.text().overview_pages.title;
    Ok(visit.show(title, || overview::page(&visit.frame, &shown, visit.now_ms())))
}

/// What waits for somebody, of what is asked for here alone.
async fn waiting(visit: &Visit) -> Result<Vec<Need>, Response> {
    let lang = visit.lang();
    let mut waits = Vec::new();
    let policy: Option<Policy> = visit.offered("console:policy", "/api/v1/policy").await?;
    waits.extend(policy.map(|policy| needs::of_policy(&policy, lang)).unwrap_or_default());
    if visit.viewer.may("console:requests", "approve") {
        let open: Requests = visit.read("/api/v1/requests?state=open&limit=50").await?;
        let me: Me = visit.read("/api/v1/me").await?;
        waits.extend(needs::of_requests(&open.requests, &me.subject, &visit.viewer, lang));
    }
    let thrown: Option<Thrown> =
        visit.offered("console:kill-switches", "/api/v1/kill-switches?limit=100").await?;
    waits.extend(thrown.map(|found| needs::of_switches(&found.kill_switches, lang)).unwrap_or_default());
    let compliance: Option<Compliance> = visit.offered("console:endpoints", "/api/v1/compliance").await?;
    waits.extend(
        compliance.map(|found| needs::of_attestations(&found.attestations, lang)).unwrap_or_default(),
    );
    Ok(waits)
}
