//! The demo in this process, and what clients send it.

use std::sync::Once;

use bailiwick::demo::Demo;
use http::{HeaderMap, header};
use serde_json::{Value, json};

/// A demo with a folder of its own.
pub(crate) struct Server {
    pub(crate) demo: Demo,
    pub(crate) http: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The id of the decision.
    pub(crate) fn decision(&self) -> String {
        let id = self.header("x-bailiwick-decision");
        assert!(!id.is_empty(), "{}: {}", self.status, self.body);
        id.to_owned()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let folder = tempfile::tempdir().unwrap();
        let demo = Demo::start("127.0.0.1:0".parse().unwrap(), folder.path()).await.unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { demo, http, _folder: folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.demo.announcement.url)
    }

    /// Asks for a chat completion with one of the demo's keys.
    pub(crate) async fn chat(&self, key: &str, model: &str, text: &str, headers: &[(&str, &str)]) -> Reply {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
        self.ask(key, &body, headers).await
    }

    pub(crate) async fn ask(&self, key: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
        let mut request = self
            .http
            .post(self.url("/v1/chat/completions"))
            .bearer_auth(&self.demo.announcement.keys[key])
            .json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request).await
    }

    /// Has an endpoint serve a model of this name. What nobody serves is not recorded by name.
    pub(crate) async fn serve_model(&self, alias: &str) {
        let app = &self.demo.app;
        let mut row = bailiwick::store::endpoints::get(&app.store, "openai-us").await.unwrap();
        let models = row.definition["models"].as_array_mut().unwrap();
        let mut model = models[0].clone();
        model["alias"] = json!(alias);
        models.push(model);
        let now_ms = app.gateway.clock.now_ms();
        bailiwick::store::endpoints::put(&app.store, "openai-us", &row.scope, row.definition, now_ms)
            .await
            .unwrap();
        app.reload().await.unwrap();
    }

    /// A page, as somebody with this cookie or token.
    pub(crate) async fn page(&self, path: &str, name: http::HeaderName, value: &str) -> Reply {
        read(self.http.get(self.url(path)).header(name, value).header(header::ACCEPT, "text/html")).await
    }

    /// Sends the form that every page of a session has.
    pub(crate) async fn sign_out(&self, cookie: &str) -> Reply {
        let page = self.page("/decisions", header::COOKIE, cookie).await;
        let field =
            page.body.split("name=\"csrf\" value=\"").nth(1).unwrap_or_else(|| panic!("{}", page.body));
        let csrf = field.split('"').next().unwrap_or_default();
        let request = self.http.post(self.url("/auth/sign-out")).header(header::COOKIE, cookie);
        let request = request.header(header::ORIGIN, self.url("")).body(format!("csrf={csrf}"));
        read(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")).await
    }

    /// Redeems the set-up link and returns `name=value` of the cookie, and the whole `set-cookie`.
    pub(crate) async fn sign_in(&self) -> (String, String) {
        let reply = read(self.http.get(&self.demo.announcement.console)).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let set = reply.header("set-cookie").to_owned();
        (set.split(';').next().unwrap_or_default().to_owned(), set)
    }
}

/// Sends and reads to the end.
pub(crate) async fn read(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.text().await.unwrap_or_default() }
}
