//! How to do things: a chapter for each, from the first login to alarms.
//!
//! Each chapter begins with what it is good for, has code that compiles, and says what goes wrong and how that shows. The
//! chapters can be read in any order; in the repository they are in `docs/guide`.
//!
//! Nothing here is code: the module is there in documentation only.

// In each chapter the links of `links.md` come first, so they count here. Those at the end of the chapter are for readers
// of the repository.

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/01-first-app.md")]
pub mod first_app {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/02-users.md")]
pub mod users {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/03-choosing.md")]
pub mod choosing {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/04-deploying.md")]
pub mod deploying {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/05-keys.md")]
pub mod keys {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/06-layers.md")]
pub mod layers {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/07-spa.md")]
pub mod spa {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/08-several.md")]
pub mod several {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/09-native.md")]
pub mod native {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/10-embedding.md")]
pub mod embedding {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/11-connections.md")]
pub mod connections {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/12-testing.md")]
pub mod testing {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/13-observing.md")]
pub mod observing {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/14-presets.md")]
pub mod presets {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/15-settings.md")]
pub mod settings {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/16-from-tower-sessions.md")]
pub mod from_tower_sessions {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/17-from-axum-login.md")]
pub mod from_axum_login {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/guide/18-from-others.md")]
pub mod from_others {}
