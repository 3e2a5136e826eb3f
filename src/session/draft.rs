//! [`Draft`]: the session as the marks so far leave it. The handle reads it and `settle` plans from it,
//! so a handler sees exactly what will be settled.

use super::{
    authentication::{Authentication, Subject},
    change::UpdateFailed,
    entries::{Entries, Entry},
    event::EventKind,
    live::Live,
    mark::Mark,
    methods::Methods,
    time::Timestamp,
};

/// How a session's token is replaced in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    Elevated,
    SteppedDown,
    Renewed,
}

/// The session as the marks so far leave it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) authentication: Option<Authentication>,
    pub(crate) entries: Entries,
    /// Whether the session that the request came with goes on.
    pub(crate) continues: bool,
    /// Whether a logout ended it: then it ends before anything else is tried.
    pub(crate) logged_out: bool,
    /// By which methods whoever is logged in proved it.
    pub(crate) methods: Methods,
    pub(crate) rotation: Option<Rotation>,
    /// Whether a login had no usable subject.
    pub(crate) unusable: bool,
    /// Whether an update failed on what another request has left.
    pub(crate) update_failed: bool,
    /// Of a suspended session: whose it is and its data, for a login of the same subject.
    set_aside: Option<(Subject, Entries)>,
}

impl Draft {
    pub(crate) fn of(live: Option<&Live>) -> Self {
        let suspended = live.filter(|live| live.suspended);
        Self {
            authentication: live.and_then(Live::authentication).cloned(),
            entries: live.and_then(Live::entries).cloned().unwrap_or_default(),
            continues: live.is_some(),
            logged_out: false,
            methods: live
                .map(|live| live.state.methods().clone())
                .unwrap_or_default(),
            rotation: None,
            unusable: false,
            update_failed: false,
            set_aside: suspended
                .and_then(|live| Some((live.subject()?.clone(), live.state.entries.clone()))),
        }
    }

    /// Applies one mark made at `at` and says what to tell once it is settled.
    pub(crate) fn apply(&mut self, mark: &Mark, at: Timestamp) -> Option<EventKind> {
        match mark {
            Mark::Login(login) => {
                if !login.is_usable() {
                    self.unusable = true;
                    return Some(EventKind::LoginRefused);
                }
                let before = match self.set_aside.take() {
                    Some((subject, entries)) => {
                        self.entries = entries;
                        Some(subject)
                    }
                    None => self.authentication.take().map(|who| who.subject),
                };
                let event = match &before {
                    None => {
                        self.entries = self.entries.carried();
                        EventKind::LoggedIn
                    }
                    Some(same) if *same == login.subject => {
                        self.entries = self.entries.without_passing();
                        EventKind::Reauthenticated
                    }
                    Some(_) => {
                        self.entries = Entries::default();
                        EventKind::SubjectSwitched
                    }
                };
                let proved_at = login.authenticated_at.map_or(at, |proved| proved.min(at));
                self.authentication = Some(Authentication {
                    subject: login.subject.clone(),
                    level: login.level,
                    authenticated_at: proved_at,
                    elevation: None,
                });
                self.methods = Methods::of_login(&login.methods, proved_at);
                self.continues = false;
                self.rotation = None;
                Some(event)
            }
            Mark::Elevate(step_up) => {
                let Some(who) = &mut self.authentication else {
                    return Some(EventKind::ElevationWithoutLogin);
                };
                let until = step_up.lasting.map(|time| at.after(time));
                who.elevate(step_up.level, until, at);
                if let Some(method) = &step_up.method {
                    self.methods.elevate(method, at);
                }
                self.rotation = Some(Rotation::Elevated);
                Some(EventKind::Elevated)
            }
            Mark::StepDown => {
                let Some(who) = &mut self.authentication else {
                    return Some(EventKind::StepDownWithoutLogin);
                };
                who.elevation = None;
                self.methods.step_down();
                self.rotation = Some(Rotation::SteppedDown);
                Some(EventKind::SteppedDown)
            }
            Mark::Renew => {
                if !self.exists() {
                    return Some(EventKind::RenewalWithoutSession);
                }
                // A renewal never softens a change of privilege, which has no grace.
                self.rotation.get_or_insert(Rotation::Renewed);
                None
            }
            Mark::Logout => {
                let existed = self.exists();
                *self = Self {
                    logged_out: true,
                    unusable: self.unusable,
                    ..Self::of(None)
                };
                existed.then_some(EventKind::LoggedOut)
            }
            Mark::Insert { name, value, keep } => {
                let entry = Entry {
                    name,
                    value,
                    keep: *keep,
                };
                self.entries = self.entries.with(entry, at);
                None
            }
            Mark::Remove { name } => {
                self.entries = self.entries.without(name, at);
                None
            }
            Mark::Update(update) => {
                match update.apply(&self.entries, at) {
                    Ok(entries) => self.entries = entries,
                    Err(UpdateFailed) => self.update_failed = true,
                }
                None
            }
        }
    }

    /// Whether the session goes on with what its CSRF tokens are bound to.
    pub(crate) fn keeps_lineage(&self) -> bool {
        self.continues && matches!(self.rotation, None | Some(Rotation::Renewed))
    }

    /// Whether the marks take a guest's last value away, and nobody logs in: then the session ends.
    pub(crate) fn empties_guest(&self, live: &Live) -> bool {
        self.continues
            && live.state.authentication.is_none()
            && self.entries.is_empty()
            && !live.state.entries.is_empty()
    }

    /// Whether there is a session at this point, the request's own or one begun by a mark.
    pub(crate) fn exists(&self) -> bool {
        self.continues || self.authentication.is_some() || !self.entries.is_empty()
    }
}
