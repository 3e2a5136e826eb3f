use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::cookie::{
    CookieKind, CookiePolicy,
    request::{CookieReader, MAX_TOKENS, Presented},
    token::Rejected,
};

/// The reader finds what a plain reading of the rules finds, in any `Cookie` fields.
///
/// The input's fields are separated by line ends. A value is valid if it begins with `v`, and plausible if
/// it has 1 to 40 bytes.
pub fn cookie_fields(input: &[u8]) {
    let mut headers = HeaderMap::new();
    let mut fields = Vec::new();
    for field in input.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(field) {
            headers.append(COOKIE, value);
            fields.push(field);
        }
    }
    let policy = CookiePolicy::default();
    let reader = CookieReader::new(&policy, 1..=40);
    let found = reader.read(&headers, |kind, value| {
        if value.starts_with(b"v") {
            Ok((kind, value.to_vec()))
        } else {
            Err(Rejected::Forged)
        }
    });
    for (kind, name, presented) in [
        (CookieKind::Session, policy.session_name(), &found.session),
        (CookieKind::Guest, policy.guest_name(), &found.guest),
    ] {
        let expected = plainly(&fields, name.as_str().as_bytes());
        match presented {
            Presented::Nothing { rejected } => {
                assert_eq!(expected.valid.len(), 0, "a valid value was passed over");
                assert_eq!(
                    rejected.is_some(),
                    expected.came,
                    "what was refused is told"
                );
            }
            Presented::One((found, value)) => {
                assert_eq!((*found, vec![value.clone()]), (kind, expected.valid));
            }
            Presented::Several(several) => {
                let counted = expected.valid.len().min(MAX_TOKENS);
                assert!(counted > 1, "one value is not several");
                assert_eq!(several.are_more, expected.valid.len() > MAX_TOKENS);
                let values = several.tokens.iter().map(|(found, value)| {
                    assert_eq!(*found, kind);
                    value
                });
                assert!(values.eq(&expected.valid[..counted]), "in their order");
            }
        }
    }
}

struct Plain {
    /// Whether anything came under the name.
    came: bool,
    /// The different valid values.
    valid: Vec<Vec<u8>>,
}

/// The rules, one after the other: split, trim, compare, and nothing else.
fn plainly(fields: &[&[u8]], name: &[u8]) -> Plain {
    let mut came = false;
    let mut different: Vec<&[u8]> = Vec::new();
    let mut room = 256 * 1024_usize;
    for field in fields {
        if field.len() > room {
            break;
        }
        room -= field.len();
        for piece in field.split(|byte| *byte == b';') {
            let piece = trimmed(piece);
            let Some(equals) = piece.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            if &piece[..equals] != name {
                continue;
            }
            came = true;
            let value = trimmed_at_the_end(&piece[equals + 1..]);
            let plausible = (1..=40).contains(&value.len());
            if plausible && value.starts_with(b"v") && !different.contains(&value) {
                different.push(value);
            }
        }
    }
    Plain {
        came,
        valid: different.into_iter().map(<[u8]>::to_vec).collect(),
    }
}

fn trimmed(piece: &[u8]) -> &[u8] {
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = piece.iter().position(|byte| !blank(byte));
    trimmed_at_the_end(&piece[start.unwrap_or(piece.len())..])
}

fn trimmed_at_the_end(piece: &[u8]) -> &[u8] {
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let end = piece.iter().rposition(|byte| !blank(byte));
    &piece[..end.map_or(0, |last| last + 1)]
}
