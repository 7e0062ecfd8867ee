//! The console: pages that explain decisions.
//!
//! Pages are rendered whole on the server, as functions of plain data ([`view`]) that a [`Console`](console::Console) supplies; a
//! few islands come alive when the wasm bundle arrives. Everything works without it: links, forms and filters are plain HTML.

#[cfg(feature = "ssr")]
pub mod console;
pub mod view;
