//! Ids of the self-contained tokens that a binding puts in the place of others.
//!
//! | bytes | field |
//! |---|---|
//! | 8 | the lineage of the token that is replaced |
//! | 8 | the beginning of a MAC over the family, that token's id and the key's thumbprint |
//!
//! So the list of ended tokens, which knows a session's present token, knows which key it is bound to. Nobody can find another
//! key with the same id but by asking this server.

use super::keys::DeviceKeys;
use crate::session::{device::Thumbprint, id::SessionId};

impl DeviceKeys {
    /// The id of the token that takes the place of `token` once its session is bound to the key: the one under the key that
    /// signs, then those under older keys, by which a node may have bound it.
    pub(crate) fn successors(
        &self,
        family: &SessionId,
        token: &SessionId,
        key: &Thumbprint,
    ) -> impl Iterator<Item = SessionId> {
        let message = [&family.as_bytes()[..], token.as_bytes(), &key.0].concat();
        let lineage = token.lineage();
        let tags = self.tags(&message, |macs| &macs.successor).into_iter();
        tags.map(move |tag| {
            let mut id = [0; SessionId::LEN];
            let len = id.len() / 2;
            id[len..].copy_from_slice(&tag[..len]);
            SessionId::from_bytes(id).with_lineage(lineage)
        })
    }
}
