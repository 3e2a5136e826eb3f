//! [`Succession`]: what replaces a session's credential, and what presenting an older one means.

use super::{standing::Standing, time::Timestamp};

/// Which credential opens a session, and which did before.
///
/// In a record they are digests of secrets, in the list of ended tokens the ids of tokens: the rules are the same.
/// However often a credential was replaced, it takes bounded room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Succession<T> {
    pub(crate) current: T,
    /// The one that a renewal or a binding to a device replaced, and when it stops working. That of a binding is among the
    /// superseded ones too.
    pub(crate) grace: Option<(T, Timestamp)>,
    /// Those that an honest request may still carry: a change of privilege or a binding replaced them.
    pub(crate) superseded: Vec<T>,
    /// Whether a renewal ever replaced one of this session.
    pub(crate) renewed: bool,
    /// Whether a superseded one was forgotten for want of room.
    pub(crate) forgot: bool,
}

/// How many superseded credentials of a session are remembered.
pub(crate) const REMEMBERED: usize = 4;

impl<T> Succession<T>
where
    T: Copy + PartialEq,
{
    pub(crate) const fn new(current: T) -> Self {
        Self {
            current,
            grace: None,
            superseded: Vec::new(),
            renewed: false,
            forgot: false,
        }
    }

    /// What a credential is worth at `now`.
    pub(crate) fn standing_of(&self, presented: &T, now: Timestamp) -> Standing {
        if *presented == self.current {
            return Standing::Current;
        }
        match self.grace {
            Some((old, until)) if old == *presented && now < until => {
                if self.superseded.contains(presented) {
                    Standing::Crossing
                } else {
                    Standing::Grace
                }
            }
            _ if self.superseded.contains(presented) => Standing::Superseded,
            // S17: an unknown one may be one that was forgotten, which an honest request may still carry.
            _ if self.forgot || !self.renewed => Standing::Superseded,
            _ => Standing::Reused,
        }
    }

    /// Whether a credential is the present one, or one that is remembered.
    pub(crate) fn remembers(&self, presented: &T) -> bool {
        *presented == self.current
            || matches!(&self.grace, Some((old, _)) if old == presented)
            || self.superseded.contains(presented)
    }

    /// A new one after a change of privilege: nothing older works, without grace.
    pub(crate) fn supersede(&mut self, new: T, now: Timestamp) {
        if let Some((old, until)) = self.grace.take()
            && now < until
        {
            self.remember(old);
        }
        self.remember(self.current);
        self.current = new;
    }

    /// A new one after a renewal: the present one works until `grace_until`.
    pub(crate) fn renew(&mut self, new: T, now: Timestamp, grace_until: Timestamp) {
        if let Some((old, until)) = self.grace.take()
            && now < until
        {
            // Its grace is cut short, so a request under way may carry it honestly.
            self.remember(old);
        }
        self.grace = Some((self.current, grace_until));
        self.current = new;
        self.renewed = true;
    }

    /// A new one after a binding to a device: the present one works until `crossing_until`, and whoever has it later is no
    /// thief for that.
    pub(crate) fn bind(&mut self, new: T, now: Timestamp, crossing_until: Timestamp) {
        if let Some((old, until)) = self.grace.take()
            && now < until
        {
            self.remember(old);
        }
        self.remember(self.current);
        self.grace = Some((self.current, crossing_until));
        self.current = new;
    }

    fn remember(&mut self, old: T) {
        if self.superseded.contains(&old) {
            return;
        }
        if self.superseded.len() == REMEMBERED {
            self.superseded.remove(0);
            self.forgot = true;
        }
        self.superseded.push(old);
    }
}
