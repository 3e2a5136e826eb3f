//! Reads what a store lists under a key, page by page.

use crate::{
    session::{index::IndexKey, time::Timestamp},
    store::{ListedHead, SessionStore, StoreError},
};

/// How many sessions are asked for, or ended, at a time.
pub(super) const PAGE: usize = 256;

/// Hands every live session under `key` to `take`; one that changes meanwhile perhaps twice.
pub(super) async fn each_head(
    store: &dyn SessionStore,
    key: &IndexKey,
    now: Timestamp,
    mut take: impl FnMut(ListedHead) + Send,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = store.heads(key, after.as_ref(), PAGE, now).await?;
        page.heads.into_iter().for_each(&mut take);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
