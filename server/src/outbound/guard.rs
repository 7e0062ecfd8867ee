//! Which addresses the server may connect to on somebody's word.
//!
//! A URL that is declared, or that an identity provider names, could lead to what only this machine or its network can
//! reach: a database, a cloud's metadata service. So an address has to be a public one, or lie in a network that the
//! server's own configuration allows. A metadata service has to be allowed by its own address: the network around it is
//! not enough. Addresses are judged after names are resolved, each of them, and the connection is made to one that was
//! judged; a name that leads to a public and to a private address is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::keys::Networks;

/// IPv4 networks that are not public: IANA's registry of special-purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry/>), multicast (RFC 5771) and what is reserved (RFC 1112, 4).
const SPECIAL_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only public part of IPv6 (RFC 4291, 2.4, and IANA's registry of global unicast addresses).
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Within it: <https://www.iana.org/assignments/iana-ipv6-special-registry/>. Teredo and 6to4 carry IPv4 addresses.
const SPECIAL_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// What clouds tell a machine its own credentials at. AWS, Google and Azure: the first; AWS over IPv6; a container of ECS
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>); a pod of EKS, by both
/// (<https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-config-ipv6.html>); Google over IPv6
/// (<https://cloud.google.com/compute/docs/metadata/querying-metadata>); Alibaba; Oracle; Azure's host, which has a public
/// address (<https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16>).
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Names that mean this machine or its network, whoever is asked: RFC 6761, 6.3; RFC 6762; RFC 8375; and the one that ICANN
/// keeps for private use, under which clouds have their metadata services
/// (<https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en>).
const INSIDE: [&str; 4] = ["localhost", "local", "home.arpa", "internal"];

/// An address that may not be reached. Its text tells what to change, and no URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is not public.
    #[error("the address {0} is not public: `upstream.private_networks` would have to name its network")]
    Private(IpAddr),
    /// It is a cloud's metadata service.
    #[error(
        "the address {0} is a cloud's metadata service: `upstream.private_networks` would have to name it alone"
    )]
    Metadata(IpAddr),
    /// A proxy would resolve it, and it is no name of anything outside.
    #[error(
        "the host is an address in an odd spelling, or a name that means something inside: a proxy is not asked for it; \
         `upstream.proxy.except` would have to name it"
    )]
    Odd,
}

/// What may be reached.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Arc<Networks>,
}

impl Guard {
    /// Public addresses, and those of these networks.
    #[must_use]
    pub fn new(allowed: Networks) -> Self {
        Self { allowed: Arc::new(allowed) }
    }

    /// Judges one address.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn address(&self, address: IpAddr) -> Result<(), Forbidden> {
        let address = plain(address);
        if METADATA.contains(&address) {
            return if self.allowed.name(address) { Ok(()) } else { Err(Forbidden::Metadata(address)) };
        }
        if is_public(address) || self.allowed.hold(address) {
            return Ok(());
        }
        Err(Forbidden::Private(address))
    }

    /// Judges the host of a URL where it is an address; a name is judged when it is resolved.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn host(&self, host: &str) -> Result<(), Forbidden> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse().map_or(Ok(()), |address| self.address(address))
    }
}

/// Judges a name that somebody else resolves. Whoever takes it for an address, as `inet_aton` does with `2130706433`, `0x7f.1`
/// and `127.1`, or knows it as a name of its own machine, would be led inside; so a name whose last label is a number (the URL
/// Standard, "ends in a number checker") or that means something inside is refused.
///
/// # Errors
/// [`Forbidden::Odd`].
pub(super) fn name_for_others(host: &str) -> Result<(), Forbidden> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x");
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let inside = INSIDE
        .iter()
        .any(|own| name.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if number || inside { Err(Forbidden::Odd) } else { Ok(()) }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, 2.5.5.2), or behind the well-known prefix of NAT64
/// (RFC 6052, 2.1).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address.to_canonical() else { return address.to_canonical() };
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => IpAddr::V6(six),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !SPECIAL_V4.iter().any(|(network, length)| {
            Ipv4Net::new(*network, *length).is_ok_and(|network| network.contains(&four))
        }),
        IpAddr::V6(six) => {
            let within = |(network, length): &(Ipv6Addr, u8)| {
                Ipv6Net::new(*network, *length).is_ok_and(|network| network.contains(&six))
            };
            within(&GLOBAL_V6) && !SPECIAL_V6.iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        let allowed: Vec<String> = allowed.iter().map(|text| (*text).to_owned()).collect();
        Guard::new(Networks::try_from(allowed).unwrap())
    }

    fn judged(guard: &Guard, address: &str) -> Result<(), Forbidden> {
        guard.address(address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_reached() {
        let none = guard(&[]);
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(judged(&none, public), Ok(()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:0101:0101::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(matches!(judged(&none, private), Err(Forbidden::Private(_))), "{private}");
        }
    }

    #[test]
    fn a_metadata_service_is_allowed_by_its_own_address_alone() {
        let metadata = [
            "169.254.169.254",
            "fd00:ec2::254",
            "169.254.170.2",
            "169.254.170.23",
            "fd00:ec2::23",
            "fd20:ce::254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
        ];
        let wide = guard(&["0.0.0.0/0", "::/0"]);
        for address in metadata {
            for guard in [&guard(&[]), &wide] {
                assert!(matches!(judged(guard, address), Err(Forbidden::Metadata(_))), "{address}");
            }
            assert_eq!(judged(&guard(&[address]), address), Ok(()));
        }
        for disguised in ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
            assert!(matches!(judged(&wide, disguised), Err(Forbidden::Metadata(_))), "{disguised}");
        }
        assert_eq!(judged(&wide, "10.0.0.1"), Ok(()));
    }

    #[test]
    fn nobody_else_resolves_what_may_be_an_address_or_is_inside() {
        for odd in [
            "2130706433",
            "2852039166",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "0X7F.1",
            "0177.0.0.1",
            "1.2.3.256",
            "a.1",
            "a.0x",
            "localhost",
            "LOCALHOST.",
            "x.localhost",
            "metadata.google.internal",
            "metadata.google.internal.",
            "printer.local",
            "internal",
            "",
            ".",
        ] {
            assert_eq!(name_for_others(odd), Err(Forbidden::Odd), "{odd}");
        }
        for fine in [
            "models.example",
            "1password.example",
            "localhost.example",
            "notinternal",
            "x0x1",
            "10.0.0.1",
            "[::1]",
        ] {
            assert_eq!(name_for_others(fine), Ok(()), "{fine}: addresses are judged as such");
        }
    }

    #[test]
    fn what_the_configuration_allows_is_reached_and_nothing_beside_it() {
        let own = guard(&["10.1.0.0/16", "fd00:1::/32", "127.0.0.1"]);
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00:1::7", "127.0.0.1"] {
            assert_eq!(judged(&own, inside), Ok(()), "{inside}");
        }
        for outside in ["10.2.0.1", "fd00:2::7", "127.0.0.2", "::1", "192.168.0.1"] {
            assert!(judged(&own, outside).is_err(), "{outside}");
        }
        for (host, fine) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("[fd00:1::7]", true),
            ("[::1]", false),
            ("[::ffff:127.0.0.2]", false),
            // A name, whatever a resolver makes of it, is judged when it is resolved.
            ("localhost", true),
            ("0x7f.1", true),
        ] {
            assert_eq!(own.host(host).is_ok(), fine, "{host}");
        }
    }
}
