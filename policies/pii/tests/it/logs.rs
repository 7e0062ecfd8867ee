//! Logs hold nothing but numbers that look like something: times, sizes, ports, ids of requests, blocks, threads and traces. How
//! often one is taken for a number with a check digit.

use bailiwick_pii::eval::Ordinary;
use bailiwick_pii::{Detector, EntitySet};

/// Lines as services write them. `{n}` stands for a number of so many digits at most, `{d}` for one with so many, `{x}`
/// for as many hexadecimal ones.
const LINES: &[&str] = &[
    "{d4}-11-2{d1}T{d2}:{d2}:{d2}.{d6}Z INFO gateway::serve: answered decision=dec_{x32} status={d3} took={n4}ms bytes={n7}",
    "10.{n2}.{n2}.{n2} - - [23/Nov/{d4}:{d2}:{d2}:{d2} +0100] \"GET /assets/app.{x8}.js?v={d13} HTTP/2.0\" {d3} {n7} \"-\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\" rt=0.{d3} uct=\"0.{d3}\"",
    "Nov 23 {d2}:{d2}:{d2} node-{n2} kernel: [{n6}.{d6}] eth0: renamed from veth{x7}",
    "Nov 23 {d2}:{d2}:{d2} node-{n2} sshd[{n5}]: Connection closed by 192.168.{n2}.{n2} port {d5} [preauth]",
    "{d4}-11-23 {d2}:{d2}:{d2},{d3} DEBUG [http-nio-8080-exec-{n2}] o.h.SQL - select * from orders where id={n9} /* {x16} */",
    "\tat com.example.shop.OrderService.find(OrderService.java:{n4}) ~[shop-2.{n2}.{n2}.jar!/:?]",
    "{\"level\":\"warn\",\"ts\":{d10}.{d7},\"caller\":\"raft/node.go:{n4}\",\"msg\":\"apply took too long\",\"took\":\"{n3}.{d6}ms\",\"revision\":{n9},\"trace\":\"{x32}\"}",
    "{\"time\":{d13},\"pid\":{n6},\"hostname\":\"pod-{x9}-{x5}\",\"reqId\":\"{x8}-{x4}-4{x3}-a{x3}-{x12}\",\"responseTime\":{n4}.{d12},\"msg\":\"request completed\"}",
    "081109 {d6} {n5} INFO dfs.DataNode$PacketResponder: PacketResponder {n1} for block blk_-{d19} of size {d8} terminating",
    "E1123 {d2}:{d2}:{d2}.{d6} {n7} kubelet.go:{d4}] Failed to pull image \"registry.example/app@sha256:{x64}\"",
    "level=info ts={d4}-11-23T{d2}:{d2}:{d2}.{d3}Z component=tsdb msg=\"write block\" mint={d13} maxt={d13} ulid=01{x24} duration={n3}.{d9}s",
    "{d4}-11-23 {d2}:{d2}:{d2}.{d3} UTC [{n6}] LOG:  checkpoint complete: wrote {n5} buffers (0.{d1}%); write={n3}.{d3} s, lsn={x1}/{x8}, distance={n7} kB",
    "[{d10}.{d3}] {n6} ev_epoll1.c:{d4} fd={n4} cookie=0x{x12} timeout={n9}",
    "- {d10} 2005.11.23 R{d2}-M{d1}-N{d1}-C:J{d2}-U{d2} RAS KERNEL INFO instruction cache parity error corrected 0x{x8}",
    "build #{n6} step {n2}/{n2}: layer {x64} {n4}.{d2}MB / {n4}.{d2}MB ETA {n3}s job {d10}",
    "partition=orders-{n2} offset={n12} lag={n6} group=billing-v{n1} epoch={d10}",
    "GC({n4}) Pause Young (Normal) {n5}M->{n4}M({n5}M) {n3}.{d3}ms heap 0x{x16} at {d19}",
    "dd.trace_id={d19} dd.span_id={d19} dd.service=checkout level=info msg=\"charged order\" order_id={n9} attempt={n1}",
    "{d4}-11-23T{d2}:{d2}:{d2}.{d3}+0000: {n5}.{d3}: [GC (Allocation Failure) [PSYoungGen: {d7}K->{n7}K({d8}K)] {d7}K->{d8}K({d7}K), 0.{d7} secs]",
    "##[group]Run actions/checkout run_id={d11} job_id={d11} attempt {n1} size {n9} ({n3}.{d1} MB) etag 0x{x15}",
    "{n2}  {n1}      0 {n7} {n6} {n7}    {n1}    {n1}   {n4}   {n4} {n4} {n4} {n2} {n2} {n2}  0  0",
    "081109 {d6} {n5} INFO dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blockMap updated: 10.{n2}.{n2}.{n2}:50010 is added to blk_{d19} size {d8}",
    "req_id={x20} user_agent=curl/8.{n2}.{n1} bytes_in={n8} bytes_out={n10} upstream=10.{n2}.{n2}.{n2}:{d5} cost_nano={n11}",
];

/// Numbers in a row that is always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        // Steele and Vigna, "Computationally easy, spectrally good multipliers": a step, and its higher half.
        self.0 = self.0.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        (self.0 >> 33) % below
    }

    fn digits(&mut self, of: u64, count: usize, alphabet: &[u8; 16]) -> String {
        (0..count).map(|_| char::from(alphabet[self.next(of) as usize])).collect()
    }

    fn line(&mut self, template: &str) -> String {
        let (mut out, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let field = after.split_once('}').filter(|(field, _)| {
                field.len() > 1
                    && field.starts_with(['n', 'd', 'x'])
                    && field[1..].bytes().all(|b| b.is_ascii_digit())
            });
            let Some((field, after)) = field else {
                out.push('{');
                rest = after;
                continue;
            };
            let count: usize = field[1..].parse().unwrap_or_default();
            let number = match &field[..1] {
                "x" => self.digits(16, count, b"0123456789abcdef"),
                "d" => self.digits(10, count, b"0123456789abcdef"),
                _ => {
                    let count = 1 + self.next(count as u64) as usize;
                    let number = self.digits(10, count, b"0123456789abcdef");
                    number.trim_start_matches('0').to_owned()
                }
            };
            out.push_str(if number.is_empty() { "0" } else { &number });
            rest = after;
        }
        out + rest
    }
}

#[test]
fn numbers_of_logs_are_seldom_taken_for_something() {
    let (detector, mut ordinary, mut numbers) = (Detector::new(), Ordinary::default(), Numbers(7));
    for _ in 0..60 {
        // As a client would send it: many lines at once.
        let lines: Vec<String> = (0..10).flat_map(|_| LINES).map(|line| numbers.line(line)).collect();
        ordinary.add(&detector, &lines.join("\n"));
    }
    assert!(ordinary.words() > 100_000, "{}", ordinary.words());
    let checked: u64 = EntitySet::checked().iter().map(|kind| u64::from(ordinary.found().get(kind))).sum();
    assert!(checked * 10_000 < ordinary.words(), "{checked} in {}: {}", ordinary.words(), ordinary.found());
}
