//! [`DeviceBinding`]: how a layer is told to bind sessions to devices.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    cookie::{CookiePolicy, device::DeviceCookie},
    device::{
        instructions::{HostPattern, ScopeRule},
        paths::Paths,
    },
    error::ConfigError,
    session::{authentication::Subject, present::MAX_LIFETIME},
};

/// The shortest lifetime of a bound cookie: below it browsers run into their limit of signatures.
const MIN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How sessions are bound to a key of the user's device, by Device Bound Session Credentials (a W3C draft).
///
/// A browser that supports it makes a key in the device's hardware after a login. From then on the session needs a second,
/// short-lived cookie besides its token, which only the holder of that key can have renewed. A token that is taken off the
/// device is worth nothing a [lifetime](Self::lifetime) later. Other browsers notice nothing, and their sessions stay
/// unbound.
///
/// The short cookie is called after the session's: `__Host-`, the name without its prefix, and `-bound`. With a `Domain`, or another
/// path than `/`, `__Secure-` stands in the place of `__Host-`. Under `__Host-Http-` Chromium binds none.
///
/// Hand it to [`SessionLayer::with_device_binding`](crate::SessionLayer::with_device_binding), which checks it. A page of its own
/// has [the sequence, and what a deployment has to let through](https://github.com/tower-session-guard/tower-session-guard/blob/main/docs/device-binding.md).
///
/// # With self-contained tokens
///
/// The answer to a registration replaces the session's token by one that says the key. The token before opens the session for
/// another minute, as unbound, since the page after the login may carry it. In that minute its requests write nothing: data is answered
/// with 409 and an elevation with 401, and a step-down ends the session. Three things differ from a store:
///
/// - A registration and a refresh need the session's cookie, and browsers send it with neither for a link or a login from another site.
///   Such a registration is 400, and the next page offers it again. Such a page is for nobody until the user goes on to a page of
///   the application's own: redirect to one.
/// - Proofs are not counted. Whoever has seen one, and not only cookies, has the cookie renewed until its challenge is 20 minutes old.
/// - The list of ended tokens holds the token from before the binding, one entry for each bound session.
///   [`Endings::this_process`](crate::Endings::this_process) forgets it at a restart, and the token opens again.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{DeviceBinding, KeyRing, SessionLayer};
///
/// let sessions = SessionLayer::new(KeyRing::generate()?).with_device_binding(DeviceBinding::new("/dbsc"))?;
/// # let _ = sessions;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "hand it to SessionLayer::with_device_binding"]
pub struct DeviceBinding {
    path: String,
    lifetime: Duration,
    shortest: Duration,
    required: Option<Arc<Required>>,
    origin: Option<String>,
    /// Paths, and whether requests there wait for a refresh.
    scope: Vec<(bool, String)>,
    /// None unless named.
    initiators: Option<Vec<String>>,
}

type Required = dyn Fn(&Subject) -> bool + Send + Sync;

impl DeviceBinding {
    /// Binds sessions, with the two endpoints `register` and `refresh` below `path`, such as `/dbsc`.
    ///
    /// A bound cookie lives for ten minutes, and no session must be bound.
    pub fn new(path: impl AsRef<str>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            lifetime: Duration::from_secs(10 * 60),
            shortest: MIN_LIFETIME,
            required: None,
            origin: None,
            scope: Vec::new(),
            initiators: None,
        }
    }

    /// Sets for how long a proof of the device is good: from 5 to 15 minutes. It is 10 minutes unless set.
    ///
    /// The device proves itself about once in this time while its user is active. A thief with every cookie has the session
    /// for at most as long.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// The same with any time from a second to 15 minutes, for tests that wait for the end.
    ///
    /// Requires the feature `testing`.
    #[cfg(feature = "testing")]
    pub fn lifetime_for_tests(self, lifetime: Duration) -> Self {
        let shortest = Duration::from_secs(1);
        Self {
            lifetime,
            shortest,
            ..self
        }
    }

    /// Lets the sessions of a subject of whom `required` says so open only if they are bound, from a minute after their login:
    /// until then the browser registers.
    ///
    /// It is asked at every request of a session that is not bound, so it should answer from memory. An application
    /// that remembers which subjects have bound a device keeps a thief from logging in around it with a browser that knows
    /// no device binding. Without it no session must be bound.
    pub fn required_for(self, required: impl Fn(&Subject) -> bool + Send + Sync + 'static) -> Self {
        Self {
            required: Some(Arc::new(required)),
            ..self
        }
    }

    /// Names the origin that browsers see, such as `https://app.example`. A proof that names another endpoint is refused.
    ///
    /// Without it the request's `Host` counts: name it where a proxy changes that.
    pub fn origin(self, origin: impl AsRef<str>) -> Self {
        Self {
            origin: Some(origin.as_ref().to_owned()),
            ..self
        }
    }

    /// Lets the browser send requests to this path, and below it, without a refresh: for what needs no session, such as
    /// `/assets`. It is the path that the browser asks for.
    ///
    /// Of several that fit a request the one that was named last counts.
    pub fn exclude(self, path: impl AsRef<str>) -> Self {
        self.with_scope(false, path.as_ref())
    }

    /// Lets requests to this path, and below it, wait for a refresh again, where a part of an [excluded](Self::exclude) path
    /// needs a session.
    pub fn include(self, path: impl AsRef<str>) -> Self {
        self.with_scope(true, path.as_ref())
    }

    fn with_scope(mut self, waits: bool, path: &str) -> Self {
        self.scope.push((waits, path.to_owned()));
        self
    }

    /// Lets only pages of these hosts, and this site's own, have the cookie renewed by a request to this site: each a host, `*.`
    /// and a domain for the hosts below it, or `*` for every host.
    ///
    /// Every host may unless set: else a user who comes by a link from elsewhere, ten minutes after the last page, comes as
    /// if nobody were logged in. With self-contained tokens no host may, since such a refresh brings no token, and a layer refuses hosts
    /// that are named.
    pub fn refresh_initiators<H>(self, hosts: impl IntoIterator<Item = H>) -> Self
    where
        H: AsRef<str>,
    {
        let hosts = hosts.into_iter().map(|host| host.as_ref().to_owned());
        Self {
            initiators: Some(hosts.collect()),
            ..self
        }
    }

    /// Checks the settings, beside the cookies of the layer and where its sessions are.
    pub(crate) fn checked(
        self,
        cookies: &CookiePolicy,
        has_store: bool,
    ) -> Result<Checked, ConfigError> {
        let limits = [
            (
                self.lifetime > MAX_LIFETIME,
                "choose at most 15 minutes: a challenge outlives it by 5",
            ),
            (
                self.lifetime < self.shortest,
                "choose at least 5 minutes, or browsers run into their limit of signatures",
            ),
        ];
        if let Some((_, reason)) = limits.into_iter().find(|(broken, _)| *broken) {
            return Err(ConfigError::Limit {
                name: "lifetime of a bound cookie",
                reason,
            });
        }
        let rule = |(waits, path): &(bool, String)| {
            if *waits {
                ScopeRule::include(HostPattern::any(), path)
            } else {
                ScopeRule::exclude(HostPattern::any(), path)
            }
        };
        let initiators = match self.initiators {
            None if has_store => vec!["*".to_owned()],
            None => Vec::new(),
            Some(hosts) if has_store || hosts.is_empty() => hosts,
            Some(hosts) => {
                return Err(ConfigError::Setting {
                    name: "refresh_initiators of device binding",
                    value: hosts.join(", "),
                    reason: "leave it out, or keep sessions in a store: a refresh for another site's page brings no token",
                });
            }
        };
        let initiator = |host: &String| HostPattern::parse(host);
        Ok(Checked {
            origin: self.origin.map(checked_origin).transpose()?,
            scope: self.scope.iter().map(rule).collect::<Result<_, _>>()?,
            initiators: initiators.iter().map(initiator).collect::<Result<_, _>>()?,
            paths: Paths::below(&self.path)?,
            cookie: DeviceCookie::bound(cookies)?,
            demand: DeviceCookie::demand(cookies)?,
            lifetime: self.lifetime,
            required: self.required,
        })
    }
}

impl fmt::Debug for DeviceBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBinding")
            .field("path", &self.path)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// The settings, all of which can work.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(super) paths: Paths,
    pub(super) cookie: DeviceCookie,
    /// The cookie that says when a fresh proof was asked for.
    pub(super) demand: DeviceCookie,
    pub(super) lifetime: Duration,
    pub(super) origin: Option<String>,
    pub(super) scope: Vec<ScopeRule>,
    pub(super) initiators: Vec<HostPattern>,
    required: Option<Arc<Required>>,
}

/// An origin as browsers write it.
fn checked_origin(origin: String) -> Result<String, ConfigError> {
    let host = origin.strip_prefix("https://").unwrap_or_default();
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_plain) || host.ends_with(":443") {
        return Err(ConfigError::Setting {
            name: "origin of device binding",
            value: origin,
            reason: "write https:// and the host in lower case, with the port unless it is 443, and nothing behind",
        });
    }
    Ok(origin)
}

impl Checked {
    /// Whether the sessions of this subject must be bound.
    pub(super) fn must_be_bound(&self, subject: &Subject) -> bool {
        self.required
            .as_ref()
            .is_some_and(|required| required(subject))
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("paths", &self.paths)
            .field("cookie", &self.cookie)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
