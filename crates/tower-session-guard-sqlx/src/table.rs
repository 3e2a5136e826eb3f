//! [`Table`]: what the tables are called.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The name in every statement as it is written down.
const DEFAULT: &str = "session_guard";

/// Leaves room for the longest suffix in the 63 bytes that PostgreSQL takes.
const MAX_LEN: usize = 40;

/// The name of the table of sessions, with which the names of all others begin.
#[derive(Clone, Debug)]
pub(super) struct Table(Cow<'static, str>);

impl Table {
    pub(super) const DEFAULT: Self = Self(Cow::Borrowed(DEFAULT));

    /// A name that needs no quotes in any statement.
    pub(super) fn named(name: &str) -> Result<Self, InvalidTableName> {
        let mut bytes = name.bytes();
        let begins_well = bytes.next().is_some_and(|first| first.is_ascii_lowercase());
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if begins_well && bytes.all(is_plain) && name.len() <= MAX_LEN {
            return Ok(Self(Cow::Owned(name.to_owned())));
        }
        Err(InvalidTableName(()))
    }

    /// The text with this name wherever it says `session_guard`.
    pub(super) fn in_text(&self, text: &'static str) -> Cow<'static, str> {
        match &self.0 {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(name) => Cow::Owned(text.replace(DEFAULT, name)),
        }
    }

    /// The same as a statement: a name that [`named`](Self::named) let through is no injection.
    pub(super) fn in_statement(&self, text: &'static str) -> SqlStr {
        match self.in_text(text) {
            Cow::Borrowed(text) => text.into_sql_str(),
            // Shared, so that each use of the statement copies a pointer.
            Cow::Owned(text) => AssertSqlSafe(Arc::<str>::from(text)).into_sql_str(),
        }
    }
}

/// A text that is not accepted as the name of a table.
pub struct InvalidTableName(());

impl fmt::Debug for InvalidTableName {
    /// The sentence, as a `main` that returns the error prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InvalidTableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name of a session table has 1 to {MAX_LEN} characters from a-z, 0-9 and _, and begins with a letter"
        )
    }
}

impl Error for InvalidTableName {}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_name_that_would_need_quotes_is_refused() {
        for name in ["s", "shop_sessions", "a1", &"a".repeat(40)] {
            assert!(Table::named(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "1a",
            "_a",
            "A",
            "a b",
            "a.b",
            "a\"",
            "a;",
            "a'",
            "é",
            "a\0",
            &"a".repeat(41),
        ] {
            assert!(Table::named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_stands_wherever_the_default_stood() {
        let shop = Table::named("shop").unwrap();
        let text = "SELECT 1 FROM session_guard, session_guard_index";
        assert_eq!(shop.in_text(text), "SELECT 1 FROM shop, shop_index");
        assert_eq!(Table::DEFAULT.in_statement(text).as_str(), text);
    }
}
