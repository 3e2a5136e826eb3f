//! [`SignatureAlgorithm`]: by which algorithms a logout token may be signed.

use jsonwebtoken::Algorithm;

/// An algorithm that signs with a private key and verifies with a public one (RFC 7518, section 3.1; RFC 8037).
///
/// There is neither `none` nor an HMAC: a provider's public keys are no secret that could make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// Ed25519, named `EdDSA` or `Ed25519` (RFC 9864).
    Ed25519,
}

impl SignatureAlgorithm {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Ed25519,
    ];

    /// The one with this name in a header or a key; names are case-sensitive.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }

    pub(crate) const fn of_jose(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }

    pub(crate) const fn kind(self) -> KeyKind {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                KeyKind::Rsa
            }
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::Ed25519 => KeyKind::Ed25519,
        }
    }
}

/// What kind of key an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

#[cfg(test)]
mod tests {
    use super::SignatureAlgorithm;

    /// R57: no symmetric algorithm and no missing signature can be asked for.
    #[test]
    fn only_algorithms_with_a_public_key_have_a_name() {
        for name in [
            "none", "None", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "ES512", "RS1",
        ] {
            assert_eq!(SignatureAlgorithm::named(name), None, "{name}");
        }
        for algorithm in SignatureAlgorithm::ALL {
            let name = format!("{:?}", algorithm.of_jose());
            assert_eq!(SignatureAlgorithm::named(&name), Some(algorithm));
        }
    }
}
