//! The load run as a person reads it.
#![expect(clippy::float_arithmetic, reason = "measurements")]

use serde_json::Value;

use super::spread::Spread;

/// Prints the tables; spreads are smallest / median / largest of the rounds.
pub(super) fn print(load: &Value) {
    let number =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
    println!(
        "\nLoad (smallest / median / largest of the rounds; body {} bytes)",
        number(load, "/body_bytes")
    );
    for run in list(load, "loads") {
        let rate = run.get("rate").and_then(Value::as_u64);
        let pace = rate.map_or("closed loop".to_owned(), |rate| format!("{rate} requests/s"));
        println!("\n  {} connections, {pace}", number(run, "/connections"));
        for (name, subject) in run.get("subjects").and_then(Value::as_object).into_iter().flatten() {
            let spread =
                |name: &str| subject.get(name).and_then(read).map(|s| s.to_string()).unwrap_or_default();
            println!("    {name:<10} CPU a request, µs   {}", spread("cpu_micros_per_request"));
            println!("    {:<10} requests a second   {}", "", spread("requests_per_second"));
            println!("    {:<10} latency p50, µs     {}", "", spread("latency_p50_micros"));
            println!("    {:<10} latency p99, µs     {}", "", spread("latency_p99_micros"));
        }
        for (name, pointer) in [("CPU a request", "/cpu_ratio"), ("latency p50", "/p50_ratio")] {
            if let Some(ratio) = run.pointer(pointer).and_then(read) {
                println!("    bailiwick / nginx, {name:<14} {ratio}");
            }
        }
        for (series, quantiles) in run.get("own").and_then(Value::as_object).into_iter().flatten() {
            println!(
                "    {series:<44} p50 {} µs, p99 {} µs",
                number(quantiles, "/p50"),
                number(quantiles, "/p99")
            );
        }
    }
    println!("\n  memory, MB");
    for idle in list(load, "idle") {
        let name = idle.get("subject").and_then(Value::as_str).unwrap_or_default();
        let last = list(load, "loads").last().and_then(|run| {
            run.pointer(&format!("/subjects/{name}/rounds"))?
                .as_array()?
                .last()?
                .get("resident_kib")?
                .as_f64()
        });
        let (before, after) = (number(idle, "/resident_kib") / 1024.0, last.unwrap_or_default() / 1024.0);
        println!(
            "    {name:<10} idle {before:.0}, after {} requests {after:.0}",
            number(load, "/requests_per_subject")
        );
    }
    println!("  one fdatasync of 4 KiB on this disk: p50 {} µs", number(load, "/fdatasync_micros_p50"));
    println!("  CPU: {}", load.get("cpu_clock").and_then(Value::as_str).unwrap_or_default());
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn read(value: &Value) -> Option<Spread> {
    let number = |name: &str| value.get(name).and_then(Value::as_f64);
    Some(Spread { min: number("min")?, median: number("median")?, max: number("max")? })
}
