//! The values of header fields as bytes.

use bytes::Bytes;
use http::HeaderValue;

/// Without the spaces and tabs around it.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The value of bytes that are of header fields or were checked when the policy was built.
pub(in crate::cookie) fn header_value(bytes: Vec<u8>) -> HeaderValue {
    match HeaderValue::from_maybe_shared(Bytes::from(bytes)) {
        Ok(value) => value,
        Err(_) => unreachable!("only bytes that a field may hold were put together"),
    }
}
