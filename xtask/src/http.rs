//! As much of HTTP/1.1 as asking a local server takes, so that this binary links no client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    /// As sent; chunks are joined.
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Asks `http://host:port` for a path. With a token, as its bearer.
pub(crate) fn ask(method: &str, url: &str, path: &str, token: &str, body: &str) -> Result<Answer> {
    let bearer = format!("Authorization: Bearer {token}");
    ask_with(method, url, path, if token.is_empty() { "" } else { &bearer }, body)
}

/// Asks with one more line in the head.
pub(crate) fn ask_with(method: &str, url: &str, path: &str, line: &str, body: &str) -> Result<Answer> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let talk = || {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let length = body.len();
        let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{line}");
        let typed = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all((head + &typed).as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let text = talk().map_err(|e: std::io::Error| format!("{method} {url}{path}: {e}"))?;
    parse(&text).ok_or_else(|| format!("{method} {url}{path}: not an HTTP answer"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        answer.body = join(body)?;
    }
    Some(answer)
}

/// The content of a chunked body.
fn join(mut rest: &str) -> Option<String> {
    let mut joined = String::new();
    loop {
        let (size, tail) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(joined);
        }
        joined.push_str(tail.get(..size)?);
        rest = tail.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_plain_or_chunked() {
        let plain = parse("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!((plain.status, plain.header("x-a"), plain.body.as_str()), (200, Some("b"), "hi"));
        let head = "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunked = parse(&format!("{head}2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n")).unwrap();
        assert_eq!((chunked.status, chunked.body.as_str()), (503, "hi yo"));
        assert!(parse(&format!("{head}9\r\nhi\r\n")).is_none());
        assert!(parse("nothing").is_none());
    }
}
