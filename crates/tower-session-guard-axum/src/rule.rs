//! [`Rule`]: what a guard asks of a user who is there.

use std::{future::Future, marker::PhantomData, pin::Pin};

use axum_core::BoxError;

use crate::{app_user::AppUser, current_user::CurrentUser, permission::HasPermission};

/// Whether a rule lets its user through.
pub(crate) type Verdict<'a> = Pin<Box<dyn Future<Output = Result<bool, BoxError>> + Send + 'a>>;

pub(crate) trait Rule<U>: Send + Sync
where
    U: AppUser,
{
    fn allows<'a>(&'a self, user: &'a CurrentUser<U>, state: &'a U::State) -> Verdict<'a>;
}

/// A closure that sees the user.
pub(crate) struct That<C>(pub(crate) C);

impl<U, C> Rule<U> for That<C>
where
    U: AppUser,
    C: Fn(&CurrentUser<U>) -> bool + Send + Sync,
{
    fn allows<'a>(&'a self, user: &'a CurrentUser<U>, _: &'a U::State) -> Verdict<'a> {
        let allows = (self.0)(user);
        Box::pin(async move { Ok(allows) })
    }
}

/// A closure whose answer is a future.
pub(crate) struct ThatAsync<C>(pub(crate) C);

impl<U, C, R, E> Rule<U> for ThatAsync<C>
where
    U: AppUser,
    U::State: Clone,
    C: Fn(CurrentUser<U>, U::State) -> R + Send + Sync,
    R: Future<Output = Result<bool, E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn allows<'a>(&'a self, user: &'a CurrentUser<U>, state: &'a U::State) -> Verdict<'a> {
        let answer = (self.0)(user.clone(), state.clone());
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}

/// A permission.
pub(crate) struct Permitted<U, P> {
    permission: P,
    user: PhantomData<fn(U)>,
}

impl<U, P> Permitted<U, P> {
    pub(crate) const fn to(permission: P) -> Self {
        Self {
            permission,
            user: PhantomData,
        }
    }
}

impl<U, P> Rule<U> for Permitted<U, P>
where
    U: HasPermission<P>,
    P: Send + Sync,
{
    fn allows<'a>(&'a self, user: &'a CurrentUser<U>, state: &'a U::State) -> Verdict<'a> {
        Box::pin(async move {
            let has = user.has_permission(&self.permission, state).await;
            has.map_err(Into::into)
        })
    }
}
