//! Sessions that are bound to devices, in Chromium over HTTPS: see docs/browsers.md.
#![cfg(unix)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod app;
mod ends;
mod example;
mod life;
mod record;
mod refreshes;
mod registrations;
mod sealed;
mod server;
mod speed;
mod stage;
mod thief;

/// The cookie that only the session's device can have renewed.
const BOUND: &str = "__Host-session-bound";

const SESSION: &str = "__Host-Http-session";

const REGISTER: &str = "/dbsc/register";
const REFRESH: &str = "/dbsc/refresh";

/// The application.
const APP: &str = "app.test";

/// The same with self-contained tokens.
const SEALED: &str = "sealed.test";

/// Another site: an identity provider's, with a link to the application.
const IDP: &str = "idp.test";

/// The example `accounts`.
const BANK: &str = "bank.test";
