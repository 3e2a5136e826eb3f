use crate::key::KeyRing;

/// A text is a key ring or an error, never a panic; a ring never prints its keys, and says the same however
/// it is written.
pub fn key_ring_text(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let ring = match KeyRing::parse(text) {
        Ok(ring) => ring,
        Err(error) => {
            let told = error.to_string();
            for word in text.split([',', '\n', ' ']).filter(|word| word.len() >= 16) {
                assert!(!told.contains(word), "an error quotes a key");
            }
            return;
        }
    };
    let ids = ring.key_ids();
    assert!(!ids.is_empty(), "a ring is never empty");
    let without_comments: Vec<_> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .collect();
    assert_eq!(ids.len(), without_comments.len(), "every key counts");
    let printed = format!("{ring:?}");
    for key in &without_comments {
        assert!(key.len() >= 64, "a key of fewer than 32 bytes");
        assert!(!printed.contains(key), "a key prints");
    }
    let again = KeyRing::parse(&without_comments.join(",").to_ascii_uppercase());
    assert_eq!(
        again.map(|ring| ring.key_ids()).ok(),
        Some(ids),
        "one ring, two spellings"
    );
}
