//! [`Methods`]: by which methods a user proved who they are, and when.

use smol_str::SmolStr;

use super::{
    codec::{Malformed, Reader, put_bytes, put_varint},
    time::Timestamp,
};

/// How many methods a session keeps.
pub(crate) const MAX_METHODS: usize = 4;

/// The longest name of a method, in bytes.
pub(crate) const MAX_METHOD_LEN: usize = 24;

const AT_LOGIN: u8 = 1;
const SINCE: u8 = 1 << 1;

/// By which methods a user proved who they are, each name once, the one that came first before the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Methods(Vec<Method>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Method {
    name: SmolStr,
    /// When the login proved it, if it did.
    at_login: Option<Timestamp>,
    /// When an elevation last proved it, if one did: a step-down gives that up.
    since: Option<Timestamp>,
}

impl Method {
    fn proved_at(&self) -> Option<Timestamp> {
        self.at_login.max(self.since)
    }
}

impl Methods {
    pub(crate) const NONE: Self = Self(Vec::new());

    /// The most bytes that [`encode_into`](Self::encode_into) writes.
    pub(crate) const MAX_ENCODED_LEN: usize = MAX_METHODS * (1 + 1 + MAX_METHOD_LEN + 2 * 10);

    /// Those of a login that was proved at `at`.
    pub(crate) fn of_login(names: &[SmolStr], at: Timestamp) -> Self {
        let mut methods = Self::default();
        for name in names {
            methods.log_in(name, at);
        }
        methods
    }

    /// Adds one of a login.
    pub(crate) fn log_in(&mut self, name: &SmolStr, at: Timestamp) {
        self.note(name, |method| method.at_login = Some(at));
    }

    /// Adds the one of an elevation. Where there are as many as a session keeps, the one that was proved longest ago goes.
    pub(crate) fn elevate(&mut self, name: &SmolStr, at: Timestamp) {
        if self.proved_at(name).is_none() && self.0.len() == MAX_METHODS {
            let oldest = self.0.iter().enumerate();
            let oldest = oldest.min_by_key(|(_, method)| method.proved_at());
            let oldest = oldest.map(|(place, _)| place);
            if let Some(place) = oldest.filter(|_| is_kept(name)) {
                self.0.remove(place);
            }
        }
        self.note(name, |method| method.since = Some(at));
    }

    /// Gives up what elevations have added.
    pub(crate) fn step_down(&mut self) {
        for method in &mut self.0 {
            method.since = None;
        }
        self.0.retain(|method| method.at_login.is_some());
    }

    /// Names that cannot be kept are left out, so that a guard for them refuses.
    fn note(&mut self, name: &SmolStr, proved: impl FnOnce(&mut Method)) {
        if !is_kept(name) {
            return;
        }
        if let Some(method) = self.0.iter_mut().find(|method| method.name == *name) {
            return proved(method);
        }
        if self.0.len() == MAX_METHODS {
            return;
        }
        let mut method = Method {
            name: name.clone(),
            at_login: None,
            since: None,
        };
        proved(&mut method);
        self.0.push(method);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each name, and when it was last proved.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        let proved = |method: &Method| method.proved_at();
        let all = self.0.iter();
        all.filter_map(move |method| Some((&*method.name, proved(method)?)))
    }

    /// When the user last proved who they are by this method, if they did.
    pub(crate) fn proved_at(&self, name: &str) -> Option<Timestamp> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, at)| at)
    }

    /// Appends them: each as a flag byte (1: of the login, 2: of an elevation), its name with its length, and the one or two
    /// times in unix milliseconds.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        for method in &self.0 {
            let flag = |time: Option<Timestamp>, flag| if time.is_some() { flag } else { 0 };
            out.push(flag(method.at_login, AT_LOGIN) | flag(method.since, SINCE));
            put_bytes(out, method.name.as_bytes());
            for time in [method.at_login, method.since].into_iter().flatten() {
                put_varint(out, time.as_unix_millis());
            }
        }
    }

    /// Those that all of `bytes` says: at least one.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        let mut methods = Self::default();
        while !reader.is_empty() {
            let flags = reader.byte()?;
            let name = reader.text()?;
            let is_sound = is_kept(name)
                && methods.proved_at(name).is_none()
                && (1..=AT_LOGIN | SINCE).contains(&flags);
            if !is_sound || methods.0.len() == MAX_METHODS {
                return Err(Malformed);
            }
            let time = |flag, reader: &mut Reader<'_>| {
                let has = flags & flag != 0;
                let millis = has.then(|| reader.varint()).transpose()?;
                Ok(millis.map(Timestamp::from_unix_millis))
            };
            methods.0.push(Method {
                name: SmolStr::new(name),
                at_login: time(AT_LOGIN, reader)?,
                since: time(SINCE, reader)?,
            });
        }
        if methods.is_empty() {
            return Err(Malformed);
        }
        Ok(methods)
    }
}

fn is_kept(name: &str) -> bool {
    (1..=MAX_METHOD_LEN).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use smol_str::SmolStr;

    use super::{MAX_METHOD_LEN, MAX_METHODS, Methods};
    use crate::session::time::Timestamp;

    const fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + second)
    }

    fn login(names: &[&str]) -> Methods {
        let names: Vec<_> = names.iter().map(SmolStr::new).collect();
        Methods::of_login(&names, at(0))
    }

    fn shown(methods: &Methods) -> String {
        let all = methods.iter();
        let all = all.map(|(name, time)| format!("{name}@{}", time.since(at(0)).as_secs()));
        all.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_last_proof_of_each_method_counts() {
        let mut methods = login(&["password", "totp", "password"]);
        assert_eq!(shown(&methods), "password@0 totp@0");
        methods.elevate(&"passkey".into(), at(5));
        methods.elevate(&"password".into(), at(7));
        assert_eq!(shown(&methods), "password@7 totp@0 passkey@5");
        assert_eq!(methods.proved_at("passkey"), Some(at(5)));
        assert_eq!(methods.proved_at("pass"), None);
        methods.step_down();
        assert_eq!(shown(&methods), "password@0 totp@0");
    }

    #[test]
    fn what_cannot_be_kept_is_left_out() {
        let long = "m".repeat(MAX_METHOD_LEN + 1);
        assert!(login(&["", &long]).is_empty());
        let names: Vec<_> = (0..=MAX_METHODS).map(|n| n.to_string()).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        let mut methods = login(&names);
        assert_eq!(methods.iter().count(), MAX_METHODS);
        assert_eq!(methods.proved_at("4"), None);
        methods.elevate(&long.into(), at(1));
        assert_eq!(shown(&methods), "0@0 1@0 2@0 3@0");
        // What was just proved takes the place of what was proved longest ago.
        methods.elevate(&"0".into(), at(1));
        methods.elevate(&"9".into(), at(2));
        assert_eq!(shown(&methods), "0@1 2@0 3@0 9@2");
    }

    #[test]
    fn they_are_read_back_in_one_spelling() {
        let mut methods = login(&["password"]);
        methods.elevate(&"passkey".into(), at(5));
        methods.elevate(&"password".into(), at(7));
        let mut bytes = Vec::new();
        methods.encode_into(&mut bytes);
        assert_eq!(Methods::read(&bytes).unwrap(), methods);
        let long = [&[1, MAX_METHOD_LEN as u8 + 1][..], &[b'm'; 25], &[0]].concat();
        let five: Vec<_> = (b'a'..b'f').flat_map(|name| [1, 1, name, 0]).collect();
        let twice = [1, 1, b'a', 0, 1, 1, b'a', 0];
        for bytes in [
            &bytes[..bytes.len() - 1],
            &[],
            &[0, 1, b'a'],
            &[4, 1, b'a', 0],
            &[1, 0, 0],
            &[1, 1, 0xFF, 0],
            &twice,
            &long,
            &five,
        ] {
            assert!(Methods::read(bytes).is_err(), "{bytes:?}");
        }
    }
}
