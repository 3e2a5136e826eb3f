//! [`Kept`]: where a scenario's sessions are kept.

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Store,
    Tokens,
    /// In tokens that the policy renews.
    RenewedTokens,
}
