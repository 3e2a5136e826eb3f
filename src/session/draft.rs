//! [`Draft`]: the session as the marks so far leave it. The handle reads it and `settle` plans from it,
//! so a handler sees exactly what will be settled.

use std::mem;

use super::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    change::UpdateFailed,
    entries::{Entries, Entry},
    event::EventKind,
    impersonation::Impersonation,
    live::Live,
    mark::Mark,
    methods::Methods,
    own_session::{Acting, OwnSession},
    time::Timestamp,
};

/// How a session's token is replaced in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    Elevated,
    SteppedDown,
    Renewed,
}

/// Which session takes the place of the request's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// One in which the actor acts as another, until this time at most.
    Impersonation(Timestamp),
    /// The actor's own. The draft has its data and its methods.
    Return(Box<OwnSession>),
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
    /// Who acts as whoever is logged in, and what the actor's session was.
    pub(crate) acting: Option<Acting>,
    /// Whether somebody began to act as another or returned, so that a new session takes the place of the request's own.
    pub(crate) switch: Option<Switch>,
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
            acting: live
                .filter(|live| !live.suspended)
                .and_then(|live| live.state.acting()),
            switch: None,
            rotation: None,
            unusable: false,
            update_failed: false,
            set_aside: suspended
                .and_then(|live| Some((live.subject()?.clone(), live.state.entries.clone()))),
        }
    }

    /// Applies one mark made at `at` in a request of `live`, and says what to tell once it is settled.
    pub(crate) fn apply(
        &mut self,
        live: Option<&Live>,
        mark: &Mark,
        at: Timestamp,
    ) -> Option<EventKind> {
        match mark {
            Mark::Login(login) => {
                if !login.is_usable() {
                    self.unusable = true;
                    return Some(EventKind::LoginRefused);
                }
                let was_acting = self.acting.take().is_some();
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
                    // Nothing that an actor wrote becomes the user's own.
                    Some(same) if *same == login.subject && !was_acting => {
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
                login.data.put_into(&mut self.entries, at);
                self.switch = None;
                self.continues = false;
                self.rotation = None;
                Some(event)
            }
            Mark::Elevate(step_up) => {
                let Some(who) = &mut self.authentication else {
                    return Some(EventKind::ElevationWithoutLogin);
                };
                let until = step_up.lasting.map(|time| at.after(time));
                let (level, until) = match &self.acting {
                    Some(Acting { own: Some(own), .. }) => own.cap(step_up.level, until, at),
                    Some(Acting { own: None, .. }) => (step_up.level.min(who.level), until),
                    None => (step_up.level, until),
                };
                who.elevate(level, until, at);
                // The subject as whom somebody acts has proved nothing.
                if let (Some(method), None) = (&step_up.method, &self.acting) {
                    self.methods.elevate(method, at);
                }
                self.rotation = Some(Rotation::Elevated);
                Some(EventKind::Elevated)
            }
            Mark::Impersonate(impersonation) => self.impersonate(live, impersonation, at),
            Mark::EndImpersonation => self.end_impersonation(),
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

    /// Lets whoever is logged in act as another, in a session without their data. Nobody acts twice over, or as themselves.
    fn impersonate(
        &mut self,
        live: Option<&Live>,
        impersonation: &Impersonation,
        at: Timestamp,
    ) -> Option<EventKind> {
        let subject = &impersonation.subject;
        if !subject.is_valid() {
            self.unusable = true;
            return Some(EventKind::LoginRefused);
        }
        let state = live.map(|live| &live.state);
        // The session that takes the place of a bound one would not be bound.
        let unbound = state.filter(|state| state.bound_device().is_none());
        let may = self.continues && self.acting.is_none();
        let other = |who: &mut Authentication| may && who.subject != *subject;
        let who = unbound.and_then(|state| Some((state, self.authentication.take_if(other)?)));
        let Some((state, who)) = who else {
            return Some(EventKind::ImpersonationRefused);
        };
        let most = impersonation.level.unwrap_or(AssuranceLevel::HIGHEST);
        // What of the actor's level has a time keeps it.
        let elevation = who.elevation.map(|up| Elevation {
            level: up.level.min(most),
            ..up
        });
        self.authentication = Some(Authentication {
            subject: subject.clone(),
            level: who.level.min(most),
            authenticated_at: who.authenticated_at,
            elevation: elevation.filter(|up| up.level > who.level),
        });
        self.acting = Some(Acting {
            actor: who.subject,
            own: Some(Box::new(OwnSession {
                level: who.level,
                authenticated_at: who.authenticated_at,
                elevation: who.elevation,
                absolute_expiry: state.absolute_expiry,
                persistent: state.persistent,
                methods: mem::take(&mut self.methods),
                acr: state.extra.as_ref().and_then(|extra| extra.acr.clone()),
                entries: mem::take(&mut self.entries),
            })),
        });
        impersonation.data.put_into(&mut self.entries, at);
        self.begin(Switch::Impersonation(at.after(impersonation.lasting)));
        Some(EventKind::ImpersonationBegan)
    }

    /// Lets the actor return to what their session was; what was written while acting is gone.
    fn end_impersonation(&mut self) -> Option<EventKind> {
        let may = self.continues && self.authentication.is_some();
        let Some(Acting {
            actor,
            own: Some(mut own),
        }) = self.acting.take_if(|acting| may && acting.own.is_some())
        else {
            return Some(EventKind::ImpersonationRefused);
        };
        self.authentication = Some(own.authentication(actor));
        self.methods = mem::take(&mut own.methods);
        self.entries = mem::take(&mut own.entries);
        self.begin(Switch::Return(own));
        Some(EventKind::ImpersonationEnded)
    }

    fn begin(&mut self, switch: Switch) {
        self.continues = false;
        self.rotation = None;
        self.switch = Some(switch);
    }

    /// How many bytes of a session's room are taken before its data: by an actor's own session.
    pub(crate) fn reserved_len(&self) -> usize {
        let own = self.acting.as_ref().and_then(|acting| acting.own.as_ref());
        own.map_or(0, |own| own.encoded_len())
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
