//! The application's users: the same before, during and after the move.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Deserialize;

/// A user of the application.
#[derive(Clone)]
pub struct User {
    /// What sessions know the user by.
    pub id: u64,
    /// What the user types.
    pub name: String,
    /// In a real application its hash.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("User").field(&self.id).finish()
    }
}

/// What a login form sends.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    /// The user's name.
    pub name: String,
    /// The user's password.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.name).finish()
    }
}

/// All users, in the place of a database.
#[derive(Clone, Debug)]
pub struct Users(Arc<RwLock<BTreeMap<u64, User>>>);

impl Users {
    /// `alice` and `bob`, both with the password `demo`.
    #[must_use]
    pub fn demo() -> Self {
        let users = [(1, "alice"), (2, "bob")].map(|(id, name)| {
            let (name, password) = (name.to_owned(), "demo".to_owned());
            (id, User { id, name, password })
        });
        Self(Arc::new(RwLock::new(users.into())))
    }

    /// The user with this id.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<User> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.get(&id).cloned()
    }

    /// The user whom these credentials prove.
    #[must_use]
    pub fn verify(&self, credentials: &Credentials) -> Option<User> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut users = users.values();
        let is_right =
            |user: &&User| user.name == credentials.name && user.password == credentials.password;
        users.find(is_right).cloned()
    }

    /// Gives the user another password, and says who they are then.
    pub fn set_password(&self, id: u64, password: &str) -> Option<User> {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let user = users.get_mut(&id)?;
        password.clone_into(&mut user.password);
        Some(user.clone())
    }
}
