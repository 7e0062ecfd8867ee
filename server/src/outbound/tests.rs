//! The way out over real sockets: who is not reached, by which address, and what a proxy is told.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::keys::Networks;
use crate::providers::Trust;

/// A server that gives every connection one answer, and how many there were.
async fn server(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, serve(listener, answer))
}

fn serve(listener: TcpListener, answer: &'static str) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = head(&mut stream).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    seen
}

/// What comes up to the first empty line.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine";

fn guarded(allowed: &[&str], proxy: Option<Proxy>) -> Http {
    let allowed: Vec<String> = allowed.iter().map(|text| (*text).to_owned()).collect();
    let way = Way { guard: Guard::new(Networks::try_from(allowed).unwrap()), proxy, ..Way::default() };
    Http::new(Trust::default(), &way).unwrap()
}

async fn ask(http: &Http, url: &str) -> Result<Bytes, OutboundError> {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    let bounds = Bounds { time: Duration::from_secs(5), bytes: 1_000 };
    http.send(request, &bounds).await.map(http::Response::into_body)
}

#[tokio::test]
async fn what_is_inside_is_reached_by_no_spelling() {
    let (port, seen) = server(FINE).await;
    let http = guarded(&[], None);
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
    ] {
        let failure = ask(&http, &format!("http://{host}:{port}/")).await.unwrap_err();
        // What the system's resolver does not take for an address is a name that does not exist.
        let spelled = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[');
        let refused = matches!(failure, OutboundError::Forbidden(_));
        assert!(refused || (spelled && host != "localhost"), "{host}: {failure:?}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0, "a connection was made");
    assert_eq!(
        ask(&guarded(&["127.0.0.1"], None), &format!("http://127.0.0.1:{port}/")).await.unwrap(),
        "fine"
    );
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_is_reached_by_the_address_that_was_judged() {
    let (port, _) = server(FINE).await;
    let url = format!("http://localhost:{port}/");
    assert_eq!(ask(&guarded(&["127.0.0.0/8", "::1"], None), &url).await.unwrap(), "fine");
    // One forbidden address among several is enough: whether `localhost` has the other one is the machine's affair.
    let failure = ask(&guarded(&["192.0.2.0/24"], None), &url).await.unwrap_err();
    assert!(matches!(failure, OutboundError::Forbidden(Forbidden::Private(_))), "{failure:?}");
}

/// Whoever controls a name answers with one address when it is looked at, and with another when it is connected to.
#[tokio::test]
async fn a_name_that_changes_between_two_looks_is_looked_at_once() {
    // What is allowed stands for an address outside; on the same port there is something inside.
    let (outside, inside) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST);
    let (port, seen_inside) = server(FINE).await;
    let seen_outside = serve(TcpListener::bind((outside, port)).await.unwrap(), FINE);
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let told = move |_: &str| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => vec![IpAddr::V4(outside)],
        1 => vec![IpAddr::V4(inside)],
        _ => vec![IpAddr::V4(outside), IpAddr::V4(inside)],
    };
    let allowed = Networks::try_from(vec![outside.to_string()]).unwrap();
    let way =
        Way { guard: Guard::new(allowed), names: resolve::Names::Told(Arc::new(told)), ..Way::default() };
    let http = Http::new(Trust::default(), &way).unwrap();
    let url = format!("http://models.example:{port}/");
    assert_eq!(ask(&http, &url).await.unwrap(), "fine");
    let counts = || [&looks, &seen_outside, &seen_inside].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts(), [1, 1, 0], "what was judged is what was connected to");
    // The next connection looks anew, and what it finds is judged; of two addresses both.
    for round in [2, 3] {
        let failure = ask(&http, &url).await.unwrap_err();
        assert!(matches!(failure, OutboundError::Forbidden(Forbidden::Private(_))), "{failure:?}");
        assert_eq!(counts(), [round, 1, 0]);
    }
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_answer_is_endless() {
    let (inside, seen) = server(FINE).await;
    let to =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = server(Box::leak(to.into_boxed_str())).await;
    let http = guarded(&["127.0.0.1"], None);
    assert_eq!(ask(&http, &format!("http://127.0.0.1:{port}/")).await.unwrap(), "");
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n{}", "x".repeat(1_001));
    let (port, _) = server(Box::leak(long.into_boxed_str())).await;
    let failure = ask(&http, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(failure, OutboundError::TooLong(1_000)), "{failure:?}");
    let (port, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let url = format!("http://127.0.0.1:{port}/");
    let slow = Bounds { time: Duration::from_millis(200), bytes: 1_000 };
    let request = Request::get(&url).body(Bytes::new()).unwrap();
    let failure = http.send(request, &slow).await.unwrap_err();
    assert!(matches!(failure, OutboundError::Slow(_) | OutboundError::Unreachable(_)), "{failure:?}");
}

/// A proxy that answers `CONNECT` and then is the server itself; what it was told.
async fn proxy(answer: &'static str) -> (Proxy, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let _ = tell.send(head(&mut stream).await);
                if stream.write_all(answer.as_bytes()).await.is_ok() && answer.contains(" 200 ") {
                    let _ = tell.send(head(&mut stream).await);
                    let _ = stream.write_all(FINE.as_bytes()).await;
                }
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("credential");
    std::fs::write(&credential, "gateway:s3cret\n").unwrap();
    let config = ProxyConfig {
        url: format!("http://127.0.0.1:{port}"),
        credential_file: Some(credential),
        except: vec![String::from("127.0.0.1")],
    };
    (config.read().unwrap(), told)
}

#[tokio::test]
async fn a_proxy_is_asked_for_tunnels_and_told_no_request() {
    let (through, mut told) = proxy("HTTP/1.1 200 Connection established\r\n\r\n").await;
    // The proxy is on this machine, which nothing else may be.
    let http = guarded(&[], Some(through));
    assert_eq!(ask(&http, "http://models.example/v1?secret=1").await.unwrap(), "fine");
    let connect = told.recv().await.unwrap();
    assert!(connect.starts_with("CONNECT models.example:80 HTTP/1.1\r\n"), "{connect}");
    assert!(connect.to_lowercase().contains("proxy-authorization: basic z2f0zxdhetpzm2nyzxq="), "{connect}");
    assert!(!connect.contains("secret=1"));
    let request = told.recv().await.unwrap();
    assert!(request.starts_with("GET /v1?secret=1 HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_lowercase().contains("proxy-authorization"), "{request}");
    // An address inside is not asked for either, and an exception is not asked of the proxy.
    let failure = ask(&http, "http://10.0.0.1/").await.unwrap_err();
    assert!(matches!(failure, OutboundError::Forbidden(_)), "{failure:?}");
    let failure = ask(&http, "http://127.0.0.1:1/").await.unwrap_err();
    assert!(matches!(failure, OutboundError::Forbidden(_)), "{failure:?}");
    // Nor is anything that it could take for one.
    for host in
        ["2130706433", "127.1", "0x7f.1", "0177.0.0.1", "2852039166", "localhost", "metadata.google.internal"]
    {
        let failure = ask(&http, &format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(failure, OutboundError::Forbidden(Forbidden::Odd)), "{host}: {failure:?}");
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_proxy_that_refuses_is_no_answer() {
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let (through, mut told) = proxy(answer).await;
        let http = guarded(&[], Some(through));
        let failure = ask(&http, "https://models.example/").await.unwrap_err();
        assert!(matches!(failure, OutboundError::Unreachable(_)), "{failure:?}");
        assert!(!failure.to_string().contains("models.example") && !failure.to_string().contains("s3cret"));
        assert!(told.recv().await.unwrap().starts_with("CONNECT models.example:443 "));
    }
}
