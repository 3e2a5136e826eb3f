//! [`ProofRefused`]: why a proof is refused.

/// Why a proof is refused, for events; a client never learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProofRefused {
    TooLong,
    /// It has not three parts of unpadded base64url, each in its one spelling.
    NotCompact,
    HeaderTooLong,
    /// The header is no JSON object, or names a member twice.
    HeaderMalformed,
    OtherType,
    OtherAlgorithm,
    /// The header has extensions that must be understood.
    Critical,
    KeyMissing,
    /// A key came where the session's own key counts.
    KeyUnexpected,
    /// The key is of another kind than the algorithm's, or its coordinates are not 32 bytes.
    KeyMalformed,
    /// A member came that only the key's holder may know.
    KeyPrivate,
    KeyNotOnCurve,
    /// The payload is no JSON object, or names a member twice.
    PayloadMalformed,
    ChallengeMissing,
    OtherAudience,
    SignatureMalformed,
    SignatureInvalid,
}

impl ProofRefused {
    /// The cause's name in snake case, as it is logged.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotCompact => "not_compact",
            Self::HeaderTooLong => "header_too_long",
            Self::HeaderMalformed => "header_malformed",
            Self::OtherType => "other_type",
            Self::OtherAlgorithm => "other_algorithm",
            Self::Critical => "critical",
            Self::KeyMissing => "key_missing",
            Self::KeyUnexpected => "key_unexpected",
            Self::KeyMalformed => "key_malformed",
            Self::KeyPrivate => "key_private",
            Self::KeyNotOnCurve => "key_not_on_curve",
            Self::PayloadMalformed => "payload_malformed",
            Self::ChallengeMissing => "challenge_missing",
            Self::OtherAudience => "other_audience",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureInvalid => "signature_invalid",
        }
    }
}
