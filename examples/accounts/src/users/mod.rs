//! [`Users`]: who has an account.

mod name;
mod password;
mod tries;

use sqlx::{FromRow, SqlitePool};

pub use name::Name;
pub use password::{HashFailed, Password};
pub use tries::{TooMany, Tries};

use password::Hasher;

/// A user, as the table has it. What proves who they are stays in there.
#[derive(Clone, Debug, FromRow)]
pub struct User {
    /// The subject of the user's sessions.
    pub id: i64,
    /// What the user is called.
    pub name: String,
    /// How often the password was set.
    pub password_version: i64,
    /// What the user may do.
    pub role: Role,
    /// Whether the account is switched off.
    pub disabled: bool,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum Role {
    /// What concerns their own account.
    Member,
    /// See all users, switch them off and on, and act as one of them.
    Administrator,
}

impl Role {
    /// The role in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Administrator => "administrator",
        }
    }
}

/// Why nothing came of a call.
#[derive(Debug)]
pub enum UsersError {
    /// The database failed.
    Database(sqlx::Error),
    /// No password could be hashed.
    Hash(HashFailed),
}

impl From<sqlx::Error> for UsersError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<HashFailed> for UsersError {
    fn from(error: HashFailed) -> Self {
        Self::Hash(error)
    }
}

impl std::fmt::Display for UsersError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the table of users: {error}"),
            Self::Hash(HashFailed) => f.write_str("no password could be hashed"),
        }
    }
}

impl std::error::Error for UsersError {}

/// The table of users.
#[derive(Clone, Debug)]
pub struct Users {
    pool: SqlitePool,
    hasher: Hasher,
}

impl Users {
    /// The users of this database.
    #[must_use]
    pub fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            hasher: Hasher::default(),
        }
    }

    /// Makes an account; `None` if another one has the name.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says; so do all others.
    pub async fn create(
        &self,
        name: &Name,
        password: Password,
        code: &str,
        role: Role,
    ) -> Result<Option<User>, UsersError> {
        let hash = self.hasher.hash(password).await?;
        let made = sqlx::query_as(
            "INSERT INTO users (name, password, code, role) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO NOTHING RETURNING *",
        );
        let made = made.bind(name.as_str()).bind(hash).bind(code).bind(role);
        Ok(made.fetch_optional(&self.pool).await?)
    }

    /// The user with this id, also one whose account is switched off.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn by_id(&self, id: i64) -> Result<Option<User>, UsersError> {
        let user = sqlx::query_as("SELECT * FROM users WHERE id = ?").bind(id);
        Ok(user.fetch_optional(&self.pool).await?)
    }

    /// Every user, by name.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn all(&self) -> Result<Vec<User>, UsersError> {
        let users = sqlx::query_as("SELECT * FROM users ORDER BY name");
        Ok(users.fetch_all(&self.pool).await?)
    }

    /// The user whom this name and this password open. A name that nobody has takes as long as a wrong password.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn verify(&self, name: &str, password: &str) -> Result<Option<User>, UsersError> {
        let user: Option<User> = match Name::parse(name) {
            Some(name) => {
                let user = sqlx::query_as("SELECT * FROM users WHERE name = ?")
                    .bind(name.as_str().to_owned());
                user.fetch_optional(&self.pool).await?
            }
            None => None,
        };
        let id = user.as_ref().map(|user| user.id);
        let right = self.has_password(id, password).await?;
        Ok(user.filter(|_| right))
    }

    /// Whether this is the user's password.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn has_password(&self, id: Option<i64>, password: &str) -> Result<bool, UsersError> {
        let kept = sqlx::query_scalar("SELECT password FROM users WHERE id = ?").bind(id);
        let kept: Option<String> = kept.fetch_optional(&self.pool).await?;
        Ok(self
            .hasher
            .is_right(Password::typed(password), kept)
            .await?)
    }

    /// Whether this is the user's code.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn has_code(&self, id: i64, code: &str) -> Result<bool, UsersError> {
        let found = sqlx::query("SELECT 1 FROM users WHERE id = ? AND code = ?");
        let found = found.bind(id).bind(code).fetch_optional(&self.pool).await?;
        Ok(found.is_some())
    }

    /// The user's code, to show it: the page that asks for it is a demonstration.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn code(&self, id: i64) -> Result<Option<String>, UsersError> {
        let code = sqlx::query_scalar("SELECT code FROM users WHERE id = ?").bind(id);
        Ok(code.fetch_optional(&self.pool).await?)
    }

    /// Sets the password, from which on no session of before counts; the user as they are then.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn set_password(
        &self,
        id: i64,
        password: Password,
    ) -> Result<Option<User>, UsersError> {
        let hash = self.hasher.hash(password).await?;
        let user = sqlx::query_as(
            "UPDATE users SET password = ?, password_version = password_version + 1
             WHERE id = ? RETURNING *",
        );
        Ok(user.bind(hash).bind(id).fetch_optional(&self.pool).await?)
    }

    /// Switches the account off or on.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn set_disabled(&self, id: i64, disabled: bool) -> Result<(), UsersError> {
        let query = sqlx::query("UPDATE users SET disabled = ? WHERE id = ?");
        query.bind(disabled).bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// Deletes the account.
    ///
    /// # Errors
    ///
    /// As a [`UsersError`] says.
    pub async fn delete(&self, id: i64) -> Result<(), UsersError> {
        let query = sqlx::query("DELETE FROM users WHERE id = ?").bind(id);
        query.execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Password, Role, User, Users};
    use crate::database;

    async fn users() -> Users {
        Users::new(database::in_memory().await.unwrap())
    }

    async fn made(users: &Users, name: &str) -> Option<User> {
        let (name, password) = (Name::parse(name).unwrap(), Password::typed("correct horse"));
        let made = users.create(&name, password, "123456", Role::Member);
        made.await.unwrap()
    }

    #[tokio::test]
    async fn a_name_belongs_to_one_user() {
        let users = users().await;
        assert!(made(&users, "alice").await.is_some());
        assert!(made(&users, "ALICE").await.is_none());
    }

    #[tokio::test]
    async fn only_the_right_password_opens_an_account() {
        let users = users().await;
        let alice = made(&users, "alice").await.unwrap();
        let found = users.verify(" Alice", "correct horse").await.unwrap();
        assert_eq!(found.unwrap().id, alice.id);
        for (name, password) in [
            ("alice", "wrong horse"),
            ("alice", ""),
            ("nobody", "correct horse"),
            ("", ""),
            ("' OR 1=1 --", ""),
        ] {
            assert!(users.verify(name, password).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_new_password_takes_the_place_of_the_old_one() {
        let users = users().await;
        let alice = made(&users, "alice").await.unwrap();
        let password = Password::new("another horse").unwrap();
        let changed = users
            .set_password(alice.id, password)
            .await
            .unwrap()
            .unwrap();
        assert!(changed.password_version > alice.password_version);
        assert!(
            !users
                .has_password(Some(alice.id), "correct horse")
                .await
                .unwrap()
        );
        assert!(
            users
                .has_password(Some(alice.id), "another horse")
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn the_id_of_a_deleted_user_is_never_given_again() {
        let users = users().await;
        let alice = made(&users, "alice").await.unwrap();
        users.delete(alice.id).await.unwrap();
        assert!(users.by_id(alice.id).await.unwrap().is_none());
        let again = made(&users, "alice").await.unwrap();
        assert_ne!(again.id, alice.id);
    }

    #[tokio::test]
    async fn what_is_kept_of_a_user_does_not_print() {
        let alice = made(&users().await, "alice").await.unwrap();
        assert!(!format!("{alice:?}").contains("argon2"));
    }
}
