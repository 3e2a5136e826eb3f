//! Cookies whose names or bytes are not what they seem.

use super::{LOGGED_OUT, SWAPPED, evil};
use crate::{
    site::Target,
    stage::{Outcome, Stage},
};

/// Names that a lenient reader folds into `name`. A browser takes an equals sign in front for a cookie
/// without a name, and what stands before a later one for a value.
fn spellings(name: &str) -> Vec<String> {
    let before = ["=", "==", "\u{a0}", "\u{85}", "\u{2028}", "\u{3000}"];
    let more = ["x=y,", "z=y, ", "\"", ".", "$", "%20"];
    let before = before.iter().chain(&more);
    let mut spellings: Vec<_> = before.map(|before| format!("{before}{name}")).collect();
    let (first, rest) = name.split_at(2);
    let escaped: String = first.bytes().map(|byte| format!("%{byte:02X}")).collect();
    spellings.push(format!("{escaped}{rest}"));
    spellings.push(name.to_uppercase());
    spellings.push(format!("{name}\u{a0}"));
    spellings.push(format!("..{}", name.trim_start_matches('_')));
    spellings
}

/// A sibling host sets the attacker's own session under names that resemble ours.
pub async fn odd_names(stage: &mut Stage, target: Target) -> Outcome {
    let token = stage.attackers_token(target).await;
    let spellings = spellings(target.session);
    let attributes = format!("Domain={}; Secure", target.host);
    let cookies = spellings.iter().map(|name| {
        // Two without a name would be the same cookie.
        let path = if name.starts_with("==") {
            "/"
        } else {
            "/whoami"
        };
        format!("{name}={token}; {attributes}; Path={path}").into_bytes()
    });
    let cookies: Vec<_> = cookies.collect();
    stage.set(&evil(target), &cookies).await;
    let visit = stage.whoami(target).await;
    // One by one, as the browser spelled them: two that are believed could hide each other.
    let mut count = 0;
    let mut believed = visit.who.starts_with("mallory");
    for field in visit.cookie.split(|byte| *byte == b';') {
        let field = field.strip_prefix(b" ").unwrap_or(field);
        if field.ends_with(token.as_bytes()) {
            count += 1;
            believed |= stage.replay(target, field).await != "nobody";
        }
    }
    // The genuine cookie is found among them.
    stage.post(target, "/login?user=alice").await;
    let seen = stage.whoami(target).await;
    believed |= seen.who.starts_with("mallory");
    assert!(believed || seen.who == "alice@1", "{seen:?}");
    Outcome {
        arrived: format!("{count} of {} delivered", spellings.len()),
        harm: believed.then_some(SWAPPED),
    }
}

/// A sibling host sets a cookie of its own whose bytes are not text.
pub async fn bad_byte_beside_ours(stage: &mut Stage, target: Target) -> Outcome {
    stage.post(target, "/login?user=alice").await;
    let mut cookie = b"odd=\x80\xfe\xff; Path=/; Secure; Domain=".to_vec();
    cookie.extend(target.host.bytes());
    stage.set(&evil(target), &[cookie]).await;
    let seen = stage.whoami(target).await;
    let mut pairs = seen.cookie.split(|byte| *byte == b';');
    let found = pairs.find_map(|pair| pair.trim_ascii().strip_prefix(b"odd="));
    let arrived = match found {
        Some(value) => format!("delivered as `{}`", value.escape_ascii()),
        None => "not delivered".to_owned(),
    };
    Outcome {
        arrived,
        harm: (seen.who != "alice@1").then_some(LOGGED_OUT),
    }
}
