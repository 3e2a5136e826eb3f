//! The site's pages.

pub(crate) mod admin;
pub(crate) mod assets;
mod browser;
mod field;
pub(crate) mod frame;
pub(crate) mod home;
pub(crate) mod live;
pub(crate) mod login;
pub(crate) mod own;
pub(crate) mod sessions;
pub(crate) mod signup;
pub(crate) mod step_up;
mod time;
pub(crate) mod transfer;

use frame::{Frame, Page};
