//! [`BoundSessions`]: what a layer that binds sessions has worked out once.

use http::HeaderMap;

use super::binding::Checked;
use crate::{
    cookie::{CookiePolicy, bound_reader::BoundReader, token::bound::BoundKeys},
    key::KeyRing,
    middleware::devices::{Devices, DevicesOf},
    session::{
        present::{DevicePolicy, Proofs},
        state::State,
        time::Timestamp,
    },
};

/// What a layer that binds sessions has worked out once.
#[derive(Debug)]
pub(super) struct BoundSessions {
    settings: Checked,
    reader: BoundReader,
    keys: BoundKeys,
}

impl BoundSessions {
    pub(super) fn new(settings: Checked, keys: &KeyRing, audience: &str) -> Self {
        let name = settings.cookie.name();
        Self {
            reader: BoundReader::new(name),
            keys: BoundKeys::new(keys, name, audience),
            settings,
        }
    }
}

impl DevicesOf for Checked {
    fn under(&self, keys: &KeyRing, _cookies: &CookiePolicy, audience: &str) -> Box<dyn Devices> {
        Box::new(BoundSessions::new(self.clone(), keys, audience))
    }
}

impl Devices for BoundSessions {
    fn proofs(&self, headers: &HeaderMap, now: Timestamp) -> Option<Box<Proofs>> {
        let mut proofs = None;
        self.reader.read(headers, |value| {
            if let Ok(proof) = self.keys.open_bound(value, now) {
                Proofs::add(&mut proofs, proof);
            }
        });
        proofs
    }

    fn policy_for(&self, state: &State) -> DevicePolicy {
        let who = state.authentication.as_ref();
        let who = who.filter(|_| state.bound_device().is_none());
        DevicePolicy {
            lifetime: self.settings.lifetime,
            required: who.is_some_and(|who| self.settings.must_be_bound(&who.subject)),
        }
    }
}
