//! [`session_tag`]: the tag by which a provider's `sid` ends a session.

/// The tag of a login that came from the provider `issuer`, whose session there is `sid` (the claim of the ID token).
///
/// Name it at the login, and [`BackchannelLogout`](crate::BackchannelLogout) ends the session when the provider sends a logout
/// token with that `sid`. The tag holds the issuer, since another provider may use the same `sid`. The library keeps a digest
/// of it, so a record or a token shows neither and a long `sid` takes no more room.
///
/// # Examples
///
/// ```
/// use tower_session_guard::Login;
/// use tower_session_guard_oidc::session_tag;
///
/// struct IdToken { iss: String, sub: String, sid: Option<String> }
///
/// fn login_of(token: &IdToken) -> Login {
///     let login = Login::new(&token.sub);
///     match &token.sid {
///         Some(sid) => login.tagged(session_tag(&token.iss, sid)),
///         // The provider will name the user instead, by `sub`.
///         None => login,
///     }
/// }
/// # let _ = login_of(&IdToken { iss: "i".into(), sub: "s".into(), sid: None });
/// ```
#[must_use]
pub fn session_tag(issuer: &str, sid: &str) -> String {
    // The length keeps `ab` + `c` apart from `a` + `bc`.
    format!("oidc-sid:{}:{issuer}:{sid}", issuer.len())
}

#[cfg(test)]
mod tests {
    use super::session_tag;

    /// R57: one provider's session is not another's.
    #[test]
    fn tags_of_different_providers_and_sessions_differ() {
        let tags = [
            session_tag("https://idp", "a"),
            session_tag("https://idp", "b"),
            session_tag("https://idp:a", ""),
            session_tag("https://idp:", "a"),
            session_tag("", "https://idp:a"),
        ];
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[at + 1..].contains(tag), "{tag}");
        }
    }
}
