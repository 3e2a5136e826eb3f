#![doc = include_str!("../README.md")]

pub mod from_axum_login;
pub mod from_tower_sessions;
pub mod note;
pub mod page;
pub mod users;
