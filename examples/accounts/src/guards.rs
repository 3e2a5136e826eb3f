//! Who gets where. Everybody else is sent to log in or to step up, and back.

use std::time::Duration;

use tower_session_guard::{AssuranceLevel, EmptyRefusal, RequireAuthentication};
use tower_session_guard_axum::{LoginPage, RequireUser};

use crate::{
    Site,
    users::{Role, User},
};

/// How old a proof may be where it matters.
const LATELY: Duration = Duration::from_secs(10 * 60);

/// What a login cannot help has an empty answer here, and its page from [`failed::pages`](crate::failed::pages).
type ToLogin = LoginPage<EmptyRefusal>;

fn to_login() -> ToLogin {
    let page = LoginPage::at("/login").with_step_up("/step-up");
    page.otherwise(EmptyRefusal)
}

/// Users whose account is there and switched on.
pub(crate) fn members(site: &Site) -> RequireUser<User, ToLogin> {
    RequireUser::with_state(site).on_refusal_with(to_login())
}

/// Users themselves: no administrator who acts as one.
pub(crate) fn themselves(site: &Site) -> RequireUser<User, ToLogin> {
    members(site).that(|user| user.actor().is_none())
}

pub(crate) fn administrators(site: &Site) -> RequireUser<User, ToLogin> {
    members(site).that(|user| user.role == Role::Administrator)
}

/// Users who proved who they are in the last ten minutes, at whatever level.
pub(crate) fn proved_lately() -> RequireAuthentication<ToLogin> {
    let anyone = RequireAuthentication::new();
    anyone.within(LATELY).on_refusal_with(to_login())
}

/// Users who gave their second factor, and still have what it gave them.
pub(crate) fn stepped_up() -> RequireAuthentication<ToLogin> {
    let level = RequireAuthentication::at_least(AssuranceLevel::AAL2);
    level.on_refusal_with(to_login())
}

/// Users who gave their second factor in the last ten minutes.
pub(crate) fn stepped_up_lately() -> RequireAuthentication<ToLogin> {
    let level = RequireAuthentication::at_least(AssuranceLevel::AAL2);
    level.within(LATELY).on_refusal_with(to_login())
}
