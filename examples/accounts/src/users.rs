//! Who may log in. A real site keeps a slow, salted hash of each password (Argon2id) and a secret for
//! each second factor; this one shows both on its login page.

pub(crate) const PASSWORD: &str = "demo";
pub(crate) const CODE: &str = "123456";

/// The account that this name and password open.
pub(crate) fn verify(name: &str, password: &str) -> Option<&'static str> {
    let known = ["alice", "bob"].into_iter().find(|known| *known == name)?;
    (password == PASSWORD).then_some(known)
}
