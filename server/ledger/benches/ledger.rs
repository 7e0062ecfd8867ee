//! Benches of what a request pays for.

fn main() {}
