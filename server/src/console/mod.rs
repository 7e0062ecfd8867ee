//! The server's side of the console: data for its pages, its files, and who is looking.

mod api;
mod assets;
pub mod rows;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bailiwick_policy::{Held, scope};
use bailiwick_ui::api::{Call, Caller, Problem};
use bailiwick_ui::console::{Console, ConsoleError};
use bailiwick_ui::view::{DecisionFilter, DecisionPage, DecisionView, Overview, Viewer};

pub use assets::{assets, router as asset_router};

use crate::app::App;
use crate::audit;
use crate::keys::secret;
use crate::store;

const PAGE: u64 = 50;
/// Rows looked at for one page of a filter that the database does not know: free text.
const LOOKED_AT: u64 = 2_000;

/// The console's data.
#[derive(Debug, Clone)]
pub struct ServerConsole {
    app: Arc<App>,
    api: api::Api,
    base_url: String,
}

impl ServerConsole {
    /// The console of a server that people reach at `base_url`.
    #[must_use]
    pub fn new(app: Arc<App>, base_url: String) -> Self {
        Self { api: api::Api::new(&app), app, base_url }
    }
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
            now_ms: self.app.gateway.clock.now_ms(),
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
        let sees = self.sight(viewer);
        if !sees(wanted) {
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
                if sees(&row.scope) && words.as_ref().is_none_or(|words| rows::mentions(&view, words)) {
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
        let mut scopes: Vec<String> =
            snapshot.keys().flat_map(|key| scope::ancestors(&key.scope)).map(str::to_owned).collect();
        scopes.sort();
        scopes.dedup();
        scopes.retain(|path| sees(path));
        let mut models: Vec<String> =
            snapshot.places.iter().flat_map(|place| place.routes.keys().cloned()).collect();
        models.sort();
        models.dedup();
        let activity = if filter.before.is_none() { rows::activity(&rows) } else { Vec::new() };
        Ok(DecisionPage { rows, next, scopes, models, activity })
    }

    async fn decision(&self, viewer: &Viewer, id: &str) -> Result<Option<DecisionView>, ConsoleError> {
        let row = self.app.gateway.audit.decision_row(id).await.map_err(|error| unavailable(&error))?;
        let Some(row) = row.filter(|row| self.sight(viewer)(&row.scope)) else { return Ok(None) };
        view::decision(&self.app, &row).await.map(Some).map_err(|error| unavailable(&*error))
    }

    async fn scopes(&self, viewer: &Viewer, object: &str, action: &str) -> Result<Vec<String>, ConsoleError> {
        let scopes = store::scopes::list(&self.app.store).await.map_err(|error| unavailable(&error))?;
        let snapshot = self.app.gateway.snapshot.load_full();
        let held = held(viewer);
        let has = |path: &str| snapshot.policy.bundle().rbac.allows(&held, path, object, action);
        Ok(scopes.into_iter().map(|scope| scope.path).filter(|path| has(path)).collect())
    }

    async fn call(&self, caller: &Caller, call: Call) -> Result<serde_json::Value, Problem> {
        self.api.call(caller, call).await
    }
}

/// The names that policy lines know the viewer by.
fn held(viewer: &Viewer) -> Vec<Held> {
    viewer.names.iter().map(|(name, scope)| Held::new(name, scope)).collect()
}

impl ServerConsole {
    /// Tells of a scope whether the viewer may see its decisions.
    fn sight(&self, viewer: &Viewer) -> impl Fn(&str) -> bool + Send + Sync + use<> {
        let asked: Mutex<HashMap<String, bool>> = Mutex::default();
        let snapshot = self.app.gateway.snapshot.load_full();
        let held = held(viewer);
        move |scope| {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sees) = asked.get(scope) {
                return *sees;
            }
            let sees = snapshot.policy.bundle().rbac.allows(&held, scope, "console:decisions", "read");
            *asked.entry(scope.to_owned()).or_insert(sees)
        }
    }

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
