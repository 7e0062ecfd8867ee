//! The control plane's REST API under `/api/v1`: thin handlers that read, ask whether the actor may, act, record, answer.
//! Errors are RFC 9457 problem details. What changes something is recorded in the audit log before it happens.

mod alerts;
mod audit;
mod budgets;
mod credentials;
mod decisions;
mod endpoints;
mod etag;
mod explanations;
mod figures;
mod identity;
mod input;
mod keys;
mod kill_switches;
mod limits;
mod numbered;
mod once;
mod openapi;
mod organisation;
mod page;
mod plans;
mod policy;
mod problem;
mod reached;
mod replicas;
mod requests;
mod resources;
mod told;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};

pub use audit::receipt_for;
pub(crate) use budgets::scope_of as budget_scope;
pub(crate) use explanations::Explained;
pub(crate) use organisation::{created, recorded};
pub use problem::Problem;

use crate::app::{App, acts};
use crate::organisation::{
    BudgetDefinition, EndpointDefinition, LimitDefinition, ModelGroup, Scope, WorkloadDefinition,
};

/// The routes.
pub fn router(app: Arc<App>) -> axum::Router {
    axum::Router::new()
        .route("/api/v1/me", get(identity::me))
        .route("/api/v1/people", get(identity::people::list))
        .route("/api/v1/people/{id}", get(identity::people::get))
        .route("/api/v1/people/{id}/disable", post(identity::people::disable))
        .route("/api/v1/people/{id}/erase", post(identity::people::erase))
        .route("/api/v1/people/{id}/enable", post(identity::people::enable))
        .route("/api/v1/sessions", get(identity::sessions::list))
        .route("/api/v1/sessions/{id}", delete(identity::sessions::end))
        .route("/api/v1/service-tokens", get(identity::tokens::list).post(identity::tokens::create))
        .route("/api/v1/service-tokens/{id}", get(identity::tokens::get))
        .route("/api/v1/service-tokens/{id}/rotate", post(identity::tokens::rotate))
        .route("/api/v1/service-tokens/{id}/claim", post(identity::tokens::claim))
        .route("/api/v1/service-tokens/{id}/revoke", post(identity::tokens::revoke))
        .route("/api/v1/roles/explain", get(identity::roles::explain))
        .route("/api/v1/keys", get(keys::list).post(keys::create))
        .route("/api/v1/keys:bulk", post(keys::bulk))
        .route("/api/v1/keys:revoke-presented", post(keys::revoke_presented))
        .route("/api/v1/keys/{id}", get(keys::get).put(keys::put))
        .route("/api/v1/keys/{id}/rotate", post(keys::rotate))
        .route("/api/v1/keys/{id}/disable", post(keys::disable))
        .route("/api/v1/keys/{id}/enable", post(keys::enable))
        .route("/api/v1/keys/{id}/revoke", post(keys::revoke))
        .route("/api/v1/kill-switches", get(kill_switches::list).post(kill_switches::throw))
        .route("/api/v1/kill-switches/{id}", get(kill_switches::get).delete(kill_switches::lift))
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/alerts:test", post(alerts::test))
        .route("/api/v1/alerts/{id}", get(alerts::get))
        .route("/api/v1/alerts/{id}/acknowledge", post(alerts::acknowledge))
        .route("/api/v1/policy", get(policy::status))
        .route("/api/v1/policy/rules", get(policy::rules))
        .route("/api/v1/policy:notify", post(policy::notify))
        .route("/api/v1/requests", get(requests::list).post(requests::ask))
        .route("/api/v1/requests/{id}", get(requests::get))
        .route("/api/v1/requests/{id}/approve", post(requests::approve))
        .route("/api/v1/requests/{id}/refuse", post(requests::refuse))
        .route("/api/v1/requests/{id}/withdraw", post(requests::withdraw))
        .route("/api/v1/replicas", get(replicas::list))
        .route("/api/v1/replicas/{number}/lost", post(replicas::lost))
        .route("/api/v1/apply", post(organisation::apply))
        .route("/api/v1/organisation", get(organisation::export))
        .route("/api/v1/scopes", get(resources::list::<Scope>))
        .route(
            "/api/v1/scopes/{path}",
            get(resources::get::<Scope>).put(resources::put::<Scope>).delete(resources::end::<Scope>),
        )
        .route(
            "/api/v1/endpoints/{name}",
            get(resources::get::<EndpointDefinition>)
                .put(resources::put::<EndpointDefinition>)
                .delete(resources::end::<EndpointDefinition>),
        )
        .route("/api/v1/workloads", get(resources::list::<WorkloadDefinition>))
        .route(
            "/api/v1/workloads/{name}",
            get(resources::get::<WorkloadDefinition>)
                .put(resources::put::<WorkloadDefinition>)
                .delete(resources::end::<WorkloadDefinition>),
        )
        .route("/api/v1/credentials", get(credentials::list).post(credentials::create))
        .route("/api/v1/credentials:reseal", post(credentials::reseal))
        .route("/api/v1/credentials/{name}", get(credentials::get).delete(credentials::end))
        .route("/api/v1/credentials/{name}/rotate", post(credentials::rotate))
        .route("/api/v1/credentials/{name}/test", post(credentials::test))
        .route("/api/v1/endpoints", get(endpoints::list))
        .route("/api/v1/endpoints/explain", get(endpoints::explain))
        .route("/api/v1/endpoints/matrix", get(endpoints::matrix))
        .route("/api/v1/compliance", get(endpoints::compliance))
        .route(
            "/api/v1/compliance:impact",
            post(endpoints::impact).layer(axum::extract::DefaultBodyLimit::max(plans::LARGEST)),
        )
        .route("/api/v1/model-groups", get(resources::list::<ModelGroup>))
        .route(
            "/api/v1/model-groups/{name}",
            get(resources::get::<ModelGroup>)
                .put(resources::put::<ModelGroup>)
                .delete(resources::end::<ModelGroup>),
        )
        .route("/api/v1/budgets", get(budgets::list).post(numbered::create::<BudgetDefinition>))
        .route(
            "/api/v1/budgets/{id}",
            get(budgets::get)
                .put(numbered::put::<BudgetDefinition>)
                .delete(numbered::end::<BudgetDefinition>),
        )
        .route("/api/v1/limits", get(limits::list).post(numbered::create::<LimitDefinition>))
        .route(
            "/api/v1/limits/{id}",
            get(limits::get).put(numbered::put::<LimitDefinition>).delete(numbered::end::<LimitDefinition>),
        )
        .route("/api/v1/budgets/{id}/top-ups", post(budgets::top_up))
        .route(
            "/api/v1/policy:plan",
            post(plans::create).layer(axum::extract::DefaultBodyLimit::max(plans::LARGEST)),
        )
        .route("/api/v1/policy/kept/{kind}/{digest}", get(plans::kept))
        .route("/api/v1/decisions", get(decisions::list))
        .route("/api/v1/reached", get(reached::reached))
        .route("/api/v1/decisions/stream", get(decisions::stream))
        .route("/api/v1/decisions/{id}/explanation", get(explanations::explanation))
        .route("/api/v1/audit/export", get(audit::export))
        .route("/api/v1/audit/checkpoint", get(audit::checkpoint))
        .route("/api/v1/audit/pseudonym", post(audit::pseudonym))
        .route("/api/v1/audit/public-key", get(audit::public_key))
        .route("/v1/decisions/{id}", get(audit::receipt))
        .route("/api/openapi.json", get(openapi::document))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), once::once))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), to_its_end))
        .with_state(app)
}

/// A change goes to its end, whether or not the client waits for it; the server waits for it when it stops.
pub(crate) async fn to_its_end(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if *request.method() == http::Method::GET && !request.uri().path().starts_with("/auth/") {
        return next.run(request).await;
    }
    let client = acts::client();
    let answer = app.gateway.attempts.spawn(acts::asked_from(client, next.run(request))).await;
    answer.unwrap_or_else(|_| {
        let stopping = "The server is stopping";
        Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "unavailable", stopping).into_response()
    })
}
