//! What an application may set, and no more.

use std::time::Duration;

use tower_session_guard::{
    AtLimit, DeviceBinding, KeyRing, Login, SessionLayer, SessionPolicy, Sweeper, Timestamp,
    TransactionCookie,
    store::{Lease, StoreFuture, Sweep},
};

use super::{
    table::{self, number},
    tables,
};

#[test]
fn what_is_outside_its_range_is_refused() {
    let tables = tables();
    let range = |of: &str, setting: &str, takes: &dyn Fn(Duration) -> bool| {
        let text = tables.range(of, setting);
        let (least, most) = text.split_once(" to ").unwrap();
        let [least, most] = [least, most].map(table::duration);
        let step = Duration::from_nanos(1);
        assert!(takes(least) && takes(most), "{of}::{setting}: {text}");
        assert!(!takes(most + step), "{of}::{setting}: {text}");
        assert!(
            least.is_zero() || !takes(least - step),
            "{of}::{setting}: {text}"
        );
    };
    let policy = SessionPolicy::aal2;
    range("SessionPolicy", "idle", &|time| policy().idle(time).is_ok());
    range("SessionPolicy", "absolute", &|time| {
        policy().absolute(time).is_ok()
    });
    range("SessionPolicy", "renew_every", &|time| {
        policy().renew_every(time).is_ok()
    });
    range("SessionPolicy", "remember_for", &|time| {
        policy().remember_for(time).is_ok()
    });
    range("SessionPolicy", "grace", &|time| {
        policy().grace(time).is_ok()
    });
    range("SessionPolicy", "recheck_every", &|time| {
        policy().recheck_every(time).is_ok()
    });
    range("Lease", "exact", &|time| Lease::exact(time).is_ok());
    range("Lease", "bounded", &|time| Lease::bounded(time).is_ok());
    range("Sweeper", "with_interval", &|time| {
        Sweeper::new(Nothing).with_interval(time).is_ok()
    });

    let keys = KeyRing::generate().unwrap();
    let cookie = || TransactionCookie::<u8>::new(&keys, "login").unwrap();
    range("TransactionCookie", "lasting", &|time| {
        cookie().lasting(time).is_ok()
    });
    let layer = || SessionLayer::new(keys.clone());
    let binding = || DeviceBinding::new("/dbsc");
    let binds = |binding| layer().with_device_binding(binding).is_ok();
    range("DeviceBinding", "lifetime", &|time| {
        binds(binding().lifetime(time))
    });
    range("DeviceBinding", "lifetime_for_tests", &|time| {
        binds(binding().lifetime_for_tests(time))
    });

    let sessions = |count| layer().max_sessions(count, AtLimit::EndOldest).is_ok();
    assert!(!sessions(0) && sessions(1));
    assert_eq!(tables.range("SessionLayer", "max_sessions"), "1 or more");
    let batch = |rows| Sweeper::new(Nothing).with_batch(rows).is_ok();
    let most = Sweeper::MAX_BATCH;
    assert!(!batch(0) && batch(1) && batch(most) && !batch(most + 1));
    assert_eq!(
        tables.range("Sweeper", "with_batch"),
        format!("1 to {}", number(most as usize))
    );

    let methods = format!(
        "{} methods, {} bytes each",
        Login::MAX_METHODS,
        Login::MAX_METHOD_LEN
    );
    assert_eq!(tables.range("Login", "by"), methods);
    assert_eq!(
        tables.range("StepUp", "by"),
        format!("{} bytes", Login::MAX_METHOD_LEN)
    );
    assert_eq!(
        tables.range("Login", "tagged"),
        format!("{} tags", Login::MAX_TAGS)
    );
    assert_eq!(
        tables.range("Login", "labelled"),
        format!("{} bytes, then cut", Login::MAX_LABEL_LEN)
    );
    assert_eq!(
        tables.range("KeyRingBuilder", "signing"),
        format!("{} bytes or more", KeyRing::MIN_KEY_LEN)
    );
}

#[derive(Debug)]
struct Nothing;

impl Sweep for Nothing {
    fn sweep<'a>(&'a self, _: Timestamp, _: u32) -> StoreFuture<'a, u64> {
        Box::pin(async { Ok(0) })
    }
}
