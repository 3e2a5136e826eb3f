//! [`AppUser`]: the application's own user.

use std::future::Future;

use axum_core::BoxError;
use tower_session_guard::{DataError, Impersonation, Login, Session, Subject};

use crate::stamp::{self, CredentialStamp};

/// A user of the application: what stands behind a session's subject.
///
/// Accounts, passwords and the place where they are kept stay the application's. This says how to find the user whom a session
/// names; [`CurrentUser`](crate::CurrentUser) hands it to handlers, and [`RequireUser`](crate::RequireUser) asks it for permissions.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use tower_session_guard::Subject;
/// use tower_session_guard_axum::{AppUser, CredentialStamp};
///
/// # #[derive(Clone)]
/// # struct Database;
/// # impl Database {
/// #     async fn find(&self, _: &str) -> Result<Option<User>, Infallible> { Ok(None) }
/// # }
/// struct User {
///     id: String,
///     name: String,
///     password_hash: String,
///     is_disabled: bool,
/// }
///
/// impl AppUser for User {
///     type State = Database;
///     type Error = Infallible;
///
///     async fn load(subject: &Subject, database: &Database) -> Result<Option<Self>, Infallible> {
///         let user = database.find(subject.as_str()).await?;
///         Ok(user.filter(|user| !user.is_disabled))
///     }
///
///     fn subject(&self) -> Subject {
///         Subject::from(&*self.id)
///     }
///
///     fn credential_stamp(&self) -> Option<CredentialStamp> {
///         Some(CredentialStamp::of(&self.password_hash))
///     }
/// }
/// ```
pub trait AppUser: Sized + Send + Sync + 'static {
    /// What a user is loaded from: a pool of connections, say. It is taken from the router's state by
    /// [`FromRef`](axum_core::extract::FromRef).
    type State: Send + Sync;

    /// What loading fails with.
    type Error: Into<BoxError> + Send;

    /// The user whom the subject names, or `None` if there is none any more: a deleted or disabled user's session ends.
    ///
    /// An error ends nothing. The request is answered with 503 and the log says why.
    fn load(
        subject: &Subject,
        state: &Self::State,
    ) -> impl Future<Output = Result<Option<Self>, Self::Error>> + Send;

    /// The subject that sessions name the user by: one that never changes and is never given to another user. A number of the
    /// account is, an e-mail address is not.
    ///
    /// A user whose subject is not the one that was loaded is refused with 503, and the log says so.
    fn subject(&self) -> Subject;

    /// What changes whenever the user's credentials do. Sessions that began before a change end with their next request.
    ///
    /// `None`, as it is unless implemented, compares nothing. A session that began without a stamp, or with
    /// [`Session::login`] of a bare subject, ends where the user has one, and the log says so: log in by
    /// [`to_login`](Self::to_login). [`Session::clear`] removes the stamp with all else.
    fn credential_stamp(&self) -> Option<CredentialStamp> {
        None
    }

    /// A login of this user, for [`Session::login`]; it brings the [stamp](Self::credential_stamp) into the session.
    ///
    /// Not to be implemented.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    /// use tower_session_guard_axum::AppUser;
    ///
    /// fn password_verified(session: &Session, user: &impl AppUser) {
    ///     session.login(user.to_login().by("password"));
    /// }
    /// ```
    fn to_login(&self) -> Login {
        stamp::stamped_login(Login::new(self.subject()), self.credential_stamp())
    }

    /// An impersonation of this user by `actor`, for [`Session::impersonate`]. It ends with either one's credentials, and when either one
    /// is deleted or disabled.
    ///
    /// Whether the actor may is the application's to check first. Not to be implemented.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard_axum::{AppUser, CurrentUser};
    ///
    /// fn act_as<U: AppUser>(administrator: &CurrentUser<U>, customer: &U) {
    ///     administrator.session().impersonate(customer.to_impersonation(administrator));
    /// }
    /// ```
    fn to_impersonation(&self, actor: &Self) -> Impersonation {
        let stamps = (self.credential_stamp(), actor.credential_stamp());
        stamp::stamped_impersonation(Impersonation::of(self.subject()), stamps)
    }

    /// Lets the session go on under this user's stamp of now, after a change of credentials that the session itself made.
    ///
    /// Call it once the change is kept, with the user as it is then, and [renew](Session::renew) or elevate the session. All other
    /// sessions of the user end with their next request; [`Sessions::end_others`](tower_session_guard::Sessions::end_others) ends
    /// them at once. A parallel request of the same browser may come between the change and this call and end the session: its user
    /// logs in again. Not to be implemented.
    ///
    /// # Errors
    ///
    /// As [`Session::insert`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::DataError;
    /// use tower_session_guard_axum::{AppUser, CurrentUser};
    ///
    /// fn password_changed<U: AppUser>(before: &CurrentUser<U>, after: &U) -> Result<(), DataError> {
    ///     before.session().renew();
    ///     after.keep_session(before.session())
    /// }
    /// ```
    fn keep_session(&self, session: &Session) -> Result<(), DataError> {
        stamp::restamp(session, self.credential_stamp())
    }
}
