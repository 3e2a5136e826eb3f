//! Device Bound Session Credentials: how a layer is told to bind sessions, and what it does then.

mod binding;
mod bound;
#[cfg(test)]
mod tests;

pub use self::binding::DeviceBinding;
