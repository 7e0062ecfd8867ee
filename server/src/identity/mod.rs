//! Who acts on the control plane, and what they may do: people by an identity provider, service tokens for automation, a
//! set-up link for the first run and a break-glass account for emergencies.
//!
//! What somebody may do is Casbin's to say (`rbac/` of the bundle). Each route names its right in one [table](ROUTES),
//! and one [gate](gate()) in front of all of them asks for it.

mod actor;
mod break_glass;
mod config;
mod csrf;
mod gate;
mod oidc;
mod routes;
mod session;
mod sign_in;
mod table;
mod token;
mod workload;

pub use actor::{Actor, ActorSession, Permit};
pub(crate) use actor::{PushedGroups, group_id, group_name, pushed_groups};
pub use break_glass::{BREAK_GLASS, hash_password};
pub(crate) use config::is_secure;
pub use config::{
    BreakGlassConfig, GroupSource, IdentityConfig, ProviderConfig, ScimAttribute, ScimConfig, SessionConfig,
    SigningAlgorithm,
};
pub use csrf::same_origin;
pub(crate) use gate::nobody;
pub use gate::{CSRF_HEADER, gate};
pub use oidc::Providers;
pub use routes::router;
pub(crate) use routes::{redirect, ways};
pub use session::{NewSession, SessionCookie, SessionError, new_setup_link};
pub(crate) use sign_in::written;
pub use table::{Needs, ROUTES, Route};
pub use token::{ServiceTokenText, TokenError, create_token};
pub use workload::Issuers;
