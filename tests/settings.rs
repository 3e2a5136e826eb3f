//! The tables of all settings in the guide say what the code says: which settings there are, what holds unless they are
//! set, and what is refused.

#![cfg(all(feature = "axum", feature = "dbsc", feature = "testing"))]

#[path = "settings/code.rs"]
mod code;
#[path = "settings/debug.rs"]
mod debug;
#[path = "settings/defaults.rs"]
mod defaults;
#[path = "settings/ranges.rs"]
mod ranges;
#[path = "settings/table.rs"]
mod table;

use std::{collections::BTreeSet, fs, path::Path};

use self::{code::settings_of, table::Table};

/// Where the types are that an application sets something of.
const SOURCES: &[&str] = &[
    "src",
    "crates/tower-session-guard-axum/src",
    "crates/tower-session-guard-cache/src",
    "crates/tower-session-guard-dynamodb/src",
    "crates/tower-session-guard-firestore/src",
    "crates/tower-session-guard-oidc/src",
    "crates/tower-session-guard-redis/src",
    "crates/tower-session-guard-sqlx/src",
];

/// The types that the tables have to have.
const TYPES: &[&str] = &[
    "BackchannelLogout",
    "BackgroundLayer",
    "CacheOptions",
    "ClientBinding",
    "ConnectOptions",
    "CookiePolicy",
    "CookiePolicyBuilder",
    "CookieScope",
    "CsrfLayer",
    "DataKey",
    "DeviceBinding",
    "DynamoDbStore",
    "Endings",
    "FirestoreStore",
    "FlashCookie",
    "Impersonation",
    "KeyRing",
    "KeyRingBuilder",
    "Lease",
    "ListOptions",
    "Login",
    "LoginPage",
    "MemoryRevocations",
    "MemoryStore",
    "PostgresStore",
    "ProviderKeys",
    "RedisRevocations",
    "RedisStore",
    "RequireAuthentication",
    "RequireOrigin",
    "RequireUser",
    "SeenTokens",
    "SessionLayer",
    "SessionPolicy",
    "SqliteStore",
    "StepUp",
    "Sweeper",
    "TransactionCookie",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tables() -> Table {
    Table::of(&fs::read_to_string(root().join("docs/guide/15-settings.md")).unwrap())
}

#[test]
fn the_tables_have_every_setting_and_no_other() {
    let tables = tables();
    let types: BTreeSet<_> = TYPES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(tables.types(), types);
    for (of, there) in settings_of(SOURCES.iter().map(|folder| root().join(folder)), &types) {
        assert_eq!(tables.settings(&of), there, "of {of}");
    }
}

#[test]
fn what_is_no_setting_is_not_taken_for_one() {
    let types = BTreeSet::from(["A".to_owned()]);
    let settings = |text: &str| {
        code::in_text(text, &types)
            .into_iter()
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(settings("impl A { pub fn a(self) -> Self {} }"), ["a"]);
    assert_eq!(
        settings("impl<T> A<T> { pub const fn a() -> Result<A<u8>, E> {} }"),
        ["a"]
    );
    for none in [
        "impl A { fn a(self) -> Self {} }",
        "impl A { pub(crate) fn a(self) -> Self {} }",
        "impl A { pub fn a(&self) -> Self {} }",
        "impl A { pub fn a(self) -> u8 {} }",
        "impl A { pub fn new() -> Self {} }",
        "impl B { pub fn a(self) -> A {} }",
        "impl C for A { fn a(self) -> Self {} }",
        "#[cfg(test)] mod tests { impl A { pub fn a(self) -> Self {} } }",
    ] {
        assert!(settings(none).is_empty(), "{none}");
    }
}
