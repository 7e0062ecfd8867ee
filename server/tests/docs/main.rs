//! The documentation, run: every command in it is executed against a demo, every output that it shows is compared with
//! what came out, and what the reference lists is compared with what there is.
//!
//! In the pages under test a fenced block is one of:
//!
//! | info string | what happens |
//! | --- | --- |
//! | `sh` | runs, in one shell a page, in order; must succeed |
//! | `sh by-hand` | does not run: what a reader does in another terminal or copies from the screen |
//! | `sh needs=openai` | runs where a Python with OpenAI's SDK is given, else is skipped aloud |
//! | `output` | what the block before printed; `…` stands for anything |
//! | a language and `file=NAME` | is written to that file |
//! | `json`, `yaml`, `toml` | must parse |
//! | `text` | nothing |
#![allow(missing_docs, reason = "tests name themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod demo;
mod page;
mod pages;
mod reference;
mod run;
mod sign_in;
