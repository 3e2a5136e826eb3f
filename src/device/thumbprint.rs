//! The thumbprint of a key (RFC 7638): SHA-256 over its required members in one spelling.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::session::device::{DeviceKey, Thumbprint};

/// The SHA-256 thumbprint of a key of a device.
pub(crate) fn thumbprint(key: &DeviceKey) -> Thumbprint {
    let (x, y) = key.0.split_at(DeviceKey::LEN / 2);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    of_members(&[("crv", "P-256"), ("kty", "EC"), ("x", &x), ("y", &y)])
}

/// The members, which are sorted and need no escapes, without white space.
fn of_members(members: &[(&str, &str)]) -> Thumbprint {
    let members = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":\"{value}\""));
    let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    Thumbprint(Sha256::digest(json).into())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::of_members;

    /// RFC 7638, section 3.1.
    #[test]
    fn the_published_thumbprint_comes_out() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn\
                 jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL\
                 5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let thumbprint = of_members(&[("e", "AQAB"), ("kty", "RSA"), ("n", n)]);
        assert_eq!(
            URL_SAFE_NO_PAD.encode(thumbprint.0),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
