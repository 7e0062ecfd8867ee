//! Who acts on the control plane: service tokens for automation, sessions for people.
//!
//! What they may do is Casbin's to say (`rbac/` of the bundle): a token or a person holds roles at a scope, and every
//! route of the API names the object and action that it asks for.

mod csrf;
mod guard;
mod routes;
mod session;
mod token;

pub use csrf::same_origin;
pub use guard::{Actor, require};
pub use routes::router;
pub use session::{SESSION_HOURS, SessionCookie, SessionError, new_setup_link};
pub use token::{ServiceTokenText, TokenError, create_token};
