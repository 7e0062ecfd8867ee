//! The console: pages that explain decisions.
//!
//! Pages are rendered whole on the server, as functions of plain data ([`view`]) that a [`Console`](console::Console) supplies; a
//! few islands come alive when the wasm bundle arrives. Everything works without it: links, forms and filters are plain HTML.

pub mod format;
mod islands;
mod parts;
pub mod text;
pub mod view;

#[cfg(feature = "ssr")]
pub mod api;
#[cfg(feature = "ssr")]
mod assets;
#[cfg(feature = "ssr")]
pub mod console;
#[cfg(feature = "ssr")]
mod http;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(feature = "ssr")]
mod preferences;

#[cfg(feature = "ssr")]
pub use assets::{Assets, CSS, ICON, Script};
#[cfg(feature = "ssr")]
pub use http::{SIGN_IN_PATH, error_page, is_local, router, sign_in_for, sign_in_page};
#[cfg(feature = "ssr")]
pub use pages::errors::PageError;
#[cfg(feature = "ssr")]
pub use pages::list::STREAM_PATH;
#[cfg(feature = "ssr")]
pub use pages::sign_in::{SignInNotice, SignInWays};

/// Readies the bundle: the page's loader calls it once, then each island's own function.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
