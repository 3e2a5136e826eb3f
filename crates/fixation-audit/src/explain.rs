//! The page of a check: what a finding means, how it is confirmed, how to repair it.

use std::fmt::Write as _;

use super::{Check, Framework};

impl Check {
    /// The check's page, in Markdown.
    ///
    /// # Examples
    ///
    /// ```
    /// let check = &fixation_audit::checks()[0];
    ///
    /// assert!(check.page().contains("## What it means"));
    /// ```
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        let Self {
            id,
            title,
            severity,
            cwe,
            asvs,
            wstg,
            confirmed,
            repair,
        } = self;
        let _ = write!(
            page,
            "# {id}\n\n{}.\n\nAt most {severity}. CWE-{cwe}, OWASP ASVS 5.0 {asvs}, WSTG {wstg}.\n\n\
             ## What it means\n\n{}\n\n## How it is confirmed\n\n{}.\n\n## How to repair it\n\n{repair}.\n",
            capital(title),
            self.meaning().unwrap_or(title),
            capital(confirmed),
        );
        let known: Vec<_> = Framework::ALL
            .into_iter()
            .filter_map(|framework| Some((framework, framework.repair(id)?)))
            .collect();
        if !known.is_empty() {
            let _ = write!(page, "\n| framework | what to do |\n|---|---|\n");
        }
        for (framework, repair) in known {
            let _ = writeln!(page, "| {framework} | {} |", repair.replace('|', "\\|"));
        }
        page
    }

    /// What an attacker gains, and how.
    fn meaning(&self) -> Option<&'static str> {
        let (_, meaning) = MEANINGS.iter().find(|(id, _)| *id == self.id)?;
        Some(meaning)
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

static MEANINGS: &[(&str, &str)] = &[
    (
        "id-kept-at-login",
        "The browser has an identifier before the login, and the same one afterwards. Anybody who knew it before is logged in as soon as the user is: somebody who used the same computer, who read a log, or who planted the identifier.",
    ),
    (
        "old-id-alive-after-login",
        "The login issues a new identifier, but the old one goes on working and is logged in too. To the attacker who planted or copied the old one, nothing has changed.",
    ),
    (
        "planted-cookie-authenticated",
        "An attacker visits the application, takes the cookie that it hands out, and brings it into a victim's browser: from a sibling host, over plain HTTP, or through a flaw that sets cookies. When the victim logs in, the attacker's cookie is logged in as the victim. This is session fixation as it is used. A signature on the cookie does not help, for the server itself made it.",
    ),
    (
        "chosen-id-adopted",
        "The application takes an identifier that it never issued and makes it a session. An attacker needs not even visit first: any value that a victim's browser can be made to send becomes the session that both share.",
    ),
    (
        "id-kept-at-reauth",
        "A user who logs in again, or is asked for the password again, keeps the identifier. Whoever copied it before shares the freshly proven session.",
    ),
    (
        "old-id-alive-after-reauth",
        "A second login of the same user issues a new identifier, and the earlier session goes on beside it. Logging in again does not shake off somebody who copied the earlier identifier.",
    ),
    (
        "id-kept-at-elevation",
        "The identifier is the same before and after the user proves more, such as a second factor or sudo. A copy that was worth little before is worth all of it afterwards.",
    ),
    (
        "old-id-alive-after-elevation",
        "The elevation issues a new identifier, but the one from before still reaches the account. The old session should end when its successor starts.",
    ),
    (
        "id-kept-at-switch",
        "A second user logs in over the first one's session and gets the same identifier. The first user, or whoever copied their cookie, is now logged in as the second.",
    ),
    (
        "old-id-alive-after-switch",
        "When a second user logs in, the first user's session is dropped from the browser and lives on at the server. On a shared computer a copy of it outlives the user's presence.",
    ),
    (
        "id-from-url",
        "The identifier works from an address: in the query, or as a path parameter. Addresses end up in histories, logs, Referer fields and chats, and a link is the easiest way of all to plant an identifier.",
    ),
    (
        "id-from-form",
        "The identifier works from a form field. A form on an attacker's page can then choose the session that the victim logs in to.",
    ),
    (
        "id-from-header",
        "The identifier of a cookie session works from another header as well. The attributes that protect a cookie, such as HttpOnly and SameSite, do not protect that way.",
    ),
    (
        "id-in-url",
        "The application writes the identifier into addresses. They are kept in histories and logs, and go to other sites in the Referer field.",
    ),
    (
        "id-in-body",
        "The identifier stands in a page or an API's answer, where every script on the page can read it. HttpOnly is then in vain.",
    ),
    (
        "data-survives-login",
        "What was stored before the login is in the user's session afterwards. Where the session was planted, an attacker filled it: a cart, an address, a redirect target, a flag that some page trusts.",
    ),
    (
        "data-survives-switch",
        "What the first user stored is there for the second user of the same browser. Personal data leaks from one to the other, and settings of one act on the other's account.",
    ),
    (
        "csrf-survives-login",
        "A CSRF token from before the login is good after it. An attacker who planted the session knows its token, and can forge the user's requests.",
    ),
    (
        "old-id-alive-after-logout",
        "The user logs out, and the identifier still reaches the account. A copy of the cookie, from a shared computer or a stolen backup, outlives the logout that was meant to end it.",
    ),
    (
        "token-alive-after-logout",
        "A token that holds its session itself is good until it expires, whatever the user does. A logout removes it from the browser only, so a stolen copy cannot be stopped.",
    ),
    (
        "remembered-alive-after-logout",
        "A second cookie, such as one for \"remember me\", logs in by itself and is not ended by the logout. A copy of it opens a new session at any time.",
    ),
    (
        "session-back-after-logout",
        "A request that was under way during the logout saves its session when it ends, and so brings back what the logout removed. The user believes to be logged out and is not.",
    ),
    (
        "late-response-restores-cookie",
        "A response that was made before the login arrives after it and sets the old cookie again. The user is logged out, or goes on in the guest's session, which an attacker may know.",
    ),
    (
        "cookie-not-secure",
        "The browser sends the cookie over plain HTTP too. One request to http:// on a network that somebody listens to, and the session is theirs.",
    ),
    (
        "cookie-not-httponly",
        "Scripts can read the cookie. Any cross-site scripting flaw then steals the session for good, and not only while the page is open.",
    ),
    (
        "cookie-no-samesite",
        "Without SameSite, browsers differ in when they send the cookie with requests from other sites. The application depends on its CSRF tokens alone.",
    ),
    (
        "cookie-domain-scope",
        "The cookie goes to every host below a domain. The weakest of these hosts, such as an old blog or a customer's subdomain, gets the session of every visitor.",
    ),
    (
        "cookie-no-host-prefix",
        "Another host below the same domain can set a cookie of the same name, and so plant a session. The __Host- prefix makes browsers refuse that.",
    ),
    (
        "cookie-refused",
        "The server sets a cookie that browsers drop, for its prefix, its size or its attributes forbid it. What the cookie was for does not work in a browser, although it does in tests that keep any cookie.",
    ),
    (
        "removal-ignored",
        "The logout removes a cookie under another path or domain, or without an attribute that its name demands. Browsers take that for another cookie, and go on sending the old one.",
    ),
    (
        "cookie-lifetime",
        "The browser keeps the cookie for a long time. On a shared or stolen computer the session is there long after its user has left.",
    ),
    (
        "missing-no-store",
        "A cache may keep the answer with the cookie, and hand it to somebody else. Then two people share one session.",
    ),
    (
        "duplicate-cookies",
        "Where two cookies have the session's name, their order decides which one counts. An attacker on a sibling host plants a second one and logs the user out, or into another account.",
    ),
    (
        "cookie-name-decoded",
        "The reader decodes percent-encoding in names. A cookie with an encoded name passes a browser's check of the __Host- prefix, and counts all the same.",
    ),
    (
        "cookie-name-normalised",
        "The reader changes names before it compares them: case, blanks, or other separators. A cookie that a browser takes for harmless counts as the session's.",
    ),
    (
        "id-low-entropy",
        "Identifiers vary too little. An attacker who tries many of them will meet somebody's session.",
    ),
    (
        "id-predictable",
        "Identifiers follow a rule, such as a counter or a clock. An attacker who logs in once computes the neighbours' sessions.",
    ),
    (
        "token-not-verified",
        "A token is believed without its signature. Anybody writes a token for any account.",
    ),
    (
        "token-lifetime",
        "A token does not end, or not soon. A stolen one is good for as long, for nothing but its own date ends it.",
    ),
    (
        "token-key-weak",
        "Tokens are signed with a secret from examples and documentation. Anybody who knows the example signs a token for any account.",
    ),
    (
        "token-key-from-header",
        "The token itself says with which key it is to be verified, and the application obeys. Anybody makes a key, signs a token for any account, and sends the key along.",
    ),
    (
        "token-key-confused",
        "The verifier takes the algorithm from the token. Under HS256 the public RSA key, which everybody may read, serves as the shared secret.",
    ),
    (
        "token-exp-ignored",
        "The token says when it ends, and nobody looks. A stolen token is good for ever.",
    ),
    (
        "login-csrf",
        "A page of another site logs the browser in to the attacker's account. What the user then does, such as storing a card or uploading a file, lands there.",
    ),
    (
        "logout-csrf",
        "A page of another site logs the user out. That is a nuisance by itself, and a step in attacks that need a fresh login.",
    ),
    (
        "session-limit-exceeded",
        "The application announces a limit on sessions of one account, and keeps more. A stolen session is not pushed out by the user's own.",
    ),
    (
        "other-sessions-not-ended",
        "A user ends the other sessions, and they go on. The one means against a stolen session does not work.",
    ),
    (
        "password-change-keeps-sessions",
        "A user changes the password because somebody may know it, and whoever is logged in stays so. The change does not shut the intruder out.",
    ),
    (
        "idle-limit-not-kept",
        "A session goes on after the time without a request at which the application says that it ends. An unattended browser stays logged in for longer than its users are told.",
    ),
];

#[cfg(test)]
mod tests {
    use super::MEANINGS;
    use crate::checks;

    #[test]
    fn every_check_has_a_page_that_says_what_it_means() {
        for check in checks() {
            let meaning = check
                .meaning()
                .unwrap_or_else(|| panic!("{} lacks a meaning", check.id));
            assert!(
                meaning.matches(". ").count() >= 1 && meaning.ends_with('.'),
                "{}",
                check.id
            );
            let page = check.page();
            for part in [
                "## What it means",
                "## How it is confirmed",
                "## How to repair it",
                check.repair,
            ] {
                assert!(page.contains(part), "{}: {part}", check.id);
            }
        }
    }

    #[test]
    fn meanings_are_written_once() {
        let mut ids: Vec<_> = MEANINGS.iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), MEANINGS.len());
    }
}
