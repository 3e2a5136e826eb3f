//! [`Replay`]: what really happened after a list of actions: layer and endpoints themselves, run from the beginning.

use std::{sync::Arc, task::Poll, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::action::{Action, Ask, Theft};
use crate::{
    device::{
        field::{RESPONSE, SESSION_ID},
        samples::Signing,
    },
    middleware::device::DeviceBinding,
    session::{id::SessionId, time::Timestamp},
    simulation::{
        model::plain::{Endpoint, Mutant, Plain},
        store::Fault,
        world::{Answer, Cookies, Flight, World},
    },
};

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Browser,
    Thief,
}

impl Who {
    /// The key of the browser's device, and one of the thief's own.
    pub(super) fn key(self) -> Signing {
        Signing::numbered(self as u8 + 1)
    }
}

/// A session that ever began, by the id that every token and every proof names.
pub(super) struct Family {
    pub(super) id: SessionId,
    /// Whose registrations were answered with 200, and when the first of them came.
    pub(super) registered: Vec<(Who, Timestamp)>,
    /// Whether its end was acknowledged.
    pub(super) ended: bool,
    /// The identifier and the newest challenge that any answer told.
    pub(super) told: Option<(String, String)>,
}

/// A session's token that was ever issued, and one of a device's cookies.
pub(super) struct Issued {
    pub(super) value: String,
    pub(super) family: usize,
    /// When it was issued; for a device's cookie, when the proof was sent that it was issued for.
    pub(super) at: Timestamp,
}

pub(super) struct Sent {
    pub(super) who: Who,
    pub(super) name: &'static str,
    pub(super) came: Cookies,
    endpoint: Option<Endpoint>,
    proof: Option<String>,
    pub(super) at: Timestamp,
    flight: Option<Flight>,
    /// Done but not delivered.
    pub(super) answer: Option<Answer>,
}

impl Sent {
    pub(super) const fn is_under_way(&self) -> bool {
        self.flight.is_some()
    }
}

/// What the browser knows besides its cookies.
#[derive(Default)]
pub(super) struct Browser {
    pub(super) jar: Cookies,
    pub(super) offer: Option<String>,
    /// The identifier of the session that it registered, and the challenge that it holds.
    pub(super) registered: Option<(String, Option<String>)>,
}

pub(super) struct Replay {
    pub(super) world: World,
    pub(super) plain: Plain,
    pub(super) families: Vec<Family>,
    pub(super) tokens: Vec<Issued>,
    pub(super) cookies: Vec<Issued>,
    pub(super) sent: Vec<Sent>,
    pub(super) browser: Browser,
    /// Proofs that were accepted, and when they were first sent.
    accepted: Vec<(String, Timestamp)>,
    /// What a thief has seen last: an offer, and the fields of a proof.
    seen_offer: Option<String>,
    seen_proof: Option<[String; 2]>,
}

/// For how long a bound cookie is good.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

impl Replay {
    pub(super) fn of(mutant: Option<Mutant>, path: &[Action]) -> Self {
        let plain = Plain::new(mutant);
        let world = World::with(Some(Arc::new(plain.clone())), |settings| {
            let longer = mutant == Some(Mutant::ProofsLastLonger);
            let lifetime = LIFETIME + Duration::from_secs(60) * u32::from(longer);
            let binding = DeviceBinding::new("/dbsc").lifetime(lifetime);
            let checked = binding.checked(&settings.cookies, true).unwrap();
            settings.devices = Some(Arc::new(checked));
        });
        let mut replay = Self {
            world,
            plain,
            families: Vec::new(),
            tokens: Vec::new(),
            cookies: Vec::new(),
            sent: Vec::new(),
            browser: Browser::default(),
            accepted: Vec::new(),
            seen_offer: None,
            seen_proof: None,
        };
        replay.begin(true, &[]);
        for action in path {
            replay.apply(*action);
        }
        replay
    }

    /// From now on store calls fail as `faults` says, and perhaps wait for their turn.
    fn begin(&self, waits: bool, faults: &[(usize, Fault)]) {
        if let Some(store) = &self.world.store {
            store.begin(waits, faults);
        }
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Browser(ask) => self.ask(ask),
            Action::Thief(theft) => self.steal(theft),
            Action::Step(at) => self.step(at, None),
            Action::StepAndFail(at, fault) => self.step(at, Some(fault)),
            Action::Deliver(at) => self.deliver(at),
            Action::Lose(at) => self.sent[at].answer = None,
            Action::Pass(seconds) => self.world.advance(Duration::from_secs(seconds)),
        }
    }

    fn ask(&mut self, ask: Ask) {
        let (came, key) = (self.browser.jar.clone(), Who::Browser.key());
        if let Some(op) = ask.op() {
            let flight = self.world.send(op, &came);
            return self.follow(Who::Browser, op.name, came, None, None, flight);
        }
        if ask == Ask::Register {
            let offer = self.browser.offer.clone().unwrap();
            return self.register(Who::Browser, came, &key.registers(&offer));
        }
        let (identifier, challenge) = self.browser.registered.clone().unwrap();
        let proof = challenge.map(|challenge| key.proves(&challenge));
        if let Some(proof) = &proof {
            self.seen_proof = Some([identifier.clone(), proof.clone()]);
        }
        self.refresh(Who::Browser, came, &identifier, proof);
    }

    fn steal(&mut self, theft: Theft) {
        match theft {
            Theft::Registers => {
                let offer = self.seen_offer.clone().unwrap_or_default();
                let proof = Who::Thief.key().registers(&offer);
                self.register(Who::Thief, Cookies::default(), &proof);
            }
            Theft::ProvesAgain => {
                let [identifier, proof] = self.seen_proof.clone().unwrap_or_default();
                self.refresh(Who::Thief, Cookies::default(), &identifier, Some(proof));
            }
        }
    }

    fn register(&mut self, who: Who, came: Cookies, proof: &str) {
        let fields = [(RESPONSE, proof)];
        let flight = self.world.send_device("/dbsc/register", &fields, &came);
        let (endpoint, proof) = (Some(Endpoint::Register), Some(proof.to_owned()));
        self.follow(who, "register", came, endpoint, proof, flight);
    }

    fn refresh(&mut self, who: Who, came: Cookies, identifier: &str, proof: Option<String>) {
        let flight = self.send_refresh(&came, identifier, proof.as_deref());
        let endpoint = Some(Endpoint::Refresh);
        self.follow(who, "refresh", came, endpoint, proof, flight);
    }

    fn send_refresh(&self, came: &Cookies, identifier: &str, proof: Option<&str>) -> Flight {
        let mut fields = vec![(SESSION_ID, identifier)];
        fields.extend(proof.map(|proof| (RESPONSE, proof)));
        self.world.send_device("/dbsc/refresh", &fields, came)
    }

    fn follow(
        &mut self,
        who: Who,
        name: &'static str,
        came: Cookies,
        endpoint: Option<Endpoint>,
        proof: Option<String>,
        flight: Flight,
    ) {
        self.sent.push(Sent {
            who,
            name,
            came,
            endpoint,
            proof,
            at: self.world.now(),
            flight: Some(flight),
            answer: None,
        });
        self.poll(self.sent.len() - 1);
    }

    fn step(&mut self, at: usize, fault: Option<Fault>) {
        // The next call, whichever it is, is this request's.
        let faults: Vec<_> = fault.map(|fault| (0, fault)).into_iter().collect();
        self.begin(true, &faults);
        self.poll(at);
        self.begin(true, &[]);
    }

    fn poll(&mut self, at: usize) {
        self.plain.serve(self.sent[at].endpoint);
        let sent = &mut self.sent[at];
        let polled = sent.flight.as_mut().unwrap().step();
        self.plain.serve(None);
        let Poll::Ready(answer) = polled else {
            return;
        };
        sent.flight = None;
        self.note(at, &answer);
        if self.sent[at].who == Who::Browser {
            self.sent[at].answer = Some(answer);
        }
    }

    /// What a thief sees of an answer, and what it promises.
    fn note(&mut self, at: usize, answer: &Answer) {
        let sent = &self.sent[at];
        let (who, sent_at, is_ok) = (sent.who, sent.at, answer.is_ok());
        if let Some(token) = answer.session.as_ref().filter(|token| !token.is_empty()) {
            let family = self.family(id_of(token));
            let (value, at) = (token.clone(), self.world.now());
            self.tokens.push(Issued { value, family, at });
        }
        self.seen_offer = answer.offer.clone().or(self.seen_offer.take());
        let sent = &self.sent[at];
        if ["login", "logout"].contains(&sent.name) && is_ok && answer.came() != "nobody" {
            let token = sent.came.session.clone();
            let family = token.map(|token| self.family(id_of(&token)));
            if let Some(family) = family {
                self.families[family].ended = true;
            }
        }
        let sent = &self.sent[at];
        let (endpoint, proof) = (sent.endpoint, sent.proof.clone().unwrap_or_default());
        let Some((endpoint, told)) = endpoint.zip(told(&answer.body)).filter(|_| is_ok) else {
            return;
        };
        let family = self.family(family_of(&told));
        let mut proved_at = sent_at;
        if endpoint == Endpoint::Register {
            let registered = &mut self.families[family].registered;
            registered.push((who, sent_at));
            proved_at = sent_at;
        } else if let Some((_, first)) = self.accepted.iter().find(|(one, _)| *one == proof) {
            // The other one may have waited for its turn.
            proved_at = (*first).min(sent_at);
        } else {
            self.accepted.push((proof, sent_at));
        }
        self.families[family].told = answer.challenge.clone().map(|challenge| (told, challenge));
        if let Some(cookie) = answer.bound.clone() {
            self.cookies.push(Issued {
                value: cookie,
                family,
                at: proved_at,
            });
        }
    }

    /// What the browser does with an answer.
    fn deliver(&mut self, at: usize) {
        let answer = self.sent[at].answer.take().unwrap();
        let (endpoint, browser) = (self.sent[at].endpoint, &mut self.browser);
        if endpoint == Some(Endpoint::Register) {
            // What got no answer is sent again, and what got one is not.
            browser.offer = None;
        }
        browser.jar.take(&answer);
        browser.offer = answer.offer.clone().or(browser.offer.take());
        match (endpoint, answer.status) {
            (Some(_), 200) => {
                browser.registered = told(&answer.body).map(|told| (told, answer.challenge));
            }
            (Some(Endpoint::Refresh), 403) => {
                if let Some((_, challenge)) = &mut browser.registered {
                    *challenge = answer.challenge;
                }
            }
            (Some(Endpoint::Refresh), 401) => browser.registered = None,
            _ => {}
        }
    }

    fn family(&mut self, id: SessionId) -> usize {
        let known = self.families.iter().position(|family| family.id == id);
        known.unwrap_or_else(|| {
            self.families.push(Family {
                id,
                registered: Vec::new(),
                ended: false,
                told: None,
            });
            self.families.len() - 1
        })
    }

    /// Whom these cookies open, without leaving a trace.
    pub(super) fn probe(&self, cookies: &Cookies) -> String {
        let content = self.plain.content();
        let opened = self.world.probe(cookies);
        self.plain.restore(content);
        opened
    }

    /// The status of a refresh by the device itself, without leaving a trace; none if nothing was told to it.
    pub(super) fn probe_refresh(&self, family: &Family) -> Option<u16> {
        let (identifier, challenge) = family.told.as_ref()?;
        let proof = Who::Browser.key().proves(challenge);
        let content = self.plain.content();
        self.begin(false, &[]);
        self.plain.serve(Some(Endpoint::Refresh));
        let flight = self.send_refresh(&Cookies::default(), identifier, Some(&proof));
        let answer = flight.finish();
        self.plain.restore(content);
        Some(answer.status)
    }
}

impl Drop for Replay {
    /// Nothing is left to a runtime: there is none. A request to an endpoint leaves nothing.
    fn drop(&mut self) {
        self.begin(false, &[]);
        let sent = self.sent.iter_mut().filter(|sent| sent.endpoint.is_none());
        for flight in sent.filter_map(|sent| sent.flight.take()) {
            flight.finish();
        }
    }
}

/// The identifier that instructions name.
fn told(instructions: &str) -> Option<String> {
    let told: serde_json::Value = serde_json::from_str(instructions).ok()?;
    Some(told["session_identifier"].as_str()?.to_owned())
}

pub(super) fn id_of(token: &str) -> SessionId {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    SessionId::from_bytes(bytes[4..20].try_into().unwrap())
}

fn family_of(identifier: &str) -> SessionId {
    let bytes = URL_SAFE_NO_PAD.decode(identifier).unwrap();
    SessionId::from_bytes(bytes[..16].try_into().unwrap())
}
