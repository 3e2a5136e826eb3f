//! Moves from axum-login 0.18 and from tower-sessions 0.15, with the real crates: who stays logged in, and who does not.

#[path = "migrate/age.rs"]
mod age;
#[path = "migrate/browser.rs"]
mod browser;
#[path = "migrate/old_store.rs"]
mod old_store;
#[path = "migrate/parallel.rs"]
mod parallel;
#[path = "migrate/planted.rs"]
mod planted;
#[path = "migrate/site.rs"]
mod site;
#[path = "migrate/stays.rs"]
mod stays;
