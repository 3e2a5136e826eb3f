//! [`HasPermission`]: what a user may do.

use std::future::Future;

use crate::app_user::AppUser;

/// A user who may or may not do something: by a role, by a group, by a table in a database.
///
/// `P` is what the application calls a permission: a `&'static str`, or better an `enum`. [`RequireUser`](crate::RequireUser) asks for a
/// whole route, and a handler can ask for one object.
///
/// # Examples
///
/// ```
/// # use std::convert::Infallible;
/// # use tower_session_guard::Subject;
/// # use tower_session_guard_axum::AppUser;
/// use tower_session_guard_axum::HasPermission;
///
/// #[derive(PartialEq)]
/// enum Permission { Read, Moderate }
///
/// struct User { id: u64, permissions: Vec<Permission> }
/// # impl AppUser for User {
/// #     type State = ();
/// #     type Error = Infallible;
/// #     async fn load(_: &Subject, _: &()) -> Result<Option<Self>, Infallible> { Ok(None) }
/// #     fn subject(&self) -> Subject { Subject::from(self.id) }
/// # }
///
/// impl HasPermission<Permission> for User {
///     async fn has_permission(&self, permission: &Permission, _: &()) -> Result<bool, Infallible> {
///         Ok(self.permissions.contains(permission))
///     }
/// }
/// ```
pub trait HasPermission<P>: AppUser {
    /// Whether the user has the permission.
    fn has_permission(
        &self,
        permission: &P,
        state: &Self::State,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}
