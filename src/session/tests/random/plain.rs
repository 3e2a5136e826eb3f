//! The rules in plain words: what counts, who is meant, what is proved, whose a value is.

use super::Case;
use crate::session::{
    authentication::{Authentication, Subject},
    entries::Keep,
    live::Live,
    mark::{Login, Mark},
    plan::Plan,
    settle::Outcome,
    state::State,
    time::Timestamp,
};

/// What a mark takes part in, by the end of the request: the table that [`Session`](crate::Session) shows.
pub(super) fn counts(mark: &Mark, outcome: Outcome) -> bool {
    let lowers = matches!(mark, Mark::Logout | Mark::StepDown);
    match outcome {
        Outcome::Answered => true,
        Outcome::Failed => lowers || *mark == Mark::Renew,
        Outcome::Dropped => lowers,
    }
}

/// Where one session ends and another begins.
pub(super) fn is_boundary(mark: &Mark) -> bool {
    matches!(mark, Mark::Login(_) | Mark::Logout)
}

/// What a plan writes.
pub(super) const fn written(plan: &Plan) -> Option<&State> {
    match plan {
        Plan::Save { state, .. } | Plan::Rotate { state, .. } | Plan::Start { state, .. } => {
            Some(state)
        }
        Plan::Nothing | Plan::End | Plan::EndGuest { .. } => None,
    }
}

/// The level that holds at a moment; 0 where nobody is logged in.
pub(super) fn level_at(who: Option<&Authentication>, now: Timestamp) -> u8 {
    let Some(who) = who else {
        return 0;
    };
    let mut level = who.level.get();
    if let Some(up) = who.elevation
        && up.until.is_none_or(|until| now < until)
    {
        level = level.max(up.level.get());
    }
    level
}

impl Case {
    /// How the request ends for its session: an answer that is withheld is none.
    pub(super) fn end(&self) -> Outcome {
        if self.is_unusable() || self.is_refused() {
            Outcome::Dropped
        } else {
            self.outcome
        }
    }

    /// The marks that count, in order.
    pub(super) fn counted(&self) -> Vec<&(Timestamp, Mark)> {
        let (marks, end) = (self.marks.iter(), self.end());
        marks.filter(|(_, mark)| counts(mark, end)).collect()
    }

    /// Whether a login is answered whose subject cannot be one.
    pub(super) fn is_unusable(&self) -> bool {
        let unfit = |login: &Login| !(1..=255).contains(&login.subject.as_str().len());
        let unfit = |mark: &Mark| matches!(mark, Mark::Login(login) if unfit(login));
        self.outcome == Outcome::Answered && self.marks.iter().any(|(_, mark)| unfit(mark))
    }

    /// Whether the session ended by one of its limits while the handler ran.
    pub(super) fn has_ended(&self) -> bool {
        let Some(live) = &self.live else {
            return false;
        };
        let (state, policy) = (&live.state, &self.policy);
        let remembered = policy.remembered_timeout().filter(|_| state.persistent);
        let longest = remembered.unwrap_or(policy.absolute_timeout());
        let unused = policy.idle_timeout().filter(|_| remembered.is_none());
        super::NOW >= state.absolute_expiry
            || super::NOW >= state.created_at.after(longest)
            || unused.is_some_and(|idle| super::NOW >= state.last_seen_at.after(idle))
    }

    /// Whether the request no longer holds the session that it came with.
    pub(super) fn is_lost(&self) -> bool {
        let replaced = |live: &Live| !live.opens();
        self.live.as_ref().is_some_and(replaced) || self.has_ended()
    }

    /// Whether an elevation is answered of a session that goes on and that ended, or whose token was replaced, meanwhile.
    pub(super) fn is_refused(&self) -> bool {
        let any = |test: fn(&Mark) -> bool| self.marks.iter().any(|(_, mark)| test(mark));
        self.outcome == Outcome::Answered
            && !self.is_unusable()
            && self.is_lost()
            && self.user().is_some()
            && any(|mark| matches!(mark, Mark::Elevate(_)))
            && !any(is_boundary)
    }

    /// The last counted login or logout, if there is one, and what counts after it.
    pub(super) fn last_stretch(&self) -> (Option<&Mark>, Vec<&(Timestamp, Mark)>) {
        let mut counted = self.counted();
        match counted.iter().rposition(|(_, mark)| is_boundary(mark)) {
            None => (None, counted),
            Some(at) => {
                let after = counted.split_off(at + 1);
                (Some(&counted[at].1), after)
            }
        }
    }

    pub(super) fn counted_logins(&self) -> Vec<&Login> {
        let logins = self
            .counted()
            .into_iter()
            .filter_map(|(_, mark)| match mark {
                Mark::Login(login) => Some(login),
                _ => None,
            });
        logins.collect()
    }

    pub(super) fn logs_out(&self) -> bool {
        self.counted().iter().any(|(_, mark)| *mark == Mark::Logout)
    }

    /// Who is logged in as far as this request's client is concerned.
    pub(super) fn user(&self) -> Option<&Authentication> {
        let live = self.live.as_ref().filter(|live| !live.suspended)?;
        live.state.authentication.as_ref()
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.suspended)
    }

    /// The highest level at `now` that the session before, or something that counts, accounts for.
    pub(super) fn proved_at(&self, now: Timestamp) -> u8 {
        let (began, since) = self.last_stretch();
        let before = match began {
            None => level_at(self.user(), now),
            Some(Mark::Login(login)) => login.level.get(),
            Some(_) => 0,
        };
        let elevations = since.iter().filter_map(|(at, mark)| match mark {
            Mark::Elevate(up) if up.lasting.is_none_or(|time| now < at.after(time)) => {
                Some(up.level.get())
            }
            _ => None,
        });
        elevations.fold(before, u8::max)
    }

    /// Moments at which some level may change.
    pub(super) fn moments(&self, state: &State) -> Vec<Timestamp> {
        let before = self.live.as_ref().map(|live| &live.state);
        let states = before.into_iter().chain([state]);
        let ends = states.filter_map(|state| state.authentication.as_ref()?.elevation?.until);
        let marked = self.marks.iter().filter_map(|(at, mark)| match mark {
            Mark::Elevate(up) => Some(at.after(up.lasting?)),
            _ => None,
        });
        let mut moments = vec![super::NOW, super::later(24 * super::HOUR)];
        for end in ends.chain(marked) {
            moments.push(end);
            moments.push(Timestamp::from_unix_millis(end.as_unix_millis() - 1));
        }
        moments.retain(|moment| *moment >= super::NOW);
        moments
    }

    /// Whether a value that lies in a session of `reader` at the end may be there.
    ///
    /// It may where its writer is the reader, and nobody else was logged in since and nobody logged out; or
    /// where a guest wrote it as one that survives a login, and the reader is who logged in then. What is gone with any
    /// login is not there after one.
    pub(super) fn may_read(&self, reader: Option<&Subject>, value: &[u8], keep: Keep) -> bool {
        let end = self.end();
        let text = str::from_utf8(value).unwrap().trim_matches('"');
        let counted = |marks: &[(Timestamp, Mark)]| -> Vec<Mark> {
            let marks = marks.iter().map(|(_, mark)| mark);
            let marks = marks.filter(|mark| is_boundary(mark) && counts(mark, end));
            marks.cloned().collect()
        };
        let (before, since) = match text.parse::<usize>() {
            Ok(at) => {
                assert!(counts(&self.marks[at].1, end), "dropped, and there");
                (counted(&self.marks[..at]), counted(&self.marks[at..]))
            }
            Err(_) => (Vec::new(), counted(&self.marks)),
        };
        let of_session = self.live.as_ref().and_then(|live| live.subject());
        let writer = match before.last() {
            Some(Mark::Login(login)) => Some(&login.subject),
            Some(_) => None,
            // What is put in for a client that is not the session's own is a guest's.
            None if text != "held" && self.is_suspended() => None,
            None => of_session,
        };
        let mut logins = since.iter().map(|mark| match mark {
            Mark::Login(login) => Some(&login.subject),
            _ => None,
        });
        let was_logged_in = !since.is_empty();
        logins.all(|who| who.is_some() && who == reader)
            && match keep {
                Keep::Subject => writer == reader,
                Keep::Carried => writer == reader || writer.is_none() && was_logged_in,
                Keep::Passing(_) => writer == reader && !was_logged_in,
            }
    }
}
