//! The whole server from outside: a real port, a real database, simulated providers that keep every byte they get.
#![allow(missing_docs, reason = "tests name themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

mod acts;
mod alerts;
mod answers;
mod api;
mod app;
mod audit;
mod bedrock;
mod books;
mod cli;
mod compliance;
mod contract;
mod crash;
mod credentials;
mod declared;
mod detectors;
mod disk;
mod eligible;
mod files;
mod git;
mod git_remote;
mod governed;
#[allow(dead_code, reason = "the tests of replicas use more of it")]
mod hook;
mod hostile;
mod identity;
mod idp;
mod input;
mod inside;
mod invariants;
mod keys;
mod kill_switch;
mod leavers;
mod limits;
mod lists;
mod mail;
mod matrix;
mod messages;
mod messages_costs;
mod messages_ends;
mod money;
#[allow(dead_code, reason = "the policy crate's tests use more of it")]
#[path = "../../../policies/engine/tests/it/naive.rs"]
mod naive;
mod oidc;
mod pages;
mod plan;
mod policy;
mod process;
#[allow(dead_code, reason = "the policy crate's tests use more of it")]
#[path = "../../../policies/engine/tests/it/random.rs"]
mod random;
mod replicas;
mod reply;
mod repository;
mod requests;
mod responses;
mod scim;
mod sdk;
mod secrecy;
mod sessions;
mod smuggling;
mod streaming;
#[path = "../support/mod.rs"]
mod support;
mod tags;
mod thoughts;
mod tls;
mod tokens;
mod told;
mod traffic;
mod transfer;
mod uncached;
mod vault;
mod way_out;
mod workloads;
