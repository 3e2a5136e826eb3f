//! What holds unless an application sets it.

use std::{fs, time::Duration};

use tower_session_guard::{
    ClientBinding, CookiePolicy, CsrfLayer, DeviceBinding, Impersonation, KeyRing, MemoryStore,
    SessionLayer, SessionPolicy, Sweeper,
    store::{revocation::MemoryRevocations, time_limit},
};

use super::{
    debug::field,
    root,
    table::{bytes, number, time},
    tables,
};

/// What cannot be asked of a value: the type and its setting, what holds unless set, and where that is written and how.
const WRITTEN: &[[&str; 5]] = &[
    [
        "ClientBinding",
        "prefixes",
        "24, 48",
        MIDDLEWARE,
        "prefix_v4: 24,\n            prefix_v6: 48,",
    ],
    [
        "TransactionCookie",
        "lasting",
        "10 minutes",
        "src/cookie/transaction.rs",
        "lifetime: Duration::from_secs(600),",
    ],
    [
        "CacheOptions",
        "with_max_entries",
        "100,000",
        CACHE,
        "DEFAULT_MAX_ENTRIES: usize = 100_000;",
    ],
    [
        "CacheOptions",
        "with_max_bytes",
        "64 MiB",
        CACHE,
        "DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;",
    ],
    [
        "ListOptions",
        "with_max_entries",
        "1,000,000",
        CACHED_LIST,
        "DEFAULT_MAX_ENTRIES: usize = 1_000_000;",
    ],
    [
        "ListOptions",
        "while_silent",
        "`Silence::Ask`",
        CACHED_LIST,
        "while_silent: Silence::Ask,",
    ],
    [
        "RedisStore",
        "with_namespace",
        "`session:`",
        REDIS,
        "DEFAULT_NAMESPACE: &str = \"session:\";",
    ],
    [
        "RedisRevocations",
        "with_max_entries",
        "1,000,000",
        REDIS_LIST,
        "usize = MemoryRevocations::DEFAULT_MAX_ENTRIES;",
    ],
    [
        "PostgresStore",
        "with_table",
        "`session_guard`",
        TABLE,
        "DEFAULT: &str = \"session_guard\";",
    ],
    [
        "SqliteStore",
        "with_table",
        "`session_guard`",
        TABLE,
        "DEFAULT: &str = \"session_guard\";",
    ],
    [
        "FirestoreStore",
        "with_database",
        "`(default)`",
        FIRESTORE,
        "database: \"(default)\".to_owned(),",
    ],
    [
        "FirestoreStore",
        "with_collection",
        "`sessions`",
        FIRESTORE,
        "collection: \"sessions\".to_owned(),",
    ],
    [
        "LoginPage",
        "returning_by",
        "`next`",
        LOGIN_PAGE,
        "parameter: \"next\",",
    ],
    [
        "FlashCookie",
        "named",
        "`flash`",
        FLASH,
        "__Host-Http-flash",
    ],
    [
        "RedisStore",
        "with_time_limit",
        "2 seconds",
        REDIS,
        TIME_LIMIT,
    ],
    [
        "PostgresStore",
        "with_time_limit",
        "2 seconds",
        POSTGRES,
        TIME_LIMIT,
    ],
    [
        "SqliteStore",
        "with_time_limit",
        "2 seconds",
        SQLITE,
        TIME_LIMIT,
    ],
    [
        "DynamoDbStore",
        "with_time_limit",
        "2 seconds",
        DYNAMODB,
        TIME_LIMIT,
    ],
    [
        "FirestoreStore",
        "with_time_limit",
        "2 seconds",
        FIRESTORE,
        TIME_LIMIT,
    ],
    [
        "BackchannelLogout",
        "with_leeway",
        "1 minute",
        LOGOUT,
        "LEEWAY: Duration = Duration::from_secs(60);",
    ],
    [
        "BackchannelLogout",
        "with_max_lifetime",
        "5 minutes",
        LOGOUT,
        "MAX_LIFETIME: Duration = Duration::from_secs(300);",
    ],
    [
        "ProviderKeys",
        "fresh_for",
        "10 minutes",
        PROVIDER_KEYS,
        "FRESH_FOR: Duration = Duration::from_secs(600);",
    ],
    [
        "ProviderKeys",
        "usable_for",
        "1 day",
        PROVIDER_KEYS,
        "USABLE_FOR: Duration = Duration::from_secs(24 * 3600);",
    ],
    [
        "ProviderKeys",
        "at_most_every",
        "30 seconds",
        PROVIDER_KEYS,
        "INTERVAL: Duration = Duration::from_secs(30);",
    ],
    [
        "SeenTokens",
        "with_max_tokens",
        "65,536",
        SEEN_TOKENS,
        "MAX_TOKENS: usize = 65_536;",
    ],
];

const CACHE: &str = "crates/tower-session-guard-cache/src/options.rs";
const CACHED_LIST: &str = "crates/tower-session-guard-cache/src/revocations/mod.rs";
const DYNAMODB: &str = "crates/tower-session-guard-dynamodb/src/store.rs";
const FIRESTORE: &str = "crates/tower-session-guard-firestore/src/store.rs";
const FLASH: &str = "crates/tower-session-guard-axum/src/flash/flash_cookie.rs";
const LOGOUT: &str = "crates/tower-session-guard-oidc/src/endpoint/mod.rs";
const PROVIDER_KEYS: &str = "crates/tower-session-guard-oidc/src/keys/mod.rs";
const SEEN_TOKENS: &str = "crates/tower-session-guard-oidc/src/replay/seen.rs";
const LOGIN_PAGE: &str = "crates/tower-session-guard-axum/src/login_page.rs";
const MIDDLEWARE: &str = "src/middleware/client/mod.rs";
const POSTGRES: &str = "crates/tower-session-guard-sqlx/src/postgres.rs";
const REDIS: &str = "crates/tower-session-guard-redis/src/store.rs";
const REDIS_LIST: &str = "crates/tower-session-guard-redis/src/revocations/mod.rs";
const SQLITE: &str = "crates/tower-session-guard-sqlx/src/sqlite.rs";
const TABLE: &str = "crates/tower-session-guard-sqlx/src/table.rs";
const TIME_LIMIT: &str = "time_limit: time_limit::DEFAULT,";

#[test]
fn what_holds_unless_set_is_what_the_tables_say() {
    let tables = tables();
    let check = |of: &str, setting: &str, expected: &str| {
        assert_eq!(tables.unless_set(of, setting), expected, "{of}::{setting}");
    };

    let layer = SessionLayer::new(KeyRing::generate().unwrap());
    let layer = format!("{layer:?}");
    check(
        "SessionLayer",
        "max_sessions",
        match &*field(&layer, "limit") {
            "Some(SessionLimit { count: 100, at_limit: EndOldest })" => "100, the oldest ends",
            other => other,
        },
    );
    check(
        "SessionLayer",
        "with_caching",
        &format!("`Caching::{}`", field(&layer, "caching")),
    );
    check(
        "SessionLayer",
        "with_audience",
        if field(&layer, "audience") == "\"\"" {
            "empty"
        } else {
            ""
        },
    );
    check(
        "SessionLayer",
        "with_observer",
        &format!("`{}`", field(&layer, "observer")),
    );
    check(
        "SessionLayer",
        "with_clock",
        &format!("`{}`", field(&layer, "clock")),
    );
    for (setting, name) in [
        ("lazily", "lazily"),
        ("login_at_arrival", "arrival_hook"),
        ("with_binding", "binding"),
        ("with_device_binding", "devices"),
    ] {
        check("SessionLayer", setting, off(&field(&layer, name)));
    }
    assert_eq!(field(&layer, "failure"), "FailureRule(default)");
    assert_eq!(
        field(&layer, "policy"),
        format!("{:?}", SessionPolicy::aal2())
    );
    check("SessionLayer", "with_policy", "`SessionPolicy::aal2()`");

    let policy = SessionPolicy::default();
    check(
        "SessionPolicy",
        "idle",
        &time(policy.idle_timeout().unwrap()),
    );
    check(
        "SessionPolicy",
        "absolute",
        &time(policy.absolute_timeout()),
    );
    assert_eq!(policy.remembered_timeout(), None);
    check("SessionPolicy", "remember_for", "off");
    let shown = format!("{policy:?}");
    check(
        "SessionPolicy",
        "renew_every",
        off(&field(&shown, "renew_every")),
    );
    check("SessionPolicy", "grace", &seconds(&field(&shown, "grace")));
    check(
        "SessionPolicy",
        "recheck_every",
        &seconds(&field(&shown, "recheck_every")),
    );
    check(
        "SessionPolicy",
        "on_reuse",
        &format!("`TokenReuse::{}`", field(&shown, "on_reuse")),
    );
    for (name, preset) in [
        ("aal1", SessionPolicy::aal1()),
        ("aal2", SessionPolicy::aal2()),
        ("aal3", SessionPolicy::aal3()),
        ("high_value", SessionPolicy::high_value()),
    ] {
        let idle = preset.idle_timeout();
        let idle = idle.map_or("no idle timeout".to_owned(), |idle| {
            format!("{} idle", time(idle))
        });
        let both = format!("{idle}, {}", time(preset.absolute_timeout()));
        assert_eq!(tables.what("SessionPolicy", name), both, "{name}");
    }

    let cookies = CookiePolicy::default();
    check(
        "SessionLayer",
        "with_cookies",
        &format!("`{}`", cookies.session_name()),
    );
    check(
        "CookiePolicyBuilder",
        "whole_name",
        &format!("`{}`", cookies.session_name()),
    );
    let shown = format!("{cookies:?}");
    let attributes = field(&shown, "attributes");
    check(
        "CookiePolicyBuilder",
        "same_site",
        &format!("`SameSite::{}`", field(&attributes, "same_site")),
    );
    check(
        "CookiePolicyBuilder",
        "partitioned",
        off(&field(&attributes, "partitioned")),
    );
    check(
        "CookiePolicyBuilder",
        "path",
        &field(&attributes, "path").replace('"', "`"),
    );
    assert_eq!(field(&attributes, "domain"), "None");
    check(
        "CookiePolicyBuilder",
        "clear_site_data_on_logout",
        off(&field(&shown, "clears_site_data")),
    );

    let binding = format!("{:?}", ClientBinding::new());
    for part in ["user_agent", "network", "proof"] {
        check("ClientBinding", part, off(&field(&binding, part)));
    }
    let binding = format!("{:?}", DeviceBinding::new("/dbsc"));
    check(
        "DeviceBinding",
        "lifetime",
        &seconds(&field(&binding, "lifetime")),
    );

    let header = field(&format!("{:?}", CsrfLayer::new()), "header");
    check("CsrfLayer", "header", &header.replace('"', "`"));
    check(
        "Impersonation",
        "lasting",
        &time(Impersonation::DEFAULT_TIME),
    );
    let [sessions, room] = [
        MemoryStore::DEFAULT_CAPACITY,
        MemoryStore::DEFAULT_MAX_BYTES,
    ];
    check("MemoryStore", "with_capacity", &number(sessions));
    check("MemoryStore", "with_max_bytes", &bytes(room));
    check(
        "MemoryStore",
        "limited",
        &format!("{} and {}", number(sessions), bytes(room)),
    );
    let entries = number(MemoryRevocations::DEFAULT_MAX_ENTRIES);
    check("MemoryRevocations", "with_max_entries", &entries);
    check("Sweeper", "with_interval", &time(Sweeper::DEFAULT_INTERVAL));
    check(
        "Sweeper",
        "with_batch",
        &number(Sweeper::DEFAULT_BATCH as usize),
    );
}

#[test]
fn defaults_that_no_value_shows_are_written_as_the_tables_say() {
    let tables = tables();
    for [of, setting, shown, file, written] in WRITTEN {
        let source = fs::read_to_string(root().join(file)).unwrap();
        assert!(
            source.contains(written),
            "{file} has no {written}: what does {of}::{setting} begin with?"
        );
        assert_eq!(tables.unless_set(of, setting), *shown, "{of}::{setting}");
    }
    assert_eq!(time(time_limit::DEFAULT), "2 seconds");
}

/// What a setting is that is there or not.
fn off(shown: &str) -> &'static str {
    match shown {
        "None" | "false" => "off",
        _ => "on",
    }
}

/// A time as `Debug` shows one of whole seconds.
fn seconds(shown: &str) -> String {
    let number = shown
        .strip_suffix('s')
        .and_then(|number| number.parse().ok());
    time(Duration::from_secs(number.unwrap()))
}
