//! [`Name`]: what a user is called.

use std::fmt;

/// A user's name: 1 to 32 of `a-z`, `0-9`, `-` and `_`.
///
/// Letters in upper case become lower case, so `Alice` and `alice` are one account. There are no other characters, so no two names
/// look the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 32;

    /// What is said where a name is none.
    pub const RULE: &'static str =
        "A name has 1 to 32 letters from a to z, digits, hyphens and underscores.";

    /// The name that this text is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_ascii_lowercase();
        let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let fits = (1..=Self::MAX_LEN).contains(&name.len());
        (fits && name.chars().all(is_good)).then_some(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let alice = Name::parse("alice").unwrap();
        for text in ["Alice", " ALICE ", "alice\t"] {
            assert_eq!(Name::parse(text).unwrap(), alice, "{text}");
        }
        // The first letter is Cyrillic.
        assert_eq!(Name::parse("\u{430}lice"), None);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "  ", "a b", "a\0", "<b>", "a/b", &"a".repeat(33)] {
            assert_eq!(Name::parse(text), None, "{text:?}");
        }
        assert!(Name::parse(&"a".repeat(32)).is_some());
    }
}
