//! The console: its pages in a real Chromium against the real server, and what they withstand.
//!
//! The browser is `BAILIWICK_TEST_CHROMIUM`; the bundle is the one that was built into the server (`cargo xtask test`
//! sees to both). Where either is missing the test says so and is skipped; with `BAILIWICK_TEST_STRICT=1` it fails.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test fails by panicking, and a skipped one says so"
)]

mod browser;
mod cdp;
mod defence;
mod endings;
mod forms;
mod pages;
mod server;
mod sso;
