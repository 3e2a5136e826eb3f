//! [`Browser`]: keeps cookies and keys as Chromium does, and holds requests back until the bound cookie is renewed.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_session_guard::{Clock, Timestamp, testing::ManualClock};

use super::common::{Answer, collect};

pub(crate) const HOST: &str = "app.example";

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A page of the application.
    Own,
    /// A link on a page of another site: cookies go with the navigation, and with no refresh for it.
    OtherSite,
}

/// A session that the browser has registered.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) identifier: String,
    pub(crate) refresh_path: String,
    cookie: String,
    pub(crate) attributes: String,
    initiators: Vec<String>,
    pub(crate) key: SigningKey,
    pub(crate) challenge: Option<String>,
}

/// An offer that was heard of and not taken up yet.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) path: String,
    pub(crate) challenge: String,
}

/// A browser with one tab.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) app: Router,
    clock: ManualClock,
    /// Values and when they expire.
    pub(crate) jar: BTreeMap<String, (String, Option<Timestamp>)>,
    /// The oldest first, as they are refreshed.
    pub(crate) registered: Vec<Registered>,
    pub(crate) offered: Vec<Offered>,
    /// How many answers of the endpoints are lost on their way from now on.
    pub(crate) loses: u32,
    pub(crate) redirects: u32,
    /// The `User-Agent` field, if it sends one.
    pub(crate) agent: &'static str,
    keys: u8,
}

/// A key that follows from a number.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

/// The proof that a browser makes of a challenge; with the key at a registration.
pub(crate) fn proof(key: &SigningKey, challenge: &str, registers: bool) -> String {
    proof_of(key, &json!({"jti": challenge}), registers)
}

/// The same of any payload.
pub(crate) fn proof_of(key: &SigningKey, payload: &Value, registers: bool) -> String {
    let mut head = json!({"alg": "ES256", "typ": "dbsc+jwt"});
    if registers {
        let point = key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        head["jwk"] = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    }
    let [head, payload] =
        [head, payload.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{head}.{payload}");
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// A parameter of a structured field, or its bare string before them.
fn string_of(field: &str, parameter: &str) -> Option<String> {
    let at = field.find(parameter)? + parameter.len();
    Some(field[at..].split('"').next()?.to_owned())
}

impl Browser {
    pub(crate) fn new(app: Router, clock: &ManualClock) -> Self {
        Self {
            app,
            clock: clock.clone(),
            jar: BTreeMap::new(),
            registered: Vec::new(),
            offered: Vec::new(),
            loses: 0,
            redirects: 0,
            agent: "",
            keys: 0,
        }
    }

    /// Sends a request of a page, once every bound cookie is there that is missing, hears what the answer says, and follows
    /// a redirect that keeps the method.
    pub(crate) async fn send(&mut self, method: &str, path: &str, from: From) -> Answer {
        let mut path = path.to_owned();
        loop {
            for identifier in self.missing(from) {
                self.refresh(&identifier, from).await;
            }
            let answer = self.ask(method, &path, from, &[]).await;
            self.hear(&answer.headers);
            if answer.status != StatusCode::TEMPORARY_REDIRECT {
                return answer;
            }
            path = answer.headers[header::LOCATION]
                .to_str()
                .unwrap()
                .to_owned();
            self.redirects += 1;
            assert!(self.redirects < 20, "Chromium gives up");
        }
    }

    pub(crate) async fn mark(&mut self, marks: &str) -> Answer {
        self.send("POST", &format!("/do?marks={marks}"), From::Own)
            .await
    }

    pub(crate) async fn whoami(&mut self) -> String {
        self.send("GET", "/bound", From::Own).await.body
    }

    /// Takes up what was offered, once for each offer: nothing is tried again but what got no answer.
    pub(crate) async fn register(&mut self) -> Vec<StatusCode> {
        let mut statuses = Vec::new();
        for Offered { path, challenge } in std::mem::take(&mut self.offered) {
            self.keys += 1;
            let key = key(self.keys);
            let proof = proof(&key, &challenge, true);
            let fields = [("secure-session-response", &*proof)];
            let answer = self.ask_until_answered(&path, From::Own, &fields).await;
            self.keep_cookies(&answer.headers);
            statuses.push(answer.status);
            if answer.status == StatusCode::OK {
                self.take_in(&answer, None, key);
            }
        }
        statuses
    }

    /// The sessions whose bound cookie is missing, and that a request from there may renew.
    fn missing(&self, from: From) -> Vec<String> {
        let is_missing = |session: &&Registered| {
            !self.has(&session.cookie)
                && (from == From::Own || session.initiators.contains(&"*".to_owned()))
        };
        let missing = self.registered.iter().filter(is_missing);
        missing.map(|session| session.identifier.clone()).collect()
    }

    /// Renews the bound cookie of a session, unless another session's refresh has brought it already.
    pub(crate) async fn refresh(&mut self, identifier: &str, from: From) {
        for _ in 0..5 {
            let known = self
                .registered
                .iter()
                .find(|one| one.identifier == identifier);
            let Some(session) = known.cloned() else {
                return;
            };
            if self.has(&session.cookie) {
                return;
            }
            let signed = session.challenge.as_ref();
            let signed = signed.map(|challenge| proof(&session.key, challenge, false));
            let mut fields = vec![("sec-secure-session-id", &*session.identifier)];
            fields.extend(
                signed
                    .as_deref()
                    .map(|proof| ("secure-session-response", proof)),
            );
            let answer = self
                .ask_until_answered(&session.refresh_path, from, &fields)
                .await;
            match answer.status.as_u16() {
                200 => {
                    self.keep_cookies(&answer.headers);
                    return self.take_in(&answer, Some(identifier), session.key);
                }
                403 => {
                    // What no challenge can be stored of ends the session.
                    if !self.hear_challenge(&answer.headers, identifier) {
                        return self.forget(identifier);
                    }
                }
                407 | 500.. => return,
                _ => return self.forget(identifier),
            }
        }
        self.forget(identifier);
    }

    fn forget(&mut self, identifier: &str) {
        self.registered
            .retain(|session| session.identifier != identifier);
    }

    /// Takes in the instructions, with which everything is compared that Chromium compares.
    fn take_in(&mut self, answer: &Answer, refreshed: Option<&str>, key: SigningKey) {
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let identifier = text(&told["session_identifier"]);
        if let Some(refreshed) = refreshed {
            self.forget(refreshed);
            assert_eq!(
                refreshed, identifier,
                "Chromium ends a session whose identifier changes"
            );
        }
        assert_eq!(told["scope"]["include_site"], json!(false));
        assert!(told.get("continue").is_none());
        let credential = &told["credentials"][0];
        assert_eq!(credential["type"], "cookie");
        let initiators = told["allowed_refresh_initiators"].as_array().unwrap();
        let session = Registered {
            identifier: identifier.clone(),
            refresh_path: text(&told["refresh_url"]),
            cookie: text(&credential["name"]),
            attributes: text(&credential["attributes"]),
            initiators: initiators.iter().map(text).collect(),
            key,
            challenge: None,
        };
        let set = set_cookies(&answer.headers);
        let set = set
            .iter()
            .find(|set| set.starts_with(&format!("{}=", session.cookie)));
        let (_, attributes) = set
            .expect("the bound cookie is set")
            .split_once("; ")
            .unwrap();
        let (attributes, _) = attributes.rsplit_once("; Max-Age=").unwrap();
        assert_eq!(
            attributes, session.attributes,
            "Chromium would refresh for ever"
        );
        self.registered.push(session);
        // JSON without a challenge erases the one that is held.
        assert!(self.hear_challenge(&answer.headers, &identifier));
    }

    fn hear(&mut self, headers: &HeaderMap) {
        self.keep_cookies(headers);
        for offer in headers.get_all("secure-session-registration") {
            let field = offer.to_str().unwrap();
            assert!(field.starts_with("(ES256);path=\""), "{field}");
            self.offered.push(Offered {
                path: string_of(field, "path=\"").unwrap(),
                challenge: string_of(field, "challenge=\"").unwrap(),
            });
        }
        let all: Vec<_> = self
            .registered
            .iter()
            .map(|one| one.identifier.clone())
            .collect();
        for identifier in all {
            self.hear_challenge(headers, &identifier);
        }
    }

    /// Keeps the challenge for this session, if one came.
    fn hear_challenge(&mut self, headers: &HeaderMap, identifier: &str) -> bool {
        let fields = headers.get_all("secure-session-challenge").iter();
        let mut own = fields.filter_map(|field| field.to_str().ok());
        let Some(field) = own.rfind(|field| field.ends_with(&format!(";id=\"{identifier}\"")))
        else {
            return false;
        };
        let challenge = string_of(field, "\"");
        let known = self
            .registered
            .iter_mut()
            .find(|one| one.identifier == identifier);
        known.map(|session| session.challenge = challenge).is_some()
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for set in set_cookies(headers) {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let max_age = set
                .split("; ")
                .find_map(|part| part.strip_prefix("Max-Age="));
            let max_age = max_age.map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
            if max_age == Some(Duration::ZERO) {
                self.jar.remove(name);
            } else {
                let expires = max_age.map(|max_age| self.clock.now().after(max_age));
                self.jar
                    .insert(name.to_owned(), (value.to_owned(), expires));
            }
        }
    }

    /// Whether a cookie is there that has not expired.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.cookies().iter().any(|(kept, _)| *kept == name)
    }

    pub(crate) fn cookies(&self) -> Vec<(&str, &str)> {
        let now = self.clock.now();
        let good = self
            .jar
            .iter()
            .filter(|(_, (_, expires))| expires.is_none_or(|at| now < at));
        good.map(|(name, (value, _))| (&**name, &**value)).collect()
    }

    /// The same request again, up to three times, while its answer is lost.
    async fn ask_until_answered(
        &mut self,
        path: &str,
        from: From,
        fields: &[(&str, &str)],
    ) -> Answer {
        loop {
            let answer = self.ask("POST", path, from, fields).await;
            if self.loses == 0 {
                return answer;
            }
            self.loses -= 1;
        }
    }

    /// Sends what it is told, with the cookies that go with it.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        from: From,
        fields: &[(&str, &str)],
    ) -> Answer {
        let site = if from == From::Own {
            "same-origin"
        } else {
            "cross-site"
        };
        let mut request = Request::builder().method(method).uri(path);
        request = request
            .header(header::HOST, HOST)
            .header("sec-fetch-site", site);
        if !self.agent.is_empty() {
            request = request.header(header::USER_AGENT, self.agent);
        }
        // A refresh for another site's page is no navigation, so cookies with SameSite=Lax stay back.
        let is_refresh = fields
            .iter()
            .any(|(name, _)| *name == "sec-secure-session-id");
        if from == From::Own || !is_refresh {
            for (name, value) in self.cookies() {
                request = request.header(header::COOKIE, format!("{name}={value}"));
            }
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        collect(self.app.clone().oneshot(request).await.unwrap()).await
    }
}

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    let set = headers.get_all(header::SET_COOKIE).iter();
    set.map(|set| set.to_str().unwrap()).collect()
}
