//! Networks that a key may be used from, in CIDR notation (RFC 4632, RFC 4291).
//!
//! An IPv4 address that arrives as IPv6 (`::ffff:192.0.2.7`, RFC 4291, 2.5.5.2) is that IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Some networks; may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether an address lies in one of them.
    #[must_use]
    pub fn hold(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// These and this machine itself.
    #[must_use]
    pub fn and_loopback(mut self) -> Self {
        self.0.extend(IpNet::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8));
        self.0.push(IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        self
    }

    /// Whether one of them is this address alone.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> bool {
        let address = IpNet::from(address.to_canonical());
        self.0.contains(&address)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<String>> for Networks {
    type Error = String;

    fn try_from(written: Vec<String>) -> Result<Self, String> {
        written.iter().map(|text| network(text)).collect::<Result<_, _>>().map(Self)
    }
}

impl From<Networks> for Vec<String> {
    fn from(networks: Networks) -> Self {
        networks.0.iter().map(ToString::to_string).collect()
    }
}

/// One network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let shown: String = text.chars().take(60).collect();
    // The address as the standard library reads it: `010.0.0.0` is ten to some and eight to others, so to nobody here.
    let read = || {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        match length {
            None => Some(IpNet::from(address)),
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                IpNet::new(address, length.parse().ok()?).ok()
            }
            Some(_) => None,
        }
    };
    let network = read().ok_or_else(|| {
        format!("`{shown}` is no network: write one as `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`")
    })?;
    if network.addr() != network.network() {
        return Err(format!("`{shown}` is an address within a network: did you mean `{}`?", network.trunc()));
    }
    if let IpNet::V6(six) = network
        && let Some(four) = six.network().to_ipv4_mapped()
        && let Some(length) = six.prefix_len().checked_sub(96)
    {
        return Err(format!("`{shown}` is a network of IPv4 addresses: write it as `{four}/{length}`"));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(written: &[&str]) -> Result<Networks, String> {
        Networks::try_from(written.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_their_addresses_also_in_their_other_form() {
        let some = networks(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]).unwrap();
        for inside in ["10.255.0.1", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8:1::1"] {
            assert!(some.hold(ip(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::10.1.2.3", "::1", "::ffff:11.0.0.1"] {
            assert!(!some.hold(ip(outside)), "{outside}");
        }
        assert!(networks(&["0.0.0.0/0"]).unwrap().hold(ip("::ffff:8.8.8.8")));
        assert!(!networks(&["0.0.0.0/0"]).unwrap().hold(ip("2001:db8::1")), "other addresses are not those");
        assert!(!networks(&["::/0"]).unwrap().hold(ip("10.0.0.1")));
        assert!(!Networks::default().hold(ip("10.0.0.1")));
    }

    #[test]
    fn what_is_no_network_is_told() {
        for (wrong, says) in [
            ("", "no network"),
            ("10.0.0.0/33", "no network"),
            ("10.0.0.0/-1", "no network"),
            ("10.0.0/8", "no network"),
            ("010.0.0.0/8", "no network"),
            ("example.com", "no network"),
            ("10.0.0.1/8", "did you mean `10.0.0.0/8`?"),
            ("2001:db8::1/32", "did you mean `2001:db8::/32`?"),
            ("::ffff:10.0.0.0/104", "write it as `10.0.0.0/8`"),
        ] {
            let error = networks(&[wrong]).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
        assert!(networks(&["x".repeat(1_000).as_str()]).unwrap_err().len() < 200);
        let read: Networks = serde_json::from_str(r#"["192.0.2.7","10.0.0.0/8"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["192.0.2.7/32","10.0.0.0/8"]"#);
    }
}
