//! Addresses: whose they are, and what a proxy says about them.

use std::{net::IpAddr, str::FromStr};

use http::{HeaderMap, HeaderValue, header::FORWARDED};

use crate::error::ConfigError;

/// In which header a proxy tells whom it forwards for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `Forwarded`, the parameter `for` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
}

/// A block of addresses, such as `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    network: u128,
    bits: u8,
    v4: bool,
}

impl AddressBlock {
    /// Whether `address` is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (number, v4) = number(address);
        v4 == self.v4 && first(number, self.bits, v4) == self.network
    }
}

impl FromStr for AddressBlock {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason| ConfigError::Setting {
            name: "address block",
            value: text.to_owned(),
            reason,
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| refused("write an address, or an address, a slash and a prefix length"))?;
        let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => longest,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= longest)
                .ok_or_else(|| refused("the prefix length goes to 32 for IPv4, to 128 for IPv6"))?,
        };
        let (number, v4) = number(address);
        // An IPv4 block written as an IPv6 one counts its bits from the IPv6 address's first.
        let bits = match (v4, address.is_ipv6()) {
            (true, true) => bits
                .checked_sub(96)
                .ok_or_else(|| refused("write IPv4 blocks as IPv4"))?,
            _ => bits,
        };
        let network = first(number, bits, v4);
        if network != number {
            return Err(refused("the address has bits set behind the prefix"));
        }
        Ok(Self { network, bits, v4 })
    }
}

/// The address as a number, and whether it is an IPv4 address, however written.
fn number(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (u32::from(v4).into(), true),
        IpAddr::V6(v6) => (v6.into(), false),
    }
}

/// The first `bits` of an address, the rest zero.
fn first(number: u128, bits: u8, v4: bool) -> u128 {
    let len: u32 = if v4 { 32 } else { 128 };
    let dropped = len.saturating_sub(bits.into());
    let kept = u128::MAX.checked_shl(dropped).unwrap_or(0);
    number & kept
}

/// The network of an address, as bytes that tell IPv4 and IPv6 apart.
pub(super) fn network(address: IpAddr, v4_bits: u8, v6_bits: u8) -> Vec<u8> {
    let (number, v4) = number(address);
    let network = first(number, if v4 { v4_bits } else { v6_bits }, v4);
    let mut bytes = vec![if v4 { 4 } else { 6 }];
    bytes.extend_from_slice(&network.to_be_bytes());
    bytes
}

/// Who a request comes from whose connection comes from `peer`; `None` where a proxy does not say.
pub(super) fn behind(
    peer: IpAddr,
    headers: &HeaderMap,
    header: ForwardingHeader,
    proxies: &[AddressBlock],
) -> Option<IpAddr> {
    let is_proxy = |address| proxies.iter().any(|block| block.contains(address));
    let mut nearest = peer;
    if !is_proxy(peer) {
        return Some(peer);
    }
    let fields = match header {
        ForwardingHeader::Forwarded => headers.get_all(FORWARDED),
        ForwardingHeader::XForwardedFor => headers.get_all("x-forwarded-for"),
    };
    for field in fields.iter().rev() {
        let hops = match header {
            ForwardingHeader::Forwarded => forwarded(field)?,
            ForwardingHeader::XForwardedFor => x_forwarded_for(field)?,
        };
        for hop in hops.into_iter().rev() {
            nearest = hop?.to_canonical();
            if !is_proxy(nearest) {
                return Some(nearest);
            }
        }
    }
    Some(nearest)
}

/// The addresses of one `X-Forwarded-For` field.
fn x_forwarded_for(field: &HeaderValue) -> Option<Vec<Option<IpAddr>>> {
    let hops = field.to_str().ok()?.split(',');
    Some(hops.map(|hop| node(hop.trim())).collect())
}

/// The addresses of one `Forwarded` field; `None` if it is malformed anywhere, since what a client began
/// with an open quote may swallow what its proxy appended.
fn forwarded(field: &HeaderValue) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    let mut node_of_hop = None;
    let mut rest = field.to_str().ok()?;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"')?;
                (value, after.trim_start())
            }
            None => {
                let end = after.find([',', ';']).unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.trim_end(), after)
            }
        };
        // An escape has no place in an address; rather than read it, the field is given up.
        if value.contains(['\\', '"']) {
            return None;
        }
        if name.trim().eq_ignore_ascii_case("for") && node_of_hop.replace(node(value)).is_some() {
            return None;
        }
        match after.chars().next() {
            None => {
                hops.push(node_of_hop.flatten());
                return Some(hops);
            }
            Some(',') => hops.push(node_of_hop.take().flatten()),
            Some(';') => {}
            Some(_) => return None,
        }
        rest = &after[1..];
    }
}

/// An address, with or without a port; `None` for `unknown` and made-up names.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let port = port.strip_prefix(':').unwrap_or(port);
        return is_port(port).then(|| address.parse().ok())?;
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => {
            is_port(port).then(|| address.parse().ok())?
        }
        _ => text.parse().ok(),
    }
}

/// Digits, or a name that stands for them (RFC 7239, section 6.3), or nothing.
fn is_port(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::{HeaderMap, HeaderName};

    use super::{AddressBlock, ForwardingHeader, behind, network};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn behind_proxy(header: ForwardingHeader, peer: &str, fields: &[&str]) -> Option<IpAddr> {
        let name: HeaderName = match header {
            ForwardingHeader::Forwarded => "forwarded".parse().unwrap(),
            ForwardingHeader::XForwardedFor => "x-forwarded-for".parse().unwrap(),
        };
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(&name, field.parse().unwrap());
        }
        let proxies: [AddressBlock; 2] =
            ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        behind(ip(peer), &headers, header, &proxies)
    }

    #[track_caller]
    fn check(header: ForwardingHeader, peer: &str, fields: &[&str], client: Option<&str>) {
        assert_eq!(
            behind_proxy(header, peer, fields),
            client.map(ip),
            "{fields:?}"
        );
    }

    /// R93.
    #[test]
    fn x_forwarded_for_counts_from_a_proxy_and_from_its_end() {
        use ForwardingHeader::XForwardedFor as X;
        check(X, "203.0.113.9", &["198.51.100.1"], Some("203.0.113.9"));
        check(X, "10.0.0.1", &["198.51.100.1"], Some("198.51.100.1"));
        check(
            X,
            "::ffff:10.0.0.1",
            &["198.51.100.1"],
            Some("198.51.100.1"),
        );
        check(
            X,
            "10.0.0.1",
            &["6.6.6.6, 198.51.100.1, 10.9.9.9"],
            Some("198.51.100.1"),
        );
        check(
            X,
            "10.0.0.1",
            &["6.6.6.6", "198.51.100.1"],
            Some("198.51.100.1"),
        );
        check(X, "10.0.0.1", &["198.51.100.1:4711"], Some("198.51.100.1"));
        check(X, "10.0.0.1", &["198.51.100.1:80/x"], None);
        check(X, "10.0.0.1", &["[2001:db8::1]:80 x"], None);
        check(X, "10.0.0.1", &["[2001:db8::1]:80"], Some("2001:db8::1"));
        check(X, "10.0.0.1", &["2001:db8::1"], Some("2001:db8::1"));
        check(X, "10.0.0.1", &["198.51.100.1, unknown"], None);
        check(X, "10.0.0.1", &["10.0.0.2"], Some("10.0.0.2"));
        check(X, "10.0.0.1", &[], Some("10.0.0.1"));
    }

    /// R93.
    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        use ForwardingHeader::Forwarded as F;
        check(F, "203.0.113.9", &["for=198.51.100.1"], Some("203.0.113.9"));
        check(
            F,
            "10.0.0.1",
            &["for=198.51.100.1;proto=https;by=10.0.0.1"],
            Some("198.51.100.1"),
        );
        check(
            F,
            "10.0.0.1",
            &["For=\"[2001:db8:cafe::17]:4711\""],
            Some("2001:db8:cafe::17"),
        );
        check(
            F,
            "10.0.0.1",
            &["for=6.6.6.6, for=198.51.100.1"],
            Some("198.51.100.1"),
        );
        check(
            F,
            "10.0.0.1",
            &["for=198.51.100.1 , for=\"[fd00::1]\""],
            Some("198.51.100.1"),
        );
        check(
            F,
            "10.0.0.1",
            &["for=\"_hidden\", for=198.51.100.1"],
            Some("198.51.100.1"),
        );
        check(F, "10.0.0.1", &["for=unknown"], None);
        check(F, "10.0.0.1", &["for=_hidden"], None);
        check(F, "10.0.0.1", &["proto=https"], None);
    }

    /// R93: what a client wrote in front cannot hide what its proxy appended.
    #[test]
    fn a_malformed_field_tells_nothing() {
        use ForwardingHeader::Forwarded as F;
        for field in [
            "for=\", for=198.51.100.1",
            "for=\"\\\", for=198.51.100.1",
            "garbage, for=198.51.100.1;x",
            "for=1.1.1.1;for=198.51.100.1",
            "for=\"1.1.1.1\"x, for=198.51.100.1",
            "",
        ] {
            check(F, "10.0.0.1", &[field], None);
        }
    }

    #[test]
    fn a_block_is_read_strictly() {
        for text in [
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::1/129",
            "ten",
            "10.0.0.0/",
            "",
            "::ffff:1.2.3.4/8",
        ] {
            assert!(text.parse::<AddressBlock>().is_err(), "{text}");
        }
        let all: AddressBlock = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(ip("255.1.2.3")) && !all.contains(ip("::1")));
        let mapped: AddressBlock = "::ffff:10.0.0.0/104".parse().unwrap();
        assert!(mapped.contains(ip("10.200.0.1")) && !mapped.contains(ip("11.0.0.1")));
        let one: AddressBlock = "192.0.2.7".parse().unwrap();
        assert!(one.contains(ip("192.0.2.7")) && !one.contains(ip("192.0.2.6")));
    }

    /// R93: IPv6 privacy addresses change the last 64 bits only.
    #[test]
    fn privacy_addresses_are_one_network() {
        let a = network(ip("2001:db8:1:2:aaaa:bbbb:cccc:dddd"), 24, 48);
        let b = network(ip("2001:db8:1:2:1111:2222:3333:4444"), 24, 48);
        assert_eq!(a, b);
        assert_ne!(a, network(ip("2001:db8:2::1"), 24, 48));
        assert_eq!(
            network(ip("192.0.2.7"), 24, 48),
            network(ip("::ffff:192.0.2.8"), 24, 48)
        );
        assert_ne!(
            network(ip("192.0.2.7"), 24, 48),
            network(ip("192.0.3.7"), 24, 48)
        );
        assert_eq!(
            network(ip("192.0.2.7"), 200, 200),
            network(ip("192.0.2.7"), 32, 128)
        );
    }
}
