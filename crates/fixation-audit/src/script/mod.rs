//! How the audited application is used: steps, what to pick from answers, and who is logged in.

mod account;
mod fill;
mod flow;
mod html;
mod pick;
mod probe;
mod step;
mod totp;

pub use account::Account;
pub use flow::Flow;
pub use pick::Pick;
pub use probe::Probe;
pub use step::Step;

pub(super) use fill::{TOTP, fault, substitute};
pub(super) use html::{Control, Form, forms, links, text as visible_text};
pub(super) use step::{Body, Part};
pub(super) use totp::Totp;

/// Values that steps refer to as `{name}`.
pub(super) type Variables = std::collections::BTreeMap<String, String>;
