//! Properties of everything that reads bytes from outside: fuzz targets feed them bytes, and tests feed them
//! the corpora and what `proptest` makes up. Built only for fuzzing and for tests; not part of the API.

mod cookies;
#[cfg(feature = "dbsc")]
mod devices;
#[cfg(feature = "dbsc")]
mod endpoints;
mod keys;
mod records;
mod tokens;

pub use self::{
    cookies::cookie_fields, keys::key_ring_text, records::record_bytes, tokens::token_values,
};
#[cfg(feature = "dbsc")]
pub use self::{
    devices::{device_proofs, device_texts},
    endpoints::device_endpoints,
};

#[cfg(test)]
mod tests;
