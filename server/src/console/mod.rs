//! The server's side of the console: data for its pages, its files, and who is looking.

mod assets;
pub mod rows;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bailiwick_policy::scope;
use bailiwick_ui::console::{Console, ConsoleError};
use bailiwick_ui::view::{DecisionFilter, DecisionPage, DecisionView, Overview, Viewer};

pub use assets::{assets, router as asset_router};

use crate::app::App;
use crate::audit;
use crate::identity::Actor;
use crate::keys::secret;

const PAGE: u64 = 50;
/// Rows looked at for one page of a filter that the database does not know: free text.
const LOOKED_AT: u64 = 2_000;

/// The console's data.
#[derive(Debug, Clone)]
pub struct ServerConsole {
    app: Arc<App>,
    base_url: String,
}

impl ServerConsole {
    /// The console of a server that people reach at `base_url`.
    #[must_use]
    pub fn new(app: Arc<App>, base_url: String) -> Self {
        Self { app, base_url }
    }
}

/// Puts the signed-in viewer into the request's extensions.
pub async fn viewer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    // Without the database nobody can be known; the page then sends the person to sign in.
    if let Ok(Some(actor)) = Actor::of(&app, request.headers()).await
        && actor.may(&app, &actor.scope, "console:decisions", "read")
    {
        let roles = actor.roles.iter().map(|role| role.trim_start_matches("role:").to_owned()).collect();
        request.extensions_mut().insert(Viewer { name: actor.name, roles, scope: actor.scope });
    }
    next.run(request).await
}

#[async_trait]
impl Console for ServerConsole {
    async fn overview(&self, viewer: &Viewer) -> Result<Overview, ConsoleError> {
        let checkpoint = self.app.gateway.audit.checkpoint().await.map_err(|error| unavailable(&error))?;
        let organisation = match scope::ancestors(&viewer.scope).next() {
            Some("/") | None => self.top_scope(),
            Some(path) => path.to_owned(),
        };
        Ok(Overview {
            organisation,
            log_size: checkpoint.unverified().size,
            bundle_digest: self.app.gateway.snapshot.load().bundle_digest.clone(),
            simulated: self.app.simulated,
            base_url: self.base_url.clone(),
            example_model: self.example_model(),
        })
    }

    async fn decisions(
        &self,
        viewer: &Viewer,
        filter: &DecisionFilter,
    ) -> Result<DecisionPage, ConsoleError> {
        let snapshot = self.app.gateway.snapshot.load_full();
        let wanted = filter.scope.as_deref().unwrap_or(&viewer.scope);
        if !scope::covers(&viewer.scope, wanted) {
            return Err(ConsoleError::Forbidden);
        }
        let asked = audit::DecisionFilter {
            scope: Some(wanted.to_owned()),
            model: filter.model.clone(),
            outcome: filter.outcome.map(|outcome| outcome.name().to_owned()),
            ..audit::DecisionFilter::default()
        };
        let words = filter.q.as_deref().map(str::to_lowercase);
        let mut rows = Vec::new();
        let mut before = filter.before.clone();
        let mut looked = 0;
        let mut next = None;
        'pages: loop {
            let found = self
                .app
                .gateway
                .audit
                .decisions(&asked, before.as_deref(), PAGE + 1)
                .await
                .map_err(|error| unavailable(&error))?;
            let full = found.len() as u64 > PAGE;
            for row in &found {
                if rows.len() as u64 == PAGE {
                    next = rows.last().map(|row: &bailiwick_ui::view::DecisionRow| row.id.clone());
                    break 'pages;
                }
                let view = rows::view(row, &snapshot);
                if words.as_ref().is_none_or(|words| rows::mentions(&view, words)) {
                    rows.push(view);
                }
            }
            looked += found.len() as u64;
            before = found.last().map(|row| row.id.clone());
            if !full {
                break;
            }
            if looked >= LOOKED_AT {
                next.clone_from(&before);
                break;
            }
        }
        let mut scopes: Vec<String> = snapshot
            .keys()
            .flat_map(|key| scope::ancestors(&key.scope))
            .filter(|path| scope::covers(&viewer.scope, path))
            .map(str::to_owned)
            .collect();
        scopes.sort();
        scopes.dedup();
        let mut models: Vec<String> =
            snapshot.places.iter().flat_map(|place| place.routes.keys().cloned()).collect();
        models.sort();
        models.dedup();
        let activity = if filter.before.is_none() { rows::activity(&rows) } else { Vec::new() };
        Ok(DecisionPage { rows, next, scopes, models, activity })
    }

    async fn decision(&self, viewer: &Viewer, id: &str) -> Result<Option<DecisionView>, ConsoleError> {
        let row = self.app.gateway.audit.decision_row(id).await.map_err(|error| unavailable(&error))?;
        let Some(row) = row.filter(|row| scope::covers(&viewer.scope, &row.scope)) else { return Ok(None) };
        view::decision(&self.app, &row).await.map(Some).map_err(|error| unavailable(&*error))
    }
}

impl ServerConsole {
    /// The model that most endpoints serve.
    fn example_model(&self) -> Option<String> {
        let snapshot = self.app.gateway.snapshot.load();
        let mut served = std::collections::BTreeMap::<&str, usize>::new();
        for model in snapshot.places.iter().flat_map(|place| place.routes.keys()) {
            *served.entry(model).or_default() += 1;
        }
        // Of two as common, the first by name.
        served.into_iter().rev().max_by_key(|(_, count)| *count).map(|(model, _)| model.to_owned())
    }

    /// The scope right below the root, where there is only one.
    fn top_scope(&self) -> String {
        let snapshot = self.app.gateway.snapshot.load();
        let mut tops: Vec<String> = snapshot
            .keys()
            .filter_map(|key| key.scope.split('/').nth(1))
            .map(|top| format!("/{top}"))
            .collect();
        tops.sort();
        tops.dedup();
        match tops.as_slice() {
            [only] => only.clone(),
            _ => String::from("/"),
        }
    }
}

fn unavailable(cause: &dyn std::fmt::Display) -> ConsoleError {
    let reference = secret::random::<4>().map(hex::encode).unwrap_or_default();
    tracing::error!(%cause, reference, "a page of the console could not be made");
    ConsoleError::Unavailable { reference }
}
