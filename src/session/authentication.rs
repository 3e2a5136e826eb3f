//! [`Subject`], [`AssuranceLevel`], [`Authentication`]: who, how strongly, since when.

use std::{fmt, num::NonZeroU8};

use smol_str::SmolStr;

use super::time::Timestamp;

/// Who is logged in: an opaque identifier that the application chooses, 1 to 255 bytes of text.
///
/// Use the account's key, not an e-mail address or a name: the holder of a self-contained token can read
/// it, and events carry it. A text outside those lengths can be made, but a login with it is refused
/// when the request is settled: the response becomes the failure reply and nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(SmolStr);

impl Subject {
    /// The longest subject, in bytes.
    pub const MAX_LEN: usize = 255;

    /// The subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn is_valid(&self) -> bool {
        (1..=Self::MAX_LEN).contains(&self.0.len())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Subject {
    fn from(text: &str) -> Self {
        Self(SmolStr::new(text))
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self(SmolStr::from(text))
    }
}

impl From<&String> for Subject {
    fn from(text: &String) -> Self {
        Self(SmolStr::new(text))
    }
}

macro_rules! subject_from_integer {
    ($($integer:ty),*) => {$(
        /// The integer in decimal.
        impl From<$integer> for Subject {
            fn from(number: $integer) -> Self {
                Self(smol_str::format_smolstr!("{number}"))
            }
        }
    )*};
}

subject_from_integer!(i32, i64, u32, u64, u128);

/// How strongly a user proved who they are: 1 to 255, higher is stronger.
///
/// Level 0 means that nobody is logged in; it is `None` where a level is optional. The constants carry the
/// names of NIST SP 800-63B's authenticator assurance levels; what each number means is the
/// application's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssuranceLevel(NonZeroU8);

impl AssuranceLevel {
    /// One factor.
    pub const AAL1: Self = Self(NonZeroU8::MIN);
    /// Two factors.
    pub const AAL2: Self = Self(NonZeroU8::MIN.saturating_add(1));
    /// A hardware-bound, phishing-resistant factor.
    pub const AAL3: Self = Self(NonZeroU8::MIN.saturating_add(2));

    pub(crate) const HIGHEST: Self = Self(NonZeroU8::MAX);

    /// The level with this number, or `None` for 0.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        match NonZeroU8::new(level) {
            Some(level) => Some(Self(level)),
            None => None,
        }
    }

    /// The level's number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for AssuranceLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A level above the login's own, possibly for a limited time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elevation {
    pub(crate) level: AssuranceLevel,
    pub(crate) until: Option<Timestamp>,
}

/// Who is logged in, at what level, and when they last proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authentication {
    pub(crate) subject: Subject,
    /// The login's own level, to which an elevation falls back.
    pub(crate) level: AssuranceLevel,
    pub(crate) authenticated_at: Timestamp,
    pub(crate) elevation: Option<Elevation>,
}

impl Authentication {
    /// The level that holds at `now`.
    pub(crate) fn level_at(&self, now: Timestamp) -> AssuranceLevel {
        match self.elevation {
            Some(up) if up.until.is_none_or(|until| now < until) => self.level.max(up.level),
            _ => self.level,
        }
    }

    /// A fresh proof at `level`: never lowers, never outlasts `until`. A weaker proof than the level that
    /// holds does not make that level fresh (NIST SP 800-63B, R64).
    pub(crate) fn elevate(
        &mut self,
        level: AssuranceLevel,
        until: Option<Timestamp>,
        now: Timestamp,
    ) {
        if level >= self.level_at(now) {
            self.elevation = Some(Elevation { level, until });
            self.authenticated_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AssuranceLevel, Authentication, Timestamp};

    /// R64: the level and its age never exceed the proof.
    #[test]
    fn a_weaker_proof_makes_no_stronger_level_fresh() {
        let at = Timestamp::from_unix_seconds;
        for (level, authenticated_at) in [(1, 10), (2, 20), (3, 20)] {
            let mut who = Authentication {
                subject: "alice".into(),
                level: AssuranceLevel::AAL2,
                authenticated_at: at(10),
                elevation: None,
            };
            let level = AssuranceLevel::new(level).unwrap();
            who.elevate(level, None, at(20));
            assert_eq!(who.authenticated_at, at(authenticated_at), "{level}");
            assert_eq!(who.level_at(at(20)), level.max(AssuranceLevel::AAL2));
        }
    }
}
