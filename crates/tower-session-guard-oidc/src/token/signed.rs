//! [`Signed`]: a token in its parts, and [`Checked`]: one that means what a logout token means, if its signature holds.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tower_session_guard::Timestamp;

use super::{
    algorithm::SignatureAlgorithm,
    claims::{Logout, Rules},
    header::Header,
    json,
};
use crate::refusal::Refusal;

/// A JWS in compact form (RFC 7515, section 7.1), of which nothing is believed yet.
pub(crate) struct Signed<'a> {
    /// What the signature is over: the header, a dot and the claims, as they came.
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
}

/// A token whose header and claims are those of a logout token. Its signature is still to be verified.
pub(crate) struct Checked {
    pub(crate) message: String,
    pub(crate) signature: Vec<u8>,
    pub(crate) header: Header,
    logout: Logout,
}

impl<'a> Signed<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refusal> {
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Refusal::Malformed)?;
        Ok(Self {
            message,
            header,
            claims,
            signature: decode(signature)?,
        })
    }

    /// Looks at everything but the signature. It costs the least, so it comes first.
    pub(crate) fn check(
        self,
        rules: &Rules,
        allowed: &[SignatureAlgorithm],
        now: Timestamp,
    ) -> Result<Checked, Refusal> {
        let object = |part| json::object(&decode(part)?).ok_or(Refusal::Malformed);
        let header = Header::check(&object(self.header)?, allowed)?;
        let logout = rules.check(&object(self.claims)?, now)?;
        Ok(Checked {
            message: self.message.to_owned(),
            signature: self.signature,
            header,
            logout,
        })
    }
}

impl Checked {
    /// What the token asks for, from whoever has seen that its signature holds.
    pub(crate) fn verified(self) -> Logout {
        self.logout
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

/// Shows nothing of the token.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Checked");
        shown.field("header", &self.header).finish_non_exhaustive()
    }
}
