//! The accounts that are there from the beginning. Leave this file out of a site of your own.

use crate::users::{Name, Password, Role, Users, UsersError};

/// The password of each of them. It is too short for the site's own rule, so it can only be made here.
pub const PASSWORD: &str = "demo";

/// The second factor of every account.
pub const CODE: &str = "123456";

/// Makes them, where there are no users yet.
///
/// # Errors
///
/// If the database fails.
pub async fn seed(users: &Users) -> Result<(), UsersError> {
    if !users.all().await?.is_empty() {
        return Ok(());
    }
    for (name, role) in [
        ("alice", Role::Member),
        ("bob", Role::Member),
        ("admin", Role::Administrator),
    ] {
        if let Some(name) = Name::parse(name) {
            let password = Password::typed(PASSWORD);
            users.create(&name, password, CODE, role).await?;
        }
    }
    Ok(())
}
