//! [`BoundSessions`]: what a layer that binds sessions has worked out once.

use http::{
    Extensions, HeaderMap, HeaderValue, StatusCode, Uri,
    header::{CACHE_CONTROL, LOCATION, SET_COOKIE},
};

use super::{binding::Checked, outer_path::prefix_of};
use crate::{
    cookie::{CookiePolicy, bound_reader::BoundReader, token::bound::BoundKeys},
    device::{field, keys::DeviceKeys, thumbprint::thumbprint},
    key::KeyRing,
    middleware::{
        devices::{Answered, Devices, DevicesOf, Noted},
        random,
    },
    session::{
        bind::{Offering, offers},
        device::{BoundDevice, Presence},
        device_change::BindingChange,
        device_notes::Demand,
        id::SessionId,
        live::Live,
        present::{DevicePolicy, Proofs},
        state::State,
        time::Timestamp,
    },
};

/// What a layer that binds sessions has worked out once.
#[derive(Debug)]
pub(super) struct BoundSessions {
    pub(super) settings: Checked,
    reader: BoundReader,
    demand_reader: BoundReader,
    /// Of demands for a fresh proof.
    demands: BoundKeys,
    /// Of bound cookies.
    pub(super) cookies: BoundKeys,
    /// Of identifiers and challenges.
    pub(super) keys: DeviceKeys,
}

impl DevicesOf for Checked {
    fn under(&self, keys: &KeyRing, cookies: &CookiePolicy, audience: &str) -> Box<dyn Devices> {
        let (name, demand) = (self.cookie.name(), self.demand.name());
        Box::new(BoundSessions {
            reader: BoundReader::new(name),
            demand_reader: BoundReader::new(demand),
            demands: BoundKeys::of_demands(keys, demand, audience),
            cookies: BoundKeys::new(keys, name, audience),
            keys: DeviceKeys::new(keys.clone(), cookies.session_name(), audience),
            settings: self.clone(),
        })
    }
}

impl Devices for BoundSessions {
    fn proofs(&self, headers: &HeaderMap, now: Timestamp) -> Option<Box<Proofs>> {
        let mut proofs = None;
        self.reader.read(headers, |value| {
            if let Ok(proof) = self.cookies.open_bound(value, now) {
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

    fn is_endpoint(&self, path: &str) -> bool {
        self.settings.paths.has(path)
    }

    fn note(&self, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Noted {
        let mut has_bound_cookie = false;
        self.reader.read(headers, |_| has_bound_cookie = true);
        let skipped = headers.get(field::SKIPPED);
        let site = headers.get("sec-fetch-site");
        Noted {
            prefix: prefix_of(uri, extensions),
            is_same_origin: site.is_some_and(|site| site == "same-origin"),
            has_bound_cookie,
            has_bound_cookie_of_another: false,
            skipped: skipped.and_then(|reason| field::skipped(reason.as_bytes())),
            challenge: None,
        }
    }

    fn first_offer(&self, family: &SessionId, state: &State, now: Timestamp) -> Option<Box<str>> {
        self.offer(
            family,
            &Offering {
                state,
                logs_in: true,
                has_token: true,
                is_same_origin: false,
                now,
            },
        )
    }

    fn challenge(
        &self,
        family: &SessionId,
        device: &BoundDevice,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        self.challenge_of(&self.keys.identifier(family), family, device, now)
    }

    fn demands(&self, headers: &HeaderMap, now: Timestamp) -> Vec<Demand> {
        let mut demands = Vec::new();
        self.demand_reader.read(headers, |value| {
            if let Ok(opened) = self.demands.open_bound(value, now) {
                demands.push(Demand {
                    family: opened.family,
                    asked_at: opened.proved_at,
                });
            }
        });
        demands
    }

    fn finish(&self, answer: Answered<'_>, headers: &mut HeaderMap) -> Option<StatusCode> {
        let (noted, notes) = (answer.noted, answer.notes);
        // What a registration has bound is handed out before.
        let begins_or_ends = !matches!(notes.change, None | Some(BindingChange::Bound(_)));
        if begins_or_ends && noted.has_bound_cookie {
            headers.append(SET_COOKIE, self.settings.cookie.removal());
        }
        if begins_or_ends && !notes.demands.is_empty() {
            headers.append(SET_COOKIE, self.settings.demand.removal());
        }
        if let (Some(location), Some(live), None) = (&notes.demanded, answer.live, &notes.change)
            && let Some(proved_at) = live.presence.proved_at()
            && !Demand::is_unmet(&notes.demands, live.family(), Some(proved_at), answer.now)
        {
            return self.demand(location, live.family(), answer.now, headers);
        }
        let offer = match notes.change {
            Some(BindingChange::LoggedOut | BindingChange::Bound(_)) => None,
            Some(BindingChange::LoggedIn(offer)) => offer,
            None => {
                if let Some(challenge) = &noted.challenge
                    && hand_out(challenge, answer.varies, answer.is_for_one, headers)
                    && noted.has_bound_cookie_of_another
                {
                    // A browser renews no cookie that it has: one of the session before would keep its user out until it expires.
                    headers.append(SET_COOKIE, self.settings.cookie.removal());
                    // As of any answer that writes a cookie, no cache keeps it.
                    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                }
                let live = answer.live.filter(|_| answer.varies && answer.is_for_one);
                live.and_then(|live| self.repeated_offer(live, noted, answer.now))
            }
        };
        if let (Some(offer), Some(prefix)) = (offer, &noted.prefix) {
            let path = format!("{prefix}{}", self.settings.paths.register);
            if let Ok(offer) = field::registration(&path, &offer) {
                headers.append(field::REGISTRATION, offer);
            }
        }
        None
    }
}

impl BoundSessions {
    /// The same to a browser that knows the session by this identifier: an older key may have signed it.
    pub(super) fn challenge_of(
        &self,
        identifier: &str,
        family: &SessionId,
        device: &BoundDevice,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let (nonce, key) = (random::bytes().ok()?, thumbprint(&device.key));
        let challenge = self
            .keys
            .challenge(family, &key, device.sequence, now, nonce);
        field::challenge(&challenge, identifier).ok()
    }

    fn offer(&self, family: &SessionId, offering: &Offering<'_>) -> Option<Box<str>> {
        let repetition = offers(offering)?;
        let nonce = random::bytes().ok()?;
        Some(
            self.keys
                .offer(family, repetition, offering.now, nonce)
                .into(),
        )
    }

    /// Sends the browser to where it came from, without its bound cookie: it has that renewed on its way.
    fn demand(
        &self,
        location: &str,
        family: &SessionId,
        now: Timestamp,
        headers: &mut HeaderMap,
    ) -> Option<StatusCode> {
        let (location, nonce) = (HeaderValue::from_str(location).ok()?, random::bytes().ok()?);
        let asked = self.demands.seal_bound(family, now, nonce);
        headers.insert(LOCATION, location);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.append(SET_COOKIE, self.settings.cookie.removal());
        headers.append(SET_COOKIE, self.settings.demand.set(&asked, Demand::LASTS));
        Some(StatusCode::TEMPORARY_REDIRECT)
    }

    fn repeated_offer(&self, live: &Live, noted: &Noted, now: Timestamp) -> Option<Box<str>> {
        let may_be_bound = !live.suspended && live.presence == Presence::Unbound;
        self.offer(
            live.family(),
            &Offering {
                state: &live.state,
                logs_in: false,
                has_token: may_be_bound && live.is_current(),
                is_same_origin: noted.is_same_origin,
                now,
            },
        )
    }
}

/// Hands out a challenge with an answer to nobody, unless a shared cache may keep that. It says whether it did.
fn hand_out(
    challenge: &HeaderValue,
    varies: bool,
    is_for_one: bool,
    headers: &mut HeaderMap,
) -> bool {
    // One of the endpoint's own is newer.
    if !varies || headers.contains_key(field::CHALLENGE) {
        return false;
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    } else if !is_for_one {
        return false;
    }
    headers.append(field::CHALLENGE, challenge.clone());
    true
}
