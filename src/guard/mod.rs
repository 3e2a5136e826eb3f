//! [`RequireAuthentication`](layer::RequireAuthentication) and [`CsrfLayer`](csrf::CsrfLayer): refuse
//! requests before their handler runs; so does [`RequireOrigin`](require_origin::RequireOrigin). [`BackgroundLayer`](background::BackgroundLayer): says which are no activity.

pub(crate) mod after_load;
pub(crate) mod answer;
pub(crate) mod background;
pub(crate) mod csrf;
pub(crate) mod future;
pub(crate) mod layer;
pub(crate) mod load;
mod origin;
mod preflight;
pub(crate) mod refusal;
pub(crate) mod require_origin;
pub(crate) mod requirement;
pub(crate) mod return_path;
pub(crate) mod service;
