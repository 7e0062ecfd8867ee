//! The server's side of the console: data for its pages, its files, and who is looking.

mod api;
mod assets;
pub mod rows;
mod traffic;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bailiwick_policy::{Held, scope};
use bailiwick_ui::api::{Call, Caller, Problem};
use bailiwick_ui::console::{Console, ConsoleError};
use bailiwick_ui::view::{DecisionFilter, DecisionPage, DecisionView, Overview, Range, Traffic, Viewer};

pub use assets::{assets, router as asset_router};

use crate::app::App;
use crate::audit;
use crate::keys::secret;
use crate::store;

const PAGE: u64 = 50;
/// Rows looked at for one page of a filter that the database does not know: free text.
const LOOKED_AT: u64 = 2_000;
/// Decisions among which the database looks at a time for what no index leads to, and how often for one page.
const WINDOW: u64 = 20_000;
const WINDOWS: u64 = 3;
/// Keys that a filter offers, at most.
const CHOICES: usize = 500;
/// What a decision's id may be apart from the server's time.
const DAY_MS: i64 = 86_400_000;

/// The console's data.
#[derive(Debug, Clone)]
pub struct ServerConsole {
    app: Arc<App>,
    api: api::Api,
    recent: Arc<traffic::Recent>,
    base_url: String,
}

impl ServerConsole {
    /// The console of a server that people reach at `base_url`.
    #[must_use]
    pub fn new(app: Arc<App>, base_url: String) -> Self {
        Self { api: api::Api::new(&app), app, recent: Arc::default(), base_url }
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
            return Err(unseen(viewer, wanted));
        }
        let mut asked = audit::DecisionFilter {
            scope: Some(wanted.to_owned()),
            key_id: filter.key.clone(),
            model: filter.model.clone(),
            outcome: filter.outcome.map(|outcome| outcome.name().to_owned()),
            endpoint: filter.endpoint.clone(),
            from_ms: filter.from_ms,
            to_ms: filter.to_ms,
            redacted: filter.kind.clone(),
            floor: None,
        };
        // What no index leads to is looked for among so many at a time, so that no page reads the whole list.
        let unindexed = asked.key_id.is_some()
            || asked.model.is_some()
            || asked.outcome.is_some()
            || asked.endpoint.is_some()
            || asked.redacted.is_some();
        let words = filter.q.as_deref().map(str::to_lowercase);
        let audit = &self.app.gateway.audit;
        let mut rows = Vec::new();
        let mut before = match (&filter.before, filter.to_ms) {
            // Where the range ends is where the looking begins.
            (None, Some(to_ms)) if unindexed => {
                Some(store::replay::first_decision_of(to_ms.saturating_add(DAY_MS)))
            }
            (before, _) => before.clone(),
        };
        let (mut looked, mut windows) = (0, 0);
        let mut next = None;
        'pages: loop {
            if unindexed {
                let below = audit.decision_below(before.as_deref(), WINDOW).await;
                asked.floor = below.map_err(|error| unavailable(&error))?;
                windows += 1;
            }
            let found = audit
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
            if full {
                before = found.last().map(|row| row.id.clone());
            } else {
                // Below the window there may be more, but not before the range begins.
                let began =
                    filter.from_ms.map(|from| store::replay::first_decision_of(from.saturating_sub(DAY_MS)));
                before = asked.floor.take().filter(|floor| began.is_none_or(|began| *floor > began));
                if before.is_none() {
                    break;
                }
            }
            if looked >= LOOKED_AT || windows >= WINDOWS {
                next.clone_from(&before);
                break;
            }
        }
        let given_up = next.is_some() && (rows.len() as u64) < PAGE;
        let looked = given_up.then_some(if unindexed { windows * WINDOW } else { looked });
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
        let mut keys: Vec<(String, String)> = snapshot
            .keys()
            .filter(|key| sees(&key.scope))
            .map(|key| (key.id.clone(), key.name.clone()))
            .take(CHOICES)
            .collect();
        keys.sort_by(|(_, a), (_, b)| a.cmp(b));
        let mut endpoints: Vec<String> = snapshot.places.iter().map(|place| place.name.clone()).collect();
        endpoints.sort();
        let kinds = bailiwick_pii::EntityType::ALL.iter().map(ToString::to_string).collect();
        Ok(DecisionPage { rows, next, scopes, models, keys, endpoints, kinds, looked, activity })
    }

    async fn traffic(
        &self,
        viewer: &Viewer,
        range: Range,
        scope: Option<&str>,
    ) -> Result<Traffic, ConsoleError> {
        let sees = self.sight(viewer);
        let rights = viewer.rights.iter();
        let held = rights.filter(|right| right.object == "console:decisions" && right.action == "read");
        let scopes: Vec<String> = match scope {
            Some(scope) if !sees(scope) => return Err(unseen(viewer, scope)),
            Some(scope) => vec![scope.to_owned()],
            None => held.flat_map(|right| right.scopes.iter().cloned()).collect(),
        };
        if scopes.is_empty() {
            return Err(ConsoleError::Forbidden);
        }
        traffic::of(&self.app, &self.recent, range, &scopes, &sees).await.map_err(|error| unavailable(&error))
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

/// Why a viewer does not see a scope: as the API has it, who holds nothing there, above or below is not told that it is there.
fn unseen(viewer: &Viewer, scope: &str) -> ConsoleError {
    let mut held = viewer.rights.iter().flat_map(|right| &right.scopes);
    match held.any(|held| bailiwick_policy::scope::overlap(held, scope)) {
        true => ConsoleError::Forbidden,
        false => ConsoleError::NotFound,
    }
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
