//! `Clear-Site-Data` beside our cookies: offered at a logout, and never what deletes the new cookie.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::value::{header_value, trim};

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Without `"cookies"`: browsers would delete the cookies that the same response sets.
const OFFERED: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// Asks the browser to forget what it cached and stored.
pub(super) fn clear(headers: &mut HeaderMap) {
    headers.append(CLEAR_SITE_DATA, OFFERED);
}

/// Takes out of the inner service's own field what would delete the cookie that we set.
pub(super) fn spare_cookies(headers: &mut HeaderMap) {
    if headers.keys().all(|name| name != CLEAR_SITE_DATA) {
        return;
    }
    let mut kept = Vec::new();
    for field in headers.get_all(CLEAR_SITE_DATA) {
        for kind in field.as_bytes().split(|byte| *byte == b',').map(trim) {
            let kind = match kind {
                b"\"cookies\"" | b"" => continue,
                b"\"*\"" => OFFERED.as_bytes().to_vec(),
                kind => kind.to_vec(),
            };
            if !kept.is_empty() {
                kept.extend_from_slice(b", ");
            }
            kept.extend_from_slice(&kind);
        }
    }
    headers.remove(CLEAR_SITE_DATA);
    if !kept.is_empty() {
        headers.insert(CLEAR_SITE_DATA, header_value(kept));
    }
}
