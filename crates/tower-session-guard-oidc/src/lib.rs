#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod config_error;
mod end_session;
mod endpoint;
mod keys;
mod refusal;
mod replay;
mod tag;
mod token;

pub use self::{
    config_error::ConfigError,
    end_session::EndSessionUrl,
    endpoint::{BackchannelLogout, LogoutFuture},
    keys::ProviderKeys,
    replay::{Claim, ReplayMemory, SeenTokens, TokenId},
    tag::session_tag,
    token::algorithm::SignatureAlgorithm,
};
