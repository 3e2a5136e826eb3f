//! How a session finds its user.

use tower_session_guard::Subject;
use tower_session_guard_axum::{AppUser, CredentialStamp};

use crate::users::{User, Users, UsersError};

impl AppUser for User {
    type State = Users;
    type Error = UsersError;

    async fn load(subject: &Subject, users: &Users) -> Result<Option<Self>, UsersError> {
        let Ok(id) = subject.as_str().parse() else {
            return Ok(None);
        };
        let user = users.by_id(id).await?;
        Ok(user.filter(|user| !user.disabled))
    }

    fn subject(&self) -> Subject {
        Subject::from(self.id)
    }

    /// A session ends once the password is another than at its login.
    fn credential_stamp(&self) -> Option<CredentialStamp> {
        Some(CredentialStamp::of(self.password_version.to_be_bytes()))
    }
}
