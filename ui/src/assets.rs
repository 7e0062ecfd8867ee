//! Files that the pages load. The server serves them, each under a name that carries the hash of its content.

/// The style sheet's text.
pub const CSS: &str = concat!(
    include_str!("../style/console.css"),
    include_str!("../style/pages.css"),
    include_str!("../style/overview.css")
);

/// The icon's text, an SVG document.
pub const ICON: &str = include_str!("../style/icon.svg");

/// Where the server serves the pages' files: absolute paths, for example `/assets/console-4f1d.css`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assets {
    /// [`CSS`].
    pub css: String,
    /// [`ICON`]; without it pages name none.
    pub icon: Option<String>,
    /// The browser bundle; without it pages are plain HTML and say so.
    pub script: Option<Script>,
}

/// The browser bundle's two files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The JavaScript module that `wasm-bindgen` made.
    pub js: String,
    /// The WebAssembly module.
    pub wasm: String,
}
