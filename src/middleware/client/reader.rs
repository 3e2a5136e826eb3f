//! [`ClientReader`]: what a request shows of its client, as digests.

use std::net::IpAddr;

use http::{Extensions, HeaderMap, header::USER_AGENT};

use super::{ClientBinding, address};
use crate::{
    key::{Derived, KeyRing, Mac},
    session::binding::{Client, ClientPart, PartDigest, encode},
};

/// Reads clients for one layer.
#[derive(Debug)]
pub(crate) struct ClientReader {
    binding: ClientBinding,
    keys: Derived<Mac>,
}

impl ClientReader {
    pub(crate) fn new(binding: ClientBinding, ring: &KeyRing, audience: &str) -> Self {
        Self {
            binding,
            keys: ring.derive("client binding", &[audience.as_bytes()]),
        }
    }

    pub(crate) fn read(&self, headers: &HeaderMap, extensions: &Extensions) -> Client {
        let binding = &self.binding;
        let mut shown: [Option<Vec<u8>>; ClientPart::COUNT] = Default::default();
        let mut on_change = [None; ClientPart::COUNT];

        on_change[ClientPart::UserAgent as usize] = binding.user_agent;
        if binding.user_agent.is_some() {
            shown[ClientPart::UserAgent as usize] = headers.get(USER_AGENT).map(|agent| {
                let kept = |byte: &u8| !byte.is_ascii_digit() && *byte != b'.';
                agent.as_bytes().iter().copied().filter(kept).collect()
            });
        }
        on_change[ClientPart::Address as usize] = binding.network;
        if binding.network.is_some() {
            let network = |address| address::network(address, binding.prefix_v4, binding.prefix_v6);
            shown[ClientPart::Address as usize] = self.address(headers, extensions).map(network);
        }
        if let Some((on_proof, proof)) = &binding.proof {
            on_change[ClientPart::Proof as usize] = Some(*on_proof);
            shown[ClientPart::Proof as usize] = proof(headers, extensions);
        }

        let digests = self.keys.current();
        let digests = digests.all().map(|(key_id, mac)| {
            let mut parts = [None; ClientPart::COUNT];
            for (number, shown) in (0_u8..).zip(&shown) {
                parts[usize::from(number)] = shown.as_ref().map(|shown| digest(mac, number, shown));
            }
            encode(*key_id.as_bytes(), parts)
        });
        Client::new(digests.collect(), on_change)
    }

    fn address(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = (self.binding.peer)(extensions)?.to_canonical();
        match &self.binding.proxies {
            Some((header, proxies)) => address::behind(peer, headers, *header, proxies),
            None => Some(peer),
        }
    }
}

fn digest(mac: &Mac, number: u8, shown: &[u8]) -> PartDigest {
    let tag = mac.tag_parts(&[&[number], shown]);
    let mut digest = PartDigest::default();
    let len = digest.len();
    digest.copy_from_slice(&tag[..len]);
    digest
}
