//! An outbound proxy: asked for a tunnel to each host (HTTP `CONNECT`, RFC 9110, 9.3.6), so that TLS goes through it end
//! to end and it sees no request and no credential.

use std::net::IpAddr;
use std::path::PathBuf;

use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use super::guard::name_for_others;
use crate::keys::Networks;

/// `[upstream.proxy]` of `bailiwick.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// `http://proxy.example:3128`.
    pub url: String,
    /// A file with `user:password`, for a proxy that asks for them (Basic, RFC 7617).
    pub credential_file: Option<PathBuf>,
    /// What is reached without it: `vllm.internal`, `.internal` for every name below, `10.0.0.0/8` for addresses.
    #[serde(default)]
    pub except: Vec<String>,
}

/// A proxy, ready to be asked.
#[derive(Clone)]
pub struct Proxy {
    pub(super) address: Uri,
    pub(super) credential: Option<HeaderValue>,
    except: Except,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({})", self.address)
    }
}

/// Hosts that are reached without the proxy.
#[derive(Debug, Clone, Default)]
struct Except {
    names: Vec<String>,
    below: Vec<String>,
    networks: Networks,
}

impl ProxyConfig {
    /// Reads the credential and the exceptions.
    ///
    /// # Errors
    /// In words, with the name of the setting; no part of the credential.
    pub fn read(&self) -> Result<Proxy, String> {
        let address = self.address()?;
        let credential = match &self.credential_file {
            None => None,
            Some(path) => {
                let failed =
                    |why: String| format!("`upstream.proxy.credential_file` {}: {why}", path.display());
                let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                Some(basic(text.trim_end_matches(['\r', '\n'])).map_err(|why| failed(why.to_owned()))?)
            }
        };
        Ok(Proxy { address, credential, except: Except::read(&self.except)? })
    }

    /// Refuses what no proxy can be reached by.
    ///
    /// # Errors
    /// In words, with the name of the setting.
    pub fn check(&self) -> Result<(), String> {
        self.address()?;
        Except::read(&self.except).map(drop)
    }

    fn address(&self) -> Result<Uri, String> {
        let wrong = || {
            String::from(
                "`upstream.proxy.url` must be `http://HOST:PORT`, without a path; a password belongs into \
                 `credential_file`",
            )
        };
        let uri: Uri = self.url.parse().map_err(|_| wrong())?;
        let plain = uri.scheme_str() == Some("http")
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.host().is_some_and(|host| !host.is_empty())
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none();
        if plain { Ok(uri) } else { Err(wrong()) }
    }
}

fn basic(pair: &str) -> Result<HeaderValue, &'static str> {
    use base64::Engine as _;
    if !pair.contains(':') || pair.chars().any(char::is_control) {
        return Err("it holds no `user:password` on one line");
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    let mut value =
        HeaderValue::from_str(&format!("Basic {encoded}")).map_err(|_| "no header can hold it")?;
    value.set_sensitive(true);
    Ok(value)
}

impl Proxy {
    /// Whether a host is reached through it.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        !self.except.holds(host)
    }

    /// The same for a client that is not ours.
    pub(crate) fn for_reqwest(&self) -> reqwest::Proxy {
        let (address, proxy) = (self.address.to_string(), self.clone());
        let asked = reqwest::Proxy::custom(move |url| {
            // What a proxy is not asked for is judged as what is reached without one.
            let host = url.host_str().filter(|host| proxy.is_for(host) && name_for_others(host).is_ok());
            host.map(|_| address.clone())
        });
        match &self.credential {
            Some(credential) => asked.custom_http_auth(credential.clone()),
            None => asked,
        }
    }
}

impl Except {
    fn read(written: &[String]) -> Result<Self, String> {
        let mut except = Self::default();
        let mut networks = Vec::new();
        for entry in written {
            let entry = entry.trim();
            if let Some(domain) = entry.strip_prefix('.') {
                except.below.push(format!(".{}", domain.to_ascii_lowercase()));
            } else if entry.contains('/') || entry.parse::<IpAddr>().is_ok() {
                networks.push(entry.to_owned());
            } else if entry.is_empty() || entry.contains(['*', ':', ' ']) {
                return Err(format!(
                    "`upstream.proxy.except` has `{entry}`: write a host, `.domain` for all below it, or a network"
                ));
            } else {
                except.names.push(entry.to_ascii_lowercase());
            }
        }
        except.networks =
            Networks::try_from(networks).map_err(|why| format!("`upstream.proxy.except`: {why}"))?;
        Ok(except)
    }

    fn holds(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.networks.hold(address);
        }
        let name = bare.trim_end_matches('.').to_ascii_lowercase();
        self.names.contains(&name) || self.below.iter().any(|domain| name.ends_with(domain.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, except: &[&str]) -> ProxyConfig {
        ProxyConfig {
            url: url.to_owned(),
            credential_file: None,
            except: except.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn exceptions_are_whole_names_domains_and_networks() {
        let proxy =
            config("http://p:3128", &["one.example", ".internal", "10.0.0.0/8", "::1"]).read().unwrap();
        for direct in ["one.example", "ONE.example.", "vllm.internal", "a.b.internal", "10.1.2.3", "[::1]"] {
            assert!(!proxy.is_for(direct), "{direct}");
        }
        for through in ["two.example", "sub.one.example", "internal", "notinternal", "11.0.0.1", "[::2]"] {
            assert!(proxy.is_for(through), "{through}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_and_no_password_is_shown() {
        for wrong in [
            "proxy:3128",
            "https://p:1",
            "http://u:s3cret@p:1",
            "http://p:1/x",
            "http://p:1?x",
            "socks5://p:1",
            "",
        ] {
            let why = config(wrong, &[]).check().unwrap_err();
            assert!(why.contains("upstream.proxy.url") && !why.contains("s3cret"), "{why}");
        }
        for wrong in ["*", "", "*.example", "host:80", "10.0.0.1/8"] {
            assert!(config("http://p:1", &[wrong]).check().unwrap_err().contains("except"), "{wrong}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential");
        let mut config = config("http://p:1", &[]);
        config.credential_file = Some(path.clone());
        std::fs::write(&path, "Aladdin:open sesame\n").unwrap();
        let proxy = config.read().unwrap();
        // The example of RFC 7617, 2.
        assert_eq!(proxy.credential.as_ref().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{proxy:?} {:?}", proxy.credential).contains("QWxh"));
        std::fs::write(&path, "s3cret").unwrap();
        let why = config.read().unwrap_err();
        assert!(why.contains("user:password") && !why.contains("s3cret"), "{why}");
    }
}
