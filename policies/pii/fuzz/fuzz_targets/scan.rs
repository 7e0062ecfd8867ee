#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/it/bodies.rs"]
mod bodies;

fuzz_target!(|text: &str| bodies::scan(text));
