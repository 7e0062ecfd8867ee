//! Addresses inside, on a server that may reach none: whoever supplies a URL gets no connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bailiwick::app::{App, Config, router, serve_on};
use bailiwick::identity::create_token;
use bailiwick::store;
use serde_json::{Value, json};

use crate::app::message;
use crate::idp::{Idp, Signature};
use crate::reply::{Reply, read};
use crate::support::database;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Something inside: its port, and how often somebody connected to it.
async fn inside() -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, seen)
}

fn vllm(name: &str, base_url: &str) -> Value {
    json!({
        "name": name, "scope": "/acme", "dialect": "vllm", "base_url": base_url,
        "models": [{ "alias": name, "upstream": name }], "price": { "input": "1", "output": "1" },
        "profile": { "name": name, "operator": "self", "service": "vllm", "model": name, "declared": { "countries": ["DE"] } },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_endpoint_and_no_issuer_leads_inside() {
    let (port, seen) = inside().await;
    let [by_name, by_address] = ["localhost", "127.0.0.1"].map(|host| format!("http://{host}:{port}"));
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), folder.path().join("data"));
    config.database_url = database::postgres_in(folder.path()).await.map(Into::into);
    let providers = format!(
        "[[provider]]\nid = 'name'\nissuer = '{by_name}'\nclient_id = 'b'\n\
         [[provider]]\nid = 'address'\nissuer = '{by_address}'\nclient_id = 'b'\n"
    );
    config.identity = toml::from_str(&providers).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.identity.check().unwrap();
    let app = App::open(config, None).await.unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let listening = serve_on(socket, None, router(&app, &url, None)).unwrap();
    store::scopes::put(&app.store, "/", json!({}), 1).await.unwrap();
    let owner = create_token(&app.store, "owner", "/", &["owner"], app.gateway.clock.now_ms()).await.unwrap();
    let (owner, client) = (owner.reveal(), reqwest::Client::builder().no_proxy().build().unwrap());
    let post = async |path: &str, token: &str, body: Value| -> Reply {
        let request = client.post(format!("{url}{path}")).bearer_auth(token).json(&body);
        read(request.send().await.unwrap()).await
    };

    let workload = |name: &str, issuer: &str| json!({ "name": name, "scope": "/acme", "issuer": issuer, "audience": "b", "claims": { "sub": "job" } });
    let declared = json!({
        "scopes": [{ "path": "/acme" }],
        "endpoints": [vllm("by-name", &by_name), vllm("by-address", &by_address)],
        "workloads": [workload("by-name", &by_name), workload("by-address", &by_address)],
    });
    let applied = post("/api/v1/apply", &owner, declared).await.is(200).json();
    // An address says by itself what it is; a name is judged when it is resolved.
    let out = applied["not_in_use"].to_string();
    assert!(
        out.contains("by-address") && out.contains("not public") && !out.contains("by-name"),
        "{applied}"
    );
    let key = json!({ "scope": "/acme", "name": "k" });
    let key = post("/api/v1/keys", &owner, key).await.is(201).json();
    let key = key["key"].as_str().unwrap();
    let refused = post("/v1/chat/completions", key, message("by-name", "Hello")).await.is(502).json();
    assert_eq!(refused["error"]["code"], "upstream_address_forbidden", "{refused}");
    assert_ne!(post("/v1/chat/completions", key, message("by-address", "Hello")).await.status, 200);

    let idp = Idp::start().await;
    for (id, issuer) in [("name", &by_name), ("address", &by_address)] {
        let begun = client.get(format!("{url}/auth/start?provider={id}")).send().await.unwrap();
        assert_eq!(begun.status(), 503, "{id}");
        let now_s = app.gateway.clock.now_ms() / 1_000;
        let claims = json!({
            "iss": issuer, "aud": "b", "sub": "job", "iat": now_s, "nbf": now_s, "exp": now_s + 300, "jti": id,
        });
        let token = idp.sign(&Signature::Key(String::from("k1")), "JWT", &claims);
        let form = [("grant_type", GRANT), ("subject_token", &token), ("subject_token_type", JWT)];
        let form = reqwest::Url::parse_with_params("http://form", form).unwrap();
        let request = client.post(format!("{url}/auth/token")).body(form.query().unwrap().to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let given = read(request.send().await.unwrap()).await.is(503).json();
        assert_eq!(given["error"], "temporarily_unavailable", "{given}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0, "a connection was made");
    // The one that counts does count.
    drop(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let counted = async {
        while seen.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), counted).await.unwrap();
    listening.stop(Duration::from_secs(5)).await;
    app.close(Duration::from_secs(5)).await;
}
