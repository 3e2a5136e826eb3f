//! [`side_by_side`]: waits for several store calls at a time.

use std::{future::poll_fn, task::Poll};

use crate::store::{StoreError, StoreFuture};

/// What the calls answer, in their order, or the first failure.
///
/// A request has as many calls as different tokens, of which at most eight of a cookie count.
pub(crate) async fn side_by_side<'a, T>(
    calls: impl Iterator<Item = StoreFuture<'a, T>>,
) -> Result<Vec<T>, StoreError> {
    let mut calls: Vec<_> = calls.map(|call| (call, None)).collect();
    poll_fn(|cx| {
        let mut waits = false;
        for (call, answer) in &mut calls {
            if answer.is_some() {
                continue;
            }
            match call.as_mut().poll(cx) {
                Poll::Ready(Ok(ready)) => *answer = Some(ready),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => waits = true,
            }
        }
        if waits {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    })
    .await?;
    Ok(calls.into_iter().filter_map(|(_, answer)| answer).collect())
}
