//! The strings of pages that the browser bundle has no part in, both languages of a page side by side.

mod audit;
mod budgets;
mod endpoints;
mod forms;
mod keys;
mod overview;
mod people;
mod policies;
mod reached;
mod requests;

pub use audit::AuditPages;
pub use budgets::BudgetPages;
pub use endpoints::{EndpointPages, SwitchPages};
pub use forms::Forms;
pub use keys::KeyPages;
pub use overview::OverviewPages;
pub use people::PeoplePages;
pub use policies::PolicyPages;
pub use reached::ReachedPages;
pub use requests::RequestPages;

pub(super) mod en {
    pub(crate) use super::audit::EN as AUDIT;
    pub(crate) use super::budgets::EN as BUDGETS;
    pub(crate) use super::endpoints::{EN as ENDPOINTS, SWITCH_EN as SWITCHES};
    pub(crate) use super::forms::EN as FORMS;
    pub(crate) use super::keys::EN as KEYS;
    pub(crate) use super::overview::EN as OVERVIEW;
    pub(crate) use super::people::EN as PEOPLE;
    pub(crate) use super::policies::EN as POLICIES;
    pub(crate) use super::reached::EN as REACHED;
    pub(crate) use super::requests::EN as REQUESTS;
}

pub(super) mod de {
    pub(crate) use super::audit::DE as AUDIT;
    pub(crate) use super::budgets::DE as BUDGETS;
    pub(crate) use super::endpoints::{DE as ENDPOINTS, SWITCH_DE as SWITCHES};
    pub(crate) use super::forms::DE as FORMS;
    pub(crate) use super::keys::DE as KEYS;
    pub(crate) use super::overview::DE as OVERVIEW;
    pub(crate) use super::people::DE as PEOPLE;
    pub(crate) use super::policies::DE as POLICIES;
    pub(crate) use super::reached::DE as REACHED;
    pub(crate) use super::requests::DE as REQUESTS;
}
