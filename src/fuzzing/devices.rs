use std::sync::LazyLock;

use crate::{
    cookie::{CookiePolicy, device::DeviceCookie, token::bound::BoundKeys},
    device::{
        keys::DeviceKeys,
        proof::Proof,
        samples::{NOW, keys_of},
    },
    key::KeyRing,
    session::{
        bind::Repetition,
        device::{DeviceKey, Thumbprint},
        id::SessionId,
    },
};

/// A point whose first coordinate is the first on the curve from the SHA-256 of "a key without a holder" on.
const DEVICE: DeviceKey = DeviceKey([
    0xDB, 0x8D, 0x51, 0xAB, 0x0A, 0xE9, 0x36, 0xE5, 0xDE, 0xE0, 0x86, 0x91, 0x87, 0x56, 0x5C, 0x5C,
    0x84, 0x70, 0x30, 0x1C, 0x76, 0x83, 0x49, 0x6F, 0xD0, 0xAB, 0x8C, 0xA2, 0x37, 0xCF, 0xA7, 0x64,
    0x13, 0x3C, 0x54, 0xC3, 0xFD, 0xB8, 0x7D, 0xA7, 0xC8, 0x39, 0x91, 0x6E, 0x5D, 0x1D, 0xDD, 0x07,
    0x9B, 0xA1, 0xA2, 0xDC, 0xE0, 0xD3, 0x04, 0x42, 0x8A, 0xA8, 0x63, 0x9A, 0x5A, 0xB1, 0xDA, 0x99,
]);
const AUDIENCE: &str = "https://app.example/dbsc/refresh";

struct Keys {
    device: DeviceKeys,
    bound: BoundKeys,
}

/// What the target seals with, and what nothing is ever sealed with: a fuzzer remembers the texts that it saw compared.
static KEYS: LazyLock<[Keys; 2]> = LazyLock::new(|| {
    let policy = CookiePolicy::default();
    [
        &b"an unguessable key of 32 bytes!!"[..],
        b"the key of some other server !!!",
    ]
    .map(|key| {
        let (Ok(ring), Ok(cookie)) = (KeyRing::from_bytes([key]), DeviceCookie::bound(&policy))
        else {
            unreachable!("both are sound");
        };
        Keys {
            device: keys_of(ring.clone(), policy.session_name().as_str(), ""),
            bound: BoundKeys::new(&ring, cookie.name(), ""),
        }
    })
});

/// Bytes are a proof of the right form or an error, never a panic. None of them verifies, nothing that is read of them comes
/// from elsewhere, and a proof with a key is no proof of a refresh.
pub fn device_proofs(input: &[u8]) {
    if let Ok((proof, key)) = Proof::of_registration(input, AUDIENCE) {
        assert!(
            Proof::of_refresh(input, AUDIENCE).is_err(),
            "a refresh brought a key"
        );
        // Whoever made the input may have signed it with the key that it brings.
        let _ = proof.verify(&key);
    }
    let Ok(proof) = Proof::of_refresh(input, AUDIENCE) else {
        return;
    };
    assert!(input.len() <= 2048, "a long field was read");
    assert!(proof.verify(&DEVICE).is_err(), "a forged signature");
    // Quoted or bare, it is the same.
    let quoted = [b"\"", input, b"\""].concat();
    if quoted.len() <= 2048 && !input.starts_with(b"\"") {
        assert_eq!(Proof::of_refresh(&quoted, AUDIENCE), Ok(proof));
    }
}

/// What did not come from us opens as nothing; what did opens for its own purpose, in its own spelling, and no other.
pub fn device_texts(input: &[u8]) {
    let [Keys { device, bound }, others] = &*KEYS;
    assert_eq!(others.device.open_identifier(input), None);
    assert_eq!(others.device.open_offer(input), None);
    assert!(others.bound.open_bound(input, NOW).is_err());

    let Some((id, rest)) = input.split_first_chunk::<16>() else {
        return;
    };
    let Some((nonce, change)) = rest.split_first_chunk::<8>() else {
        return;
    };
    let (family, key) = (SessionId::from_bytes(*id), Thumbprint([3; 32]));
    assert_eq!(others.device.open_challenge(&family, &key, input), None);
    let [a, b, c, d, ..] = *nonce;
    let texts = [
        device.identifier(&family),
        device.offer(&family, Repetition::First, NOW, *nonce),
        device.challenge(&family, &key, u32::from_be_bytes([a, b, c, d]), NOW, *nonce),
        bound
            .seal_bound(&family, NOW, [a, b, c, d])
            .as_str()
            .to_owned(),
    ];
    let opens = |text: &[u8]| {
        [
            device.open_identifier(text).is_some(),
            device.open_offer(text).is_some(),
            device.open_challenge(&family, &key, text).is_some(),
            bound.open_bound(text, NOW).is_ok(),
        ]
    };
    for (kind, text) in texts.iter().enumerate() {
        let mut expected = [false; 4];
        expected[kind] = true;
        assert_eq!(opens(text.as_bytes()), expected, "another purpose");
        let mut changed = text.as_bytes().to_vec();
        if let [at, with, ..] = *change {
            let at = usize::from(at) % changed.len();
            changed[at] = with;
        }
        let is_same = changed == text.as_bytes();
        assert_eq!(opens(&changed) == expected, is_same, "a changed character");
        changed.extend_from_slice(&change[..change.len().min(1)]);
        let is_same = changed == text.as_bytes();
        assert_eq!(opens(&changed) == expected, is_same, "one character more");
    }
}
