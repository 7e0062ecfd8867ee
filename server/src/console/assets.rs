//! The pages' files, each under a name that carries the hash of its content, so that browsers keep it for ever.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bailiwick_ui::{Assets, CSS, ICON, Script};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest, Sha256};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/console_bundle.rs"));
}

#[derive(Deserialize)]
struct Manifest {
    js: String,
    wasm: String,
}

/// Where the pages find their files.
#[must_use]
pub fn assets() -> Assets {
    let script = serde_json::from_str::<Manifest>(embedded::MANIFEST).ok().map(|manifest| Script {
        js: format!("/assets/{}", manifest.js),
        wasm: format!("/assets/{}", manifest.wasm),
    });
    Assets {
        css: format!("/assets/{}", hashed("console", CSS, "css")),
        icon: Some(format!("/assets/{}", hashed("icon", ICON, "svg"))),
        script,
    }
}

/// `/assets/…`.
pub fn router() -> axum::Router {
    axum::Router::new().route("/assets/{name}", get(file))
}

fn hashed(name: &str, content: &str, kind: &str) -> String {
    let digest = hex::encode(Sha256::digest(content.as_bytes()));
    format!("{name}-{}.{kind}", digest.get(..16).unwrap_or_default())
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let css = hashed("console", CSS, "css");
    let icon = hashed("icon", ICON, "svg");
    let accepts = |coding: &str| {
        headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|accepted| accepted.split(';').next().is_some_and(|accepted| accepted.trim() == coding))
    };
    let embedded =
        |name: &str| embedded::FILES.iter().find(|(file, _)| *file == name).map(|(_, content)| *content);
    let (content, coding): (&'static [u8], Option<&'static str>) = if name == css {
        (CSS.as_bytes(), None)
    } else if name == icon {
        (ICON.as_bytes(), None)
    } else if let Some(content) = embedded(&name).filter(|_| kind(&name).is_some()) {
        let twin = [("br", ".br"), ("gzip", ".gz")]
            .into_iter()
            .filter(|(coding, _)| accepts(coding))
            .find_map(|(coding, suffix)| Some((embedded(&format!("{name}{suffix}"))?, Some(coding))));
        twin.unwrap_or((content, None))
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::new(axum::body::Body::from(content));
    let out = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_TYPE, kind(&name).unwrap_or("application/octet-stream")),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "accept-encoding"),
    ];
    for (name, value) in fixed {
        out.insert(name, HeaderValue::from_static(value));
    }
    if let Some(coding) = coding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn kind(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "js" => Some("text/javascript; charset=utf-8"),
        "wasm" => Some("application/wasm"),
        _ => None,
    }
}
