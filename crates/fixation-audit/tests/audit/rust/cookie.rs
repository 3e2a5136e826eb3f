//! Reading and writing the cookie.

use axum::http::{HeaderMap, HeaderValue, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::sessions::{Sessions, random};
use super::{Faults, Spelling};

pub(crate) const SESSION: &str = "__Host-Http-id";
pub(crate) const GUEST: &str = "__Host-Http-visitor";

impl Sessions {
    fn mac(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize()
            .into_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }

    pub(crate) fn spell(&self, id: &str) -> String {
        let text = if self.faults.respells {
            format!("{id}.{}", random())
        } else {
            id.to_owned()
        };
        match self.spelling {
            Spelling::Plain => text,
            Spelling::Signed => format!("{text}.{}", self.mac(&text)),
        }
    }

    pub(crate) fn unspell(&self, value: &str) -> Option<String> {
        let text = match self.spelling {
            Spelling::Plain => value,
            Spelling::Signed => {
                let (text, mac) = value.rsplit_once('.')?;
                if mac != self.mac(text) {
                    return None;
                }
                text
            }
        };
        Some(text.split('.').next().unwrap_or_default().to_owned())
    }

    /// The id that the request comes with, known or not.
    pub(crate) fn presented(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let mut values: Vec<String> = Vec::new();
        for field in headers.get_all(header::COOKIE) {
            for part in field.as_bytes().split(|&b| b == b';') {
                if let Some(value) = self.value_of(part, name)
                    && !values.contains(&value)
                {
                    values.push(value);
                }
            }
        }
        if self.faults.reads_leniently {
            return values
                .into_iter()
                .next()
                .and_then(|value| self.unspell(&value));
        }
        // Every candidate is looked up; two that are both good mean that somebody plants.
        let mut ids: Vec<_> = values
            .iter()
            .filter_map(|value| self.unspell(value))
            .collect();
        let known: Vec<_> = ids
            .iter()
            .filter(|id| self.load(Some(id)).is_some())
            .cloned()
            .collect();
        match &known[..] {
            [one] => Some(one.clone()),
            [] if ids.len() == 1 => ids.pop(),
            _ => None,
        }
    }

    fn value_of(&self, part: &[u8], name: &str) -> Option<String> {
        if self.faults.reads_leniently {
            // As text: every byte a Latin-1 character, Unicode white space trimmed, names percent-decoded.
            let text: String = part.iter().map(|&b| char::from(b)).collect();
            let (key, value) = text.split_once('=')?;
            return (decoded(key.trim()) == name).then(|| value.trim().to_owned());
        }
        let part = part.trim_ascii();
        let value = part.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    }

    pub(crate) fn set(&self, headers: &mut HeaderMap, name: &str, id: &str) {
        let Faults { bare_cookie, .. } = self.faults;
        let value = self.spell(id);
        let field = if bare_cookie {
            format!("{name}={value}; Path=/; Domain=example.test")
        } else {
            format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax")
        };
        headers.append(header::SET_COOKIE, HeaderValue::try_from(field).unwrap());
        if !bare_cookie {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    pub(crate) fn remove(&self, headers: &mut HeaderMap, name: &str) {
        let field = if self.faults.bare_cookie {
            format!("{name}=; Path=/account; Domain=example.test; Max-Age=0")
        } else if self.faults.removes_carelessly {
            format!("{name}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
        } else {
            format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
        };
        headers.append(header::SET_COOKIE, HeaderValue::try_from(field).unwrap());
        if !self.faults.bare_cookie {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('%') {
        out.push_str(head);
        match tail
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &tail[2..];
            }
            None => {
                out.push('%');
                rest = tail;
            }
        }
    }
    out + rest
}
