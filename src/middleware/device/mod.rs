//! Device Bound Session Credentials: how a layer is told to bind sessions, and what it does then.

mod binding;
mod bound;
mod endpoints;
mod found;
mod outer_path;
mod refresh;
mod register;
mod reply;
mod request;
mod serving;
#[cfg(test)]
mod tests;
mod tokens;

pub use self::{
    binding::DeviceBinding,
    endpoints::{DeviceEndpoints, DeviceEndpointsFuture, DeviceEndpointsService},
};
