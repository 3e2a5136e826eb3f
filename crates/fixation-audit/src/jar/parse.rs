//! One `Set-Cookie` field, RFC 6265bis section 5.6.

use super::{Refusal, date};

/// Browsers keep no cookie for longer: 400 days.
const LONGEST: i64 = 400 * 86_400;

/// What the field says, before the place it came from is looked at.
#[derive(Clone, Debug)]
pub(in super::super) struct SetCookie {
    pub(in super::super) name: Vec<u8>,
    pub(in super::super) value: Vec<u8>,
    pub(in super::super) domain: Option<String>,
    /// As written; a browser falls back to the default path where this is missing.
    pub(in super::super) path: Option<Vec<u8>>,
    pub(in super::super) secure: bool,
    pub(in super::super) http_only: bool,
    pub(in super::super) same_site: Option<String>,
    /// Seconds since the epoch; none for a cookie that ends with the browser.
    pub(super) expires: Option<i64>,
    /// It has expired on arrival: it takes a cookie away.
    pub(in super::super) is_removal: bool,
}

pub(super) fn parse(field: &[u8], now: i64) -> Result<SetCookie, Refusal> {
    if field.iter().any(|&b| b != b'\t' && (b < 0x20 || b == 0x7f)) {
        return Err(Refusal::Syntax);
    }
    let mut parts = field.split(|&b| b == b';');
    let (name, value) = match split(parts.next().unwrap_or_default()) {
        (name, Some(value)) => (name, value),
        (value, None) => (&b""[..], value),
    };
    if name.is_empty() && value.is_empty() {
        return Err(Refusal::Syntax);
    }
    if name.len() + value.len() > 4_096 {
        return Err(Refusal::TooLong);
    }
    let mut cookie = SetCookie {
        name: name.to_vec(),
        value: value.to_vec(),
        domain: None,
        path: None,
        secure: false,
        http_only: false,
        same_site: None,
        expires: None,
        is_removal: false,
    };
    let (mut max_age, mut expires) = (None, None);
    for part in parts {
        let (key, value) = split(part);
        let value = value.unwrap_or_default();
        if value.len() > 1_024 {
            continue;
        }
        let text = String::from_utf8_lossy(value);
        match key.to_ascii_lowercase().as_slice() {
            b"expires" => expires = date::parse(&text).or(expires),
            b"max-age" => max_age = seconds(&text).or(max_age),
            b"domain" => cookie.domain = domain(&text),
            b"path" => cookie.path = value.starts_with(b"/").then(|| value.to_vec()),
            b"secure" => cookie.secure = true,
            b"httponly" => cookie.http_only = true,
            b"samesite" => cookie.same_site = same_site(&text),
            _ => {}
        }
    }
    let ends = max_age.map(|age: i64| {
        if age <= 0 {
            i64::MIN
        } else {
            now.saturating_add(age)
        }
    });
    cookie.expires = ends
        .or(expires)
        .map(|at| at.min(now.saturating_add(LONGEST)));
    cookie.is_removal = cookie.expires.is_some_and(|at| at <= now);
    Ok(cookie)
}

/// Both sides of the first `=`, without the SP and HTAB around them.
fn split(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|&b| b == b'=') {
        Some(at) => (trim(&part[..at]), Some(trim(&part[at + 1..]))),
        None => (trim(part), None),
    }
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn domain(text: &str) -> Option<String> {
    let name = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let beyond = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    numeric.then(|| text.parse().unwrap_or(beyond))
}

fn same_site(text: &str) -> Option<String> {
    ["Strict", "Lax", "None"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(text))
        .map(ToOwned::to_owned)
}
