//! Every check that the audit makes: what it is called, how bad a finding is, where it is written, how to repair it.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// A missing defence that helps another attack along.
    Low,
    /// An attack with conditions, or one that harms without taking the account.
    Medium,
    /// Somebody else's account, given a way to plant or copy an identifier.
    High,
    /// Somebody else's account, with what any visitor can get or make.
    Critical,
}

impl Severity {
    /// The name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that the audit looks for.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The stable name, as in reports and for [`FixationAudit::accept`](super::FixationAudit::accept).
    pub id: &'static str,
    /// What a finding says, in a few words.
    pub title: &'static str,
    /// The worst that a finding of this check can be.
    pub severity: Severity,
    /// The entry of the Common Weakness Enumeration.
    pub cwe: u16,
    /// The requirement of OWASP ASVS 5.0.
    pub asvs: &'static str,
    /// The test of the OWASP Web Security Testing Guide.
    pub wstg: &'static str,
    /// How a finding is confirmed by use, or that it cannot be.
    pub confirmed: &'static str,
    /// What to do about it.
    pub repair: &'static str,
}

/// Every check, in the order of the report.
#[must_use]
pub fn checks() -> &'static [Check] {
    ALL
}

macro_rules! catalogue {
    ($($name:ident = $id:literal $severity:ident $cwe:literal $asvs:literal $wstg:literal
        $title:literal; $confirmed:literal; $repair:literal.)*) => {
        static ALL: &[Check] = &[$(Check {
            id: $id, title: $title, severity: Severity::$severity, cwe: $cwe, asvs: $asvs,
            wstg: $wstg, confirmed: $confirmed, repair: $repair,
        }),*];
        /// One name a check, so that a family of checks cannot misspell one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(clippy::enum_variant_names, reason = "the variants are named after the checks")]
        pub(super) enum Id { $($name),* }
        impl Id {
            pub(super) fn check(self) -> &'static Check { &ALL[self as usize] }
        }
    };
}

catalogue! {
    IdKeptAtLogin = "id-kept-at-login" High 384 "7.2.4" "SESS-03"
        "the session identifier stays the same at the login";
        "what the browser held before the login reaches the account afterwards, from another browser";
        "Issue a new identifier at every login and end the old session on the server".
    OldIdAliveAfterLogin = "old-id-alive-after-login" High 384 "7.2.4" "SESS-03"
        "the identifier from before the login still works, logged in";
        "what the browser held before the login reaches the account afterwards, from another browser";
        "End the session under the old identifier when the new one is issued; a new spelling of the same session is not enough".
    PlantedCookie = "planted-cookie-authenticated" Critical 384 "7.2.4" "SESS-03"
        "a visitor's cookie, planted in another browser, becomes that user's login";
        "the visitor reaches the account of the user who logged in over the planted cookie";
        "Rotate at the login. A signature says that the server made the cookie, not for whom".
    ChosenId = "chosen-id-adopted" Critical 384 "7.2.1" "SESS-03"
        "an identifier of the client's own making is adopted";
        "the maker of the identifier reaches the account, or what a guest stored under it";
        "Take only identifiers that the server made and still knows; for any other, start without a session".
    IdKeptAtReauth = "id-kept-at-reauth" Medium 384 "7.2.4" "SESS-03"
        "the identifier survives a second login of the same user";
        "what the browser held before the second login reaches the account afterwards";
        "Treat a re-authentication as a login: new identifier, old session ended".
    OldIdAliveAfterReauth = "old-id-alive-after-reauth" Low 613 "7.2.4" "SESS-03"
        "the earlier session goes on after a second login of the same user";
        "what the browser held before the second login reaches the account afterwards, under another value";
        "End the session that came with the login request when the new one is issued".
    IdKeptAtElevation = "id-kept-at-elevation" High 384 "7.2.4" "SESS-03"
        "the identifier stays the same when the user proves more";
        "what the browser held before the elevation has the higher privilege afterwards (needs a probe for it)";
        "Issue a new identifier whenever the privilege changes: second factor, role, sudo".
    OldIdAliveAfterElevation = "old-id-alive-after-elevation" High 613 "7.2.4" "SESS-03"
        "the identifier from before the elevation still works";
        "what the browser held before the elevation reaches the account afterwards";
        "End the session under the old identifier when the elevated one is issued".
    IdKeptAtSwitch = "id-kept-at-switch" High 384 "7.2.4" "SESS-03"
        "the identifier survives a login as another user";
        "what the first user's browser held reaches the second user's account";
        "Start every login from an empty session with a new identifier".
    OldIdAliveAfterSwitch = "old-id-alive-after-switch" Low 613 "7.2.4" "SESS-06"
        "the first user's session goes on after another user logged in over it";
        "what the first user's browser held still reaches the first user's account";
        "End the session that came with the login request".
    IdFromUrl = "id-from-url" High 598 "14.2.1" "SESS-04"
        "the identifier is accepted from the URL";
        "the account is reached with the identifier in the URL and no cookie, or a link with an identifier fixes the login";
        "Read the identifier from the Cookie field only".
    IdFromForm = "id-from-form" High 384 "14.2.1" "SESS-04"
        "the identifier is accepted from a form field";
        "the account is reached with the identifier in the body and no cookie, or a field with an identifier fixes the login";
        "Read the identifier from the Cookie field only".
    IdFromHeader = "id-from-header" Low 384 "14.2.1" "SESS-04"
        "the cookie's identifier is accepted from another header";
        "the account is reached with the identifier in the header and no cookie";
        "Read the identifier from the Cookie field only".
    IdInUrl = "id-in-url" Medium 598 "14.2.1" "SESS-04"
        "the application writes the identifier into addresses";
        "the identifier is in a Location, a link, a form's action or an address that was called up";
        "Keep the identifier in the cookie only: switch URL rewriting off, and hand tokens over in bodies or fragments".
    IdInBody = "id-in-body" Low 200 "14.2.1" "SESS-04"
        "the application shows the identifier in a page";
        "the cookie's value is in the body of an answer, where scripts read it despite HttpOnly";
        "Leave the identifier out of pages and API answers; name sessions by another value there".
    DataSurvivesLogin = "data-survives-login" Low 501 "7.2.4" "SESS-08"
        "what a visitor stored before the login is there afterwards";
        "a value that another browser stored in the planted session is read after the login";
        "Drop the guest's data at the login, but for the keys that are meant to be carried".
    DataSurvivesSwitch = "data-survives-switch" Medium 488 "7.2.4" "SESS-08"
        "what one user stored is there after another user's login";
        "the value is read after the login as the other user";
        "Start every login from an empty session".
    CsrfSurvivesLogin = "csrf-survives-login" Medium 352 "7.2.4" "SESS-05"
        "a CSRF token from before the login is good afterwards";
        "a request with the visitor's token is taken in the user's session, one with a made-up token is not";
        "Derive CSRF tokens from the session and renew their secret at every login".
    OldIdAliveAfterLogout = "old-id-alive-after-logout" High 613 "7.4.1" "SESS-06"
        "the identifier still works after the logout";
        "what the browser held before the logout reaches the account afterwards";
        "End the session on the server; removing the cookie is a courtesy to the browser".
    TokenAliveAfterLogout = "token-alive-after-logout" High 613 "7.4.1" "SESS-06"
        "a self-contained token outlives the logout";
        "the token from before the logout reaches the account afterwards";
        "Keep a list of revoked tokens until they would have expired, or a session on the server".
    RememberedAliveAfterLogout = "remembered-alive-after-logout" Medium 613 "7.4.1" "SESS-06"
        "a second cookie that logs in by itself outlives the logout";
        "that cookie alone, from before the logout, reaches the account afterwards";
        "End remembered logins at the logout: forget them on the server, and remove their cookie".
    SessionBack = "session-back-after-logout" High 362 "7.4.1" "SESS-06"
        "a session comes back after its logout";
        "the account is reached again once a request that was under way at the logout has ended";
        "Never let a save create a session that is gone; update only what still exists".
    LateResponse = "late-response-restores-cookie" Low 362 "7.2.4" "SESS-03"
        "a response from before the login puts the old cookie back";
        "the browser is no longer logged in once the late response has arrived";
        "Set the cookie only in the response that changed the session, and use another name before the login than after it".
    NotSecure = "cookie-not-secure" Medium 614 "3.3.1" "SESS-02"
        "the session cookie lacks Secure";
        "the browser model sends the cookie over plain HTTP";
        "Set Secure".
    NotHttpOnly = "cookie-not-httponly" Medium 1004 "3.3.4" "SESS-02"
        "the session cookie lacks HttpOnly";
        "the browser model shows the cookie to scripts";
        "Set HttpOnly".
    NoSameSite = "cookie-no-samesite" Low 1275 "3.3.2" "SESS-02"
        "the session cookie has no SameSite, or SameSite=None";
        "not confirmed: browsers differ in what they do without it";
        "Set SameSite=Lax or Strict".
    DomainScope = "cookie-domain-scope" Medium 668 "3.3.3" "SESS-02"
        "the session cookie goes to every host below a domain";
        "the browser model sends the cookie to a sibling host";
        "Leave the Domain attribute out".
    NoHostPrefix = "cookie-no-host-prefix" Low 565 "3.3.3" "SESS-02"
        "the session cookie's name does not keep other hosts from planting it";
        "the browser model takes a cookie of this name from a sibling host and sends it (not on an IP address or a single label)";
        "Name the cookie __Host-… or __Host-Http-…, with Secure, Path=/ and no Domain".
    Refused = "cookie-refused" Low 573 "3.3.1" "SESS-02"
        "the server sets a cookie that a browser refuses";
        "the browser model dropped the field";
        "Give the cookie the attributes that its prefix demands, and keep it under 4,096 bytes".
    RemovalIgnored = "removal-ignored" Medium 613 "7.4.1" "SESS-06"
        "the logout's removal of the cookie has no effect in a browser";
        "the browser model still sends the cookie after the logout";
        "Remove the cookie with the Path, Domain and Secure that it was set with".
    CookieLifetime = "cookie-lifetime" Low 613 "7.3.2" "SESS-02"
        "a browser keeps the session cookie for more than 30 days";
        "not confirmed: that would take waiting for it";
        "Set Max-Age to days, not months, or leave it out so that the cookie ends with the browser".
    NoNoStore = "missing-no-store" Low 525 "14.3.2" "ATHN-06"
        "a response that sets the session cookie may be stored by a cache";
        "not confirmed: whether a cache stands in between cannot be seen from here";
        "Send Cache-Control: no-store with every response that sets the cookie".
    Duplicates = "duplicate-cookies" Medium 436 "7.2.1" "SESS-03"
        "of two cookies with the session's name, the position decides";
        "a planted duplicate takes over or ends the login in one order and not in the other";
        "Verify every candidate; where two different ones are valid, take none".
    NameDecoded = "cookie-name-decoded" Low 177 "3.3.3" "SESS-02"
        "a percent-encoded spelling of the cookie's name is accepted";
        "the account is reached with the encoded name alone";
        "Compare cookie names byte for byte".
    NameNormalised = "cookie-name-normalised" Low 436 "3.3.3" "SESS-02"
        "another spelling of the cookie's name is accepted";
        "the account is reached with the other spelling alone";
        "Trim only spaces and tabs, compare case, and split at semicolons only".
    LowEntropy = "id-low-entropy" High 334 "7.2.3" "SESS-01"
        "identifiers hold too little randomness";
        "not confirmed: an estimate over a sample";
        "Use 128 bits from the operating system's random source".
    Predictable = "id-predictable" Critical 340 "7.2.3" "SESS-01"
        "identifiers follow a pattern";
        "an identifier computed from earlier ones reaches the account of the next user to log in";
        "Use 128 bits from the operating system's random source".
    UnverifiedToken = "token-not-verified" Critical 347 "9.1.1" "SESS-10"
        "a JSON Web Token is accepted without its signature";
        "a token with alg none, or with a changed signature, reaches the account";
        "Fix the algorithm on the server and verify before anything is read".
    TokenLifetime = "token-lifetime" Medium 613 "9.2.1" "SESS-10"
        "a JSON Web Token does not end, or not soon";
        "not confirmed: that would take waiting for it";
        "Set exp to hours, not months, and iat, and refuse what is past".
    WeakTokenKey = "token-key-weak" Critical 1391 "9.1.2" "SESS-10"
        "a JSON Web Token is signed with a well-known secret";
        "a token made with that secret reaches the account";
        "Use 256 random bits as the secret, from a secret store, and end all tokens made with the old one".
    TokenKeyFromHeader = "token-key-from-header" Critical 347 "9.1.3" "SESS-10"
        "a JSON Web Token brings its own key along";
        "a token with its own key in jwk or jku, or with a kid that leads to a known one, reaches the account";
        "Ignore jwk, jku and x5u, and look kid up in a list of keys that the server holds".
    TokenKeyConfused = "token-key-confused" Critical 347 "9.1.2" "SESS-10"
        "a public key is taken for a shared secret";
        "a token under alg HS256, made with the published RSA key as the secret, reaches the account";
        "Fix the algorithm to the key's kind on the server".
    TokenExpIgnored = "token-exp-ignored" High 613 "9.2.1" "SESS-10"
        "a JSON Web Token is good beyond its exp";
        "the token reaches the account after its exp has passed";
        "Verify exp with every request".
    LoginCsrf = "login-csrf" Low 352 "3.5.1" "SESS-05"
        "another site logs a browser in to an attacker's account";
        "a login form submitted from another site logs the browser in";
        "Refuse logins whose Origin or Sec-Fetch-Site names another site, or bind a CSRF token to the visitor's cookie".
    LogoutCsrf = "logout-csrf" Low 352 "3.5.1" "SESS-05"
        "another site logs a user out";
        "a request from another site, with the cookies that SameSite lets through, ends the login";
        "Take logouts by POST only, with a CSRF token or a check of Origin".
    SessionLimit = "session-limit-exceeded" Medium 770 "7.1.2" "SESS-11"
        "an account has more sessions at once than announced";
        "all of one login more than announced reach the account at once";
        "Count an account's sessions at the login, and end the oldest or refuse the new one".
    OthersNotEnded = "other-sessions-not-ended" Medium 613 "7.4.5" "SESS-11"
        "a user who ends the other sessions does not";
        "the other browser reaches the account after its session was ended";
        "Keep a list of each account's sessions on the server, and delete from it".
    PasswordChange = "password-change-keeps-sessions" Medium 613 "7.4.3" "SESS-11"
        "other sessions go on after a change of the password";
        "the other browser reaches the account after the password was changed";
        "End all other sessions of the account when the password changes, or offer to".
    IdleLimit = "idle-limit-not-kept" Medium 613 "7.3.1" "SESS-07"
        "a session goes on beyond the announced idle limit";
        "the session reaches the account after that time without a request";
        "Keep the time of the last request on the server, and end the session that is idle for longer".
}
