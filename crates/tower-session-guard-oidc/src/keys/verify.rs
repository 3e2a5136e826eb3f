//! Verifies a signature. By a provider of `jsonwebtoken` that is named here, where there is one: the process-wide one depends
//! on which features any other crate of the application switched on.

use jsonwebtoken::DecodingKey;

use crate::token::Checked;

#[cfg(feature = "aws-lc-rs")]
pub(super) fn verifies(token: &Checked, key: &DecodingKey) -> bool {
    use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&token.header.algorithm.of_jose(), key);
    verifier.is_ok_and(|verifier| {
        verifier
            .verify(token.message.as_bytes(), &token.signature)
            .is_ok()
    })
}

#[cfg(not(feature = "aws-lc-rs"))]
pub(super) fn verifies(token: &Checked, key: &DecodingKey) -> bool {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::crypto;

    let signature = URL_SAFE_NO_PAD.encode(&token.signature);
    let message = token.message.as_bytes();
    crypto::verify(&signature, message, key, token.header.algorithm.of_jose()).unwrap_or(false)
}

/// Panics at start-up where no provider was chosen, as `jsonwebtoken` would at the first token.
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) fn check_provider() {
    // Any question does, and the answer does not matter.
    let key = DecodingKey::from_secret(b"no secret");
    drop(jsonwebtoken::crypto::verify(
        "",
        &[],
        &key,
        jsonwebtoken::Algorithm::HS256,
    ));
}
