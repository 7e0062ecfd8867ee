//! `/policies`: handler.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use serde::Deserialize;

use super::visit::{Visit, either};
use crate::pages::policies::{self, Held, RuleFilter, Status};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleQuery {
    q: Option<String>,
    mode: Option<String>,
}

/// `GET /policies`.
pub(super) async fn page(visit: Visit, query: Result<Query<RuleQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let given =
        |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = RuleFilter { q: given(query.q), mode: given(query.mode) };
    either(
        async {
            let status: Status = visit.read("/api/v1/policy").await?;
            let held: Held = visit.read("/api/v1/policy/rules").await?;
            let title = visit.lang().text().policy_pages.title;
            Ok(visit.show(title, || policies::page(&visit.frame, &status, &held, &filter, visit.now_ms())))
        }
        .await,
    )
}
