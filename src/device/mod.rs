//! Device Bound Session Credentials (W3C draft): what browser and server exchange, as bytes.

mod challenge;
mod es256;
pub(crate) mod field;
mod identifier;
pub(crate) mod instructions;
mod json;
pub(crate) mod keys;
mod offer;
pub(crate) mod paths;
pub(crate) mod proof;
#[cfg(any(test, fuzzing))]
pub(crate) mod samples;
mod successor;
#[cfg(test)]
mod tests;
pub(crate) mod thumbprint;
#[cfg(test)]
mod vectors;
