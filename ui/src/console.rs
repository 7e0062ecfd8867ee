//! What the pages need from the server.

use async_trait::async_trait;
use serde_json::Value;

use crate::api::{Call, Caller, Problem};
use crate::view::{DecisionFilter, DecisionPage, DecisionView, Overview, Range, Traffic, Viewer};

/// The server's side of the console. Every method answers only what the viewer may see; anything else is absent, so that a page
/// can't tell "not there" from "not yours".
#[async_trait]
pub trait Console: Send + Sync + 'static {
    /// What the shell shows on every page.
    ///
    /// # Errors
    /// [`ConsoleError`] where it can't be read.
    async fn overview(&self, viewer: &Viewer) -> Result<Overview, ConsoleError>;

    /// One page of decisions, newest first.
    ///
    /// # Errors
    /// [`ConsoleError`] where the list can't be read or the viewer may not.
    async fn decisions(&self, viewer: &Viewer, filter: &DecisionFilter)
    -> Result<DecisionPage, ConsoleError>;

    /// Traffic in numbers, of `scope` and below, or of all that the viewer sees.
    ///
    /// # Errors
    /// [`ConsoleError`] where it can't be read or the viewer may not.
    async fn traffic(
        &self,
        viewer: &Viewer,
        range: Range,
        scope: Option<&str>,
    ) -> Result<Traffic, ConsoleError>;

    /// One decision; none where there is no such decision within the viewer's scope.
    ///
    /// # Errors
    /// [`ConsoleError`] where it can't be read or the viewer may not.
    async fn decision(&self, viewer: &Viewer, id: &str) -> Result<Option<DecisionView>, ConsoleError>;

    /// The scopes where the viewer has a right: an object and an action of policy lines. For forms to offer; the API decides.
    ///
    /// # Errors
    /// [`ConsoleError`] where they can't be read.
    async fn scopes(&self, viewer: &Viewer, object: &str, action: &str) -> Result<Vec<String>, ConsoleError>;

    /// What the API answers to who looks at the page. Everything else that pages show or change goes this way, so that no
    /// right is decided twice.
    ///
    /// # Errors
    /// The [`Problem`] that the API answers.
    async fn call(&self, caller: &Caller, call: Call) -> Result<Value, Problem>;
}

/// Why a page can't be made. Its text is for the server's log; the page shows words of its own.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The viewer's roles don't allow it: a 403 page.
    #[error("the viewer may not see this")]
    Forbidden,
    /// The viewer holds nothing there, so they are not told that it is there: a 404 page.
    #[error("there is nothing for the viewer")]
    NotFound,
    /// The server can't read what the page needs: a 500 page with this reference, which the server's log holds too.
    #[error("console data is unavailable, see log reference {reference}")]
    Unavailable {
        /// A reference to find the cause in the server's log.
        reference: String,
    },
}
