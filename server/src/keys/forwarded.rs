//! Where a request came from, where proxies stand between: what those proxies wrote that the configuration trusts, and
//! nothing that a client could have written itself.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::Networks;

/// Which header a proxy of ours writes. One only: a proxy passes on the other as it came, so that whoever sends it could
/// choose an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `x-forwarded-for`, and `x-forwarded-proto`.
    #[default]
    XForwardedFor,
    /// `forwarded` (RFC 7239).
    Forwarded,
}

/// Proxies that are believed, and what they write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Where they are.
    pub networks: Networks,
    /// How they tell of their client.
    pub header: ForwardedHeader,
}

/// The address that a request came from: the peer's, or where the peer is one of the `trusted` proxies, the last one
/// in their header that none of them is. What stands before that one anybody can have written. `None` where the
/// header of a trusted proxy is not understood, or nobody knows the peer.
#[must_use]
pub fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut client = peer?.to_canonical();
    if !trusted.networks.hold(client) {
        return Some(client);
    }
    let entries = match trusted.header {
        ForwardedHeader::XForwardedFor => {
            listed(headers, "x-forwarded-for")?.map(|entry| address(entry.trim())).collect::<Vec<_>>()
        }
        ForwardedHeader::Forwarded => {
            elements(headers)?.iter().map(|element| address(&parameter(element, "for")?)).collect::<Vec<_>>()
        }
    };
    for entry in entries.into_iter().rev() {
        client = entry?;
        if !trusted.networks.hold(client) {
            break;
        }
    }
    Some(client)
}

/// Whether the client spoke TLS to the first of the `trusted` proxies that tells: the last word of their header.
#[must_use]
pub fn came_by_https(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &TrustedProxies) -> bool {
    if !peer.is_some_and(|peer| trusted.networks.hold(peer)) {
        return false;
    }
    let told = match trusted.header {
        ForwardedHeader::XForwardedFor => listed(headers, "x-forwarded-proto")
            .and_then(|entries| entries.last().map(|entry| entry.trim().to_owned())),
        ForwardedHeader::Forwarded => {
            elements(headers).and_then(|elements| parameter(elements.last()?, "proto"))
        }
    };
    told.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// The entries of a header that is a list, in all its lines; none where one is no text.
fn listed<'a>(headers: &'a HeaderMap, name: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
    let lines: Vec<&str> =
        headers.get_all(name).iter().map(|line| line.to_str().ok()).collect::<Option<_>>()?;
    Some(lines.into_iter().flat_map(|line| line.split(',')))
}

/// The elements of `forwarded`: split at commas that stand in no quotes.
fn elements(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut elements = Vec::new();
    for line in headers.get_all("forwarded") {
        elements.extend(split(line.to_str().ok()?, ',')?);
    }
    Some(elements)
}

/// Splits outside of quotes; `None` where a quote is not closed.
fn split(text: &str, at: char) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == at && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut()?.push(character);
    }
    (!quoted).then_some(parts)
}

/// A parameter of one element of `forwarded`, without its quotes; `None` where it is not there, or twice.
fn parameter(element: &str, wanted: &str) -> Option<String> {
    let pairs = split(element, ';')?;
    let mut values = pairs.iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
    });
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        // No address and no scheme has anything to escape.
        Some(inner) => (!inner.contains(['\\', '"'])).then(|| inner.to_owned()),
        None => Some(value.to_owned()),
    }
}

/// An address, as some proxies write it with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: ForwardedHeader) -> TrustedProxies {
        let networks = Networks::try_from(vec!["10.0.0.0/8".to_owned(), "fd00::/8".to_owned()]).unwrap();
        TrustedProxies { networks, header }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, line)| (http::HeaderName::from_static(name), line.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let trusted = proxies(ForwardedHeader::XForwardedFor);
        let from = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            client_address(Some(ip(peer)), &headers, &trusted)
        };
        // Whoever comes by itself is who it is, whatever it says.
        assert_eq!(from("203.0.113.9", &["192.0.2.1"]), Some(ip("203.0.113.9")));
        assert_eq!(from("10.0.0.1", &["192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from("::ffff:10.0.0.1", &["::ffff:192.0.2.1"]), Some(ip("192.0.2.1")));
        // The first entries are the client's own words.
        assert_eq!(from("10.0.0.1", &["198.51.100.1, 192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from("10.0.0.1", &["198.51.100.1, 192.0.2.1, fd00::2"]), Some(ip("192.0.2.1")));
        assert_eq!(from("10.0.0.1", &["198.51.100.1", "192.0.2.1, 10.9.9.9"]), Some(ip("192.0.2.1")));
        assert_eq!(from("10.0.0.1", &["junk, 192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from("10.0.0.1", &["192.0.2.1:443"]), Some(ip("192.0.2.1")));
        assert_eq!(from("10.0.0.1", &["[2001:db8::7]:443"]), Some(ip("2001:db8::7")));
        assert_eq!(from("10.0.0.1", &["[2001:db8::7]"]), Some(ip("2001:db8::7")));
        assert_eq!(from("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), Some(ip("10.0.0.3")), "all of them trusted");
        assert_eq!(from("10.0.0.1", &[]), Some(ip("10.0.0.1")));
        for wrong in ["junk", "", "192.0.2.1, ", "192.0.2.1, unknown", "1.2.3.4.5"] {
            assert_eq!(from("10.0.0.1", &[wrong]), None, "{wrong}");
        }
        assert_eq!(client_address(None, &HeaderMap::new(), &trusted), None);
        // The header that our proxies do not write is the client's own.
        let other = headers(&[("forwarded", "for=192.0.2.1")]);
        assert_eq!(client_address(Some(ip("10.0.0.1")), &other, &trusted), Some(ip("10.0.0.1")));
    }

    #[test]
    fn the_standard_header_is_read_as_the_standard_writes_it() {
        let trusted = proxies(ForwardedHeader::Forwarded);
        let from = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("forwarded", line.parse().unwrap());
            }
            headers.append("x-forwarded-for", "203.0.113.66".parse().unwrap());
            client_address(Some(ip("10.0.0.1")), &headers, &trusted)
        };
        assert_eq!(from(&["for=192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from(&["For=\"192.0.2.1:4711\";proto=http;by=10.0.0.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from(&["for=\"[2001:db8::7]:4711\""]), Some(ip("2001:db8::7")));
        assert_eq!(from(&["for=198.51.100.1, for=192.0.2.1, for=10.0.0.9"]), Some(ip("192.0.2.1")));
        assert_eq!(from(&["for=198.51.100.1", "for=192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from(&["for=198.51.100.1;x=\"a,for=203.0.113.1\", for=192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(from(&[]), Some(ip("10.0.0.1")));
        for wrong in [
            "for=unknown",
            "for=_hidden",
            "proto=https",
            "for=\"192.0.2.1",
            "for=192.0.2.1;for=192.0.2.2",
            "for=192.0.2.1, ",
            "",
        ] {
            assert_eq!(from(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn https_is_what_a_trusted_proxy_says_last() {
        let at = |header, peer: &str, lines: &[(&'static str, &str)]| {
            came_by_https(Some(ip(peer)), &headers(lines), &proxies(header))
        };
        let (x, standard) = (ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded);
        assert!(at(x, "10.0.0.1", &[("x-forwarded-proto", "https")]));
        assert!(at(x, "10.0.0.1", &[("x-forwarded-proto", "http, HTTPS")]));
        assert!(at(standard, "10.0.0.1", &[("forwarded", "for=1.1.1.1;proto=https")]));
        assert!(!at(x, "192.0.2.1", &[("x-forwarded-proto", "https")]), "anybody can say that");
        assert!(!at(x, "10.0.0.1", &[("x-forwarded-proto", "https, http")]));
        assert!(!at(x, "10.0.0.1", &[("forwarded", "proto=https")]));
        assert!(!at(standard, "10.0.0.1", &[("x-forwarded-proto", "https")]));
        assert!(!at(x, "10.0.0.1", &[]));
    }
}
