#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/it/bodies.rs"]
mod bodies;

fuzz_target!(|input: (&str, u16)| bodies::stream(input.0, usize::from(input.1)));
