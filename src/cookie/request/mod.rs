//! Finds our two cookies among everything a client sends in its `Cookie` fields.

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use http::{HeaderMap, header::COOKIE};
use memchr::{memchr, memmem::Finder};

use super::{CookieKind, CookiePolicy, token::Rejected};

/// How many bytes of `Cookie` fields are looked at.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// How many different valid tokens of one name count.
pub(crate) const MAX_TOKENS: usize = 8;

/// What the `Cookie` fields of a request hold of our two cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found<T> {
    pub(crate) session: Presented<T>,
    pub(crate) guest: Presented<T>,
}

/// What came under one cookie's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presented<T> {
    /// No valid token.
    Nothing {
        /// The most telling of the causes for which the values were refused, if any came.
        rejected: Option<Rejected>,
    },
    /// One valid token, however much junk stood beside it.
    One(T),
    /// Different valid tokens, in the order in which they came.
    Several(Box<Several<T>>),
}

/// Different valid tokens of one name, of which a browser sends more than one after a change of the cookie's scope, or
/// where somebody plants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Several<T> {
    /// From 2 to [`MAX_TOKENS`] of them.
    pub(crate) tokens: Vec<T>,
    /// Whether more came, which are left out.
    pub(crate) are_more: bool,
}

impl<T> Presented<T> {
    /// Whether a token came that this server signed, whether or not it is still valid.
    pub(crate) fn is_signed(&self) -> bool {
        match self {
            Self::Nothing { rejected } => rejected.is_some_and(Rejected::is_ours),
            Self::One(_) | Self::Several(_) => true,
        }
    }

    /// Whether the only token that this server signed is over by its own limit.
    #[inline]
    pub(crate) const fn has_expired(&self) -> bool {
        matches!(
            self,
            Self::Nothing {
                rejected: Some(Rejected::Expired)
            }
        )
    }
}

impl<T> Default for Presented<T> {
    fn default() -> Self {
        Self::Nothing { rejected: None }
    }
}

/// Reads `Cookie` fields: bytes only, without decoding, quotes, or special names.
///
/// Fields are split at `;`, each piece is freed of spaces and tabs around it, and begins with one of the
/// two names and `=`, byte for byte. Browsers send names that another parser would fold into ours, so
/// leniency here would undo what the name's prefix promises.
#[derive(Clone, Debug)]
pub(crate) struct CookieReader {
    /// Of the session cookie's name, with which the guest cookie's begins.
    name: Finder<'static>,
    plausible: RangeInclusive<usize>,
}

impl CookieReader {
    /// A reader of values whose length is within `plausible`.
    pub(crate) fn new(policy: &CookiePolicy, plausible: RangeInclusive<usize>) -> Self {
        Self {
            name: Finder::new(policy.session_name().as_str()).into_owned(),
            plausible,
        }
    }

    /// Opens the values that came under our two names.
    ///
    /// Values of an implausible length are passed over. All others within 256 KiB are verified: whoever can set
    /// cookies for the host cannot hide a good one behind junk (S10). A good value that comes again counts as the
    /// same. Nothing is allocated unless several good ones come.
    pub(crate) fn read<T>(
        &self,
        headers: &HeaderMap,
        mut open: impl FnMut(CookieKind, &[u8]) -> Result<T, Rejected>,
    ) -> Found<T> {
        // What is found can be large: it is written where it is handed out.
        let mut found = Found {
            session: Presented::default(),
            guest: Presented::default(),
        };
        let mut fields = headers.get_all(COOKIE).iter().peekable();
        if fields.peek().is_none() {
            return found;
        }
        let mut session = Candidates::new(&mut found.session);
        let mut guest = Candidates::new(&mut found.guest);
        let mut left = MAX_BYTES;
        for field in fields {
            let field = field.as_bytes();
            // A field that is cut could end in half a value.
            let Some(rest) = left.checked_sub(field.len()) else {
                break;
            };
            left = rest;
            for (kind, value) in self.values(field) {
                let candidates = match kind {
                    CookieKind::Guest => &mut guest,
                    CookieKind::Session => &mut session,
                };
                if self.plausible.contains(&value.len()) {
                    candidates.consider(value, |value| open(kind, value));
                } else {
                    candidates.reject(Rejected::Malformed);
                }
            }
        }
        found
    }

    /// The values under our names in one field.
    fn values<'a>(&self, field: &'a [u8]) -> impl Iterator<Item = (CookieKind, &'a [u8])> {
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let start = from + self.name.find(&field[from..])?;
                from = start + self.name.needle().len();
                if let Some((kind, value)) = self.pair(field, start) {
                    from += value.len();
                    return Some((kind, value));
                }
            }
        })
    }

    /// The cookie whose name begins at `start`, if a cookie begins there.
    fn pair<'a>(&self, field: &'a [u8], start: usize) -> Option<(CookieKind, &'a [u8])> {
        let (before, found) = field.split_at(start);
        if !begins_a_cookie(before) {
            return None;
        }
        let after = &found[self.name.needle().len()..];
        let (kind, value) = match after.strip_prefix(CookiePolicy::GUEST.as_bytes()) {
            Some(after) => (CookieKind::Guest, after.strip_prefix(b"=")?),
            None => (CookieKind::Session, after.strip_prefix(b"=")?),
        };
        let end = memchr(b';', value).unwrap_or(value.len());
        Some((kind, trim_end(&value[..end])))
    }
}

/// The values that came under one name.
struct Candidates<'a, 'p, T> {
    /// The value that opened first, if one did.
    first: &'a [u8],
    /// The others that opened.
    others: Vec<&'a [u8]>,
    presented: &'p mut Presented<T>,
}

impl<'a, 'p, T> Candidates<'a, 'p, T> {
    fn new(presented: &'p mut Presented<T>) -> Self {
        Self {
            first: &[],
            others: Vec::new(),
            presented,
        }
    }

    /// Opens a value, unless it opened before or enough is known.
    fn consider(&mut self, value: &'a [u8], open: impl FnOnce(&[u8]) -> Result<T, Rejected>) {
        match self.presented {
            Presented::Several(several) if several.are_more => return,
            Presented::One(_) | Presented::Several(_)
                if value == self.first || self.others.contains(&value) =>
            {
                return;
            }
            Presented::One(_) | Presented::Several(_) | Presented::Nothing { .. } => {}
        }
        match open(value) {
            Ok(opened) => self.add(value, opened),
            Err(cause) => self.reject(cause),
        }
    }

    fn add(&mut self, value: &'a [u8], opened: T) {
        if let Presented::Nothing { .. } = self.presented {
            self.first = value;
            *self.presented = Presented::One(opened);
        } else {
            self.add_to_others(value, opened);
        }
    }

    #[cold]
    fn add_to_others(&mut self, value: &'a [u8], opened: T) {
        self.others.push(value);
        let before = std::mem::take(self.presented);
        *self.presented = match before {
            Presented::Nothing { .. } => Presented::One(opened),
            Presented::One(first) => Presented::Several(Box::new(Several {
                tokens: vec![first, opened],
                are_more: false,
            })),
            Presented::Several(mut several) => {
                if several.tokens.len() < MAX_TOKENS {
                    several.tokens.push(opened);
                } else {
                    several.are_more = true;
                }
                Presented::Several(several)
            }
        };
    }

    fn reject(&mut self, cause: Rejected) {
        if let Presented::Nothing { rejected } = self.presented {
            *rejected = (*rejected).max(Some(cause));
        }
    }
}

/// Whether a cookie begins behind this part of a field.
pub(super) fn begins_a_cookie(before: &[u8]) -> bool {
    matches!(trim_end(before).last(), None | Some(b';'))
}

/// Without the spaces and tabs at the end.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
