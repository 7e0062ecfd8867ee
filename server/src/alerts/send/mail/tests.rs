//! Mail servers that lie, and others on the way to one.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::alerts::{Kind, Told};

fn outgoing() -> Outgoing {
    let facts = serde_json::json!({ "channel": "ops" });
    let told = Told {
        id: String::from("al_1"),
        kind: Kind::Test.to_string(),
        severity: String::from("info"),
        scope: String::from("/"),
        title: Kind::Test.title(&facts),
        meaning: Kind::Test.meaning(),
        facts,
        raised_ms: 1_795_000_000_000,
        last_ms: 1_795_000_000_000,
        repeats: 0,
    };
    Outgoing {
        id: String::from("msg_1"),
        created_ms: 1_795_000_000_000,
        alerts: vec![told],
        public_url: None,
    }
}

fn mail(tls: MailTls, listener: &TcpListener) -> MailConfig {
    MailConfig {
        name: String::from("ops"),
        server: String::from("localhost"),
        port: Some(listener.local_addr().unwrap().port()),
        tls,
        user: None,
        password_file: None,
        from: String::from("b@example.com"),
        to: vec![String::from("ops@example.com")],
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Who has connected.
async fn client(listener: &TcpListener) -> BufReader<TcpStream> {
    BufReader::new(listener.accept().await.unwrap().0)
}

async fn say(to: &mut BufReader<TcpStream>, words: &str) {
    to.write_all(words.as_bytes()).await.unwrap();
}

/// The next line of the client's.
async fn heard(from: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

/// Somebody on the way says in clear, behind the line that agrees to encrypt, what a server says that takes a message.
#[tokio::test]
async fn what_is_said_in_clear_does_not_count_as_encrypted() {
    let pair = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    let roots = Roots::of(&Trust::Only(vec![pair.cert.der().clone()]));
    let listener = listener().await;
    let mail = mail(MailTls::Starttls, &listener);
    let server = tokio::spawn(async move {
        let mut stream = client(&listener).await;
        say(&mut stream, "220 localhost\r\n").await;
        assert!(heard(&mut stream).await.starts_with("EHLO"));
        say(&mut stream, "250-localhost\r\n250 STARTTLS\r\n").await;
        assert_eq!(heard(&mut stream).await, "STARTTLS");
        let taken = "250 localhost\r\n250 from\r\n250 to\r\n354 go on\r\n250 taken\r\n221 bye\r\n";
        say(&mut stream, &format!("220 go on\r\n{taken}")).await;
        // The server itself says nothing more, encrypted or not.
        let acceptor = TlsAcceptor::from(Arc::new(config));
        if let Ok(mut encrypted) = acceptor.accept(stream).await {
            let _ = encrypted.read_to_end(&mut Vec::new()).await;
        }
    });
    let failure = send(&mail, "ops@example.com", &roots, &outgoing()).await.unwrap_err();
    assert!(failure.why.starts_with("no encryption"), "{failure}");
    assert!(!failure.for_good);
    server.await.unwrap();
}

/// Says what it was sent, with this before it, in answer to a command, and takes all others.
async fn echo(listener: TcpListener, command: &'static str, before: &'static str) {
    let mut stream = client(&listener).await;
    say(&mut stream, "220 localhost\r\n").await;
    loop {
        let line = heard(&mut stream).await;
        let answer = match line.split(' ').next().unwrap_or_default() {
            "" => return,
            "EHLO" => String::from("250-localhost\r\n250 AUTH PLAIN\r\n"),
            word if word == command => format!("{before}{line}\r\n"),
            "AUTH" => String::from("235 signed in\r\n"),
            "DATA" => String::from("354 go on\r\n"),
            _ => String::from("250 fine\r\n"),
        };
        say(&mut stream, &answer).await;
    }
}

#[tokio::test]
async fn of_what_a_server_says_its_codes_are_told_and_no_word() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "hunter2hunter2").unwrap();
    for (command, before, told, for_good) in [
        ("AUTH", "535 5.7.8 you said ", "the sign-in is refused: it answers 535", false),
        ("AUTH", "535 5.7.8-", "the sign-in is refused: it answers 535", false),
        ("AUTH", "what is ", "the sign-in is refused: its answer is not understood", false),
        ("RCPT", "550 5.1.1 there is no ", "the mail server refuses it: it answers 550 5.1.1", true),
        ("RCPT", "550 ", "the mail server refuses it: it answers 550", true),
        ("RCPT", "451 4.7.1 ", "not taken: it answers 451 4.7.1", false),
        ("RCPT", "no ", "not taken: its answer is not understood", false),
    ] {
        let listener = listener().await;
        let mail = MailConfig {
            user: Some(String::from("bailiwick")),
            password_file: Some(password.clone()),
            ..mail(MailTls::None, &listener)
        };
        let server = tokio::spawn(echo(listener, command, before));
        let roots = Roots::of(&Trust::PublicRoots);
        let failure = send(&mail, "ops@example.com", &roots, &outgoing()).await.unwrap_err();
        assert_eq!((failure.why.as_str(), failure.for_good), (told, for_good));
        server.abort();
    }
    std::fs::remove_file(&password).unwrap();
    let mail = MailConfig {
        user: Some(String::from("bailiwick")),
        password_file: Some(password.clone()),
        ..mail(MailTls::None, &listener().await)
    };
    let roots = Roots::of(&Trust::PublicRoots);
    let failure = send(&mail, "ops@example.com", &roots, &outgoing()).await.unwrap_err();
    assert!(failure.why.starts_with("its `password_file`: "), "{failure}");
    assert!(!failure.why.contains(&folder.path().display().to_string()), "{failure}");
}
