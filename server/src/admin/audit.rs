//! The audit log: exports, checkpoints, receipts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Extension, Path, State};
use axum::response::{IntoResponse, Response};
use bailiwick_ledger::Kind;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::Problem;
use super::input::{self, Asked};
use crate::app::{Act, App};
use crate::audit::ExportRequest;
use crate::gateway::{Named, api, authenticate};
use crate::identity::Permit;

#[derive(Debug, Default, Deserialize)]
pub(super) struct ExportQuery {
    from: Option<chrono::DateTime<chrono::Utc>>,
    to: Option<chrono::DateTime<chrono::Utc>>,
    scope: Option<String>,
    format: Option<String>,
}

/// `GET /api/v1/audit/export`: JSON Lines, streamed as it is made.
pub(super) async fn export(
    State(app): State<Arc<App>>,
    permit: Permit,
    query: Result<Asked<ExportQuery>, Problem>,
) -> Result<Response, Problem> {
    let Asked(query) = query?;
    let scope = query.scope.clone().unwrap_or_else(|| String::from("/"));
    bailiwick_policy::scope::validate(&scope).map_err(Problem::invalid)?;
    permit.at(&scope, "scope")?;
    if query.format.as_deref().is_some_and(|format| format != "jsonl") {
        return Err(Problem::invalid("`format` is `jsonl`: the form that can be verified"));
    }
    let request = ExportRequest {
        from_ms: query.from.map(|at| at.timestamp_millis()),
        to_ms: query.to.map(|at| at.timestamp_millis()),
        scope: query.scope,
        principal: Some(permit.subject().to_owned()),
    };
    // Written to a temporary file first: an export that fails half-way must not look like one that is whole.
    let file = tokio::task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|error| fault(&error))?
        .map_err(|error| fault(&error))?;
    let (written, counts) = app.gateway.audit.export(request, std::io::BufWriter::new(file)).await?;
    let file = written.into_inner().map_err(|error| fault(&error))?;
    let body = read_back(file).await.map_err(|error| fault(&error))?;
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"bailiwick-audit.jsonl\""),
    );
    headers.insert("x-bailiwick-records", counts.records.into());
    Ok(response)
}

async fn read_back(file: std::fs::File) -> std::io::Result<Body> {
    use tokio::io::AsyncSeekExt as _;
    let mut file = tokio::fs::File::from_std(file);
    file.rewind().await?;
    Ok(Body::from_stream(tokio_util::io::ReaderStream::new(file)))
}

fn fault(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "an export could not be written");
    Problem::new(
        http::StatusCode::SERVICE_UNAVAILABLE,
        "export_failed",
        "The export could not be written to the server's temporary folder",
    )
}

/// `GET /api/v1/audit/checkpoint`: the signed tree head, as a C2SP note.
pub(super) async fn checkpoint(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(app.gateway.audit.checkpoint().await?.to_string().into_response())
}

/// The body of `POST /api/v1/audit/pseudonym`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PseudonymOf {
    kind: Named,
    name: String,
}

/// `POST /api/v1/audit/pseudonym`: what the log calls a user, subject or session. In a body, because addresses are logged
/// on the way. Who asks is recorded: from here on they can follow somebody through the log.
pub(super) async fn pseudonym(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<input::Body<PseudonymOf>, Problem>,
) -> Result<Json<serde_json::Value>, Problem> {
    // Without the parser's words: they may repeat the name.
    let input::Body(of) = body.map_err(|_| {
        Problem::invalid("the body is `{\"kind\": \"user\"|\"subject\"|\"session\", \"name\": \"…\"}`")
    })?;
    let pseudonym = app.gateway.pseudonyms.of(of.kind, of.name.trim());
    let act = Act {
        kind: Kind::Admin,
        principal: permit.subject(),
        scope: Some("/"),
        name: "pseudonym_asked",
        what: serde_json::json!({ "pseudonym": pseudonym }),
    };
    let nothing = async { Ok::<_, Problem>(()) };
    app.act_aside(act, |()| serde_json::Value::Null, nothing).await?;
    Ok(Json(serde_json::json!({ "pseudonym": pseudonym })))
}

/// `GET /api/v1/audit/public-key`: what an auditor is given. Not a secret, so not guarded.
pub(super) async fn public_key(State(app): State<Arc<App>>) -> String {
    app.gateway.audit.public_key().to_string()
}

/// `GET /v1/decisions/{id}`: the receipt. For the key that made the request, and for people and tokens that may read
/// decisions of its scope.
pub(super) async fn receipt(
    State(app): State<Arc<App>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    permit: Option<Permit>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let found = match id {
        Ok(Path(id)) => found(&app, peer.map(|peer| peer.0.0.ip()), permit.as_ref(), &headers, &id).await,
        Err(_) => Err(no_decision()),
    };
    found
        .unwrap_or_else(|problem| api::refused(crate::providers::Api::OpenAi, &problem.into()).map(Body::new))
}

/// A decision that is not there, or not for who asks: the same words for both.
pub(super) fn no_decision() -> Problem {
    Problem::not_found("decision").fix(
        "its id is what the answer had in `x-bailiwick-decision`; ask with the key that made the request, or as somebody \
         who may read decisions of its scope",
    )
}

async fn found(
    app: &Arc<App>,
    peer: Option<IpAddr>,
    permit: Option<&Permit>,
    headers: &HeaderMap,
    id: &str,
) -> Result<Response, Problem> {
    let now_ms = app.gateway.clock.now_ms();
    let client = api::client(&app.gateway, peer, headers);
    let in_force = app.gateway.in_force();
    let key = in_force
        .as_ref()
        .ok()
        .and_then(|snapshot| authenticate::authenticate(headers, client, Arc::clone(snapshot), now_ms).ok());
    if key.is_none() && permit.is_none() {
        // Which keys are in force is not known: that is no fault of the key.
        if let Err(refusal) = in_force {
            let status = refusal.code.status();
            return Err(Problem::new(status, refusal.code.as_str(), "Which keys are in force is not known")
                .detail(refusal.message.clone()));
        }
        // Whoever is nobody here does not learn which decisions there are.
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Nobody known asks").detail(
            "send `Authorization: Bearer bwk_…` with the key that made the request, or `Bearer bwt_…` with a service \
             token, or sign in to the console",
        ));
    }
    let row = app.gateway.audit.decision_row(id).await?.ok_or_else(no_decision)?;
    let own = key.is_some_and(|auth| row.key_id.as_deref() == Some(auth.key_id()));
    if !own {
        // What is another key's, or outside the actor's scope, is not there.
        let at = permit.ok_or_else(no_decision)?.at(&row.scope, "decision");
        at.map_err(
            |problem| if problem.status() == StatusCode::NOT_FOUND { no_decision() } else { problem },
        )?;
    }
    let bytes = receipt_for(app, id).await?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A receipt's bytes.
///
/// # Errors
/// A [`Problem`] where there is no such decision or it cannot be proved.
pub async fn receipt_for(app: &App, id: &str) -> Result<Vec<u8>, Problem> {
    let receipt = app.gateway.audit.receipt(id).await?;
    receipt.to_bytes().map_err(|error| fault(&error))
}
