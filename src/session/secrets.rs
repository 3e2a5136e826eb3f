//! [`Secrets`]: which secrets open a session, and what presenting one means.

use super::{
    id::{Secret, SecretDigest},
    standing::Standing,
    time::Timestamp,
};

/// Which secrets open a session, and which did before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secrets {
    pub(crate) current: SecretDigest,
    /// The secret that a renewal replaced, and when it stops working.
    pub(crate) grace: Option<(SecretDigest, Timestamp)>,
    /// Secrets that an honest request may still carry: a change of privilege replaced them.
    pub(crate) superseded: Vec<SecretDigest>,
    /// Whether a renewal ever replaced a secret of this session.
    pub(crate) renewed: bool,
}

impl Secrets {
    /// How many replaced secrets a record remembers.
    pub(super) const REMEMBERED: usize = 4;

    pub(crate) const fn new(current: SecretDigest) -> Self {
        Self {
            current,
            grace: None,
            superseded: Vec::new(),
            renewed: false,
        }
    }

    /// What `secret` is worth at `now`. The record of a session that ended is gone, so it is never
    /// [`Ended`](Standing::Ended).
    pub(crate) fn standing(&self, secret: &Secret, now: Timestamp) -> Standing {
        let presented = secret.digest();
        if presented == self.current {
            return Standing::Current;
        }
        match self.grace {
            Some((digest, until)) if digest == presented && now < until => Standing::Grace,
            _ if self.superseded.contains(&presented) || !self.renewed => Standing::Superseded,
            _ => Standing::Reused,
        }
    }

    /// A new secret after a change of privilege: nothing older works, without grace.
    pub(crate) fn supersede(&mut self, new: SecretDigest, now: Timestamp) {
        if let Some((digest, until)) = self.grace.take()
            && now < until
        {
            self.remember(digest);
        }
        self.remember(self.current);
        self.current = new;
    }

    /// A new secret after a renewal: the present one works until `grace_until`.
    pub(crate) fn renew(&mut self, new: SecretDigest, now: Timestamp, grace_until: Timestamp) {
        if let Some((digest, until)) = self.grace.take()
            && now < until
        {
            // Its grace is cut short, so a request under way may carry it honestly.
            self.remember(digest);
        }
        self.grace = Some((self.current, grace_until));
        self.current = new;
        self.renewed = true;
    }

    fn remember(&mut self, digest: SecretDigest) {
        if self.superseded.len() == Self::REMEMBERED {
            self.superseded.remove(0);
        }
        self.superseded.push(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::{Secrets, Standing};
    use crate::session::tests::full::{self, SECRETS, at};

    /// R12: what cuts a grace time short makes nobody a thief; one that is over by then still counts.
    #[test]
    fn a_grace_time_cut_short_is_no_theft_and_one_that_ran_out_is() {
        for (now, standing) in [
            (5, Standing::Superseded),
            (11, Standing::Superseded),
            (12, Standing::Reused),
            (13, Standing::Reused),
        ] {
            let mut renewed = Secrets::new(SECRETS[0].digest());
            renewed.renew(SECRETS[1].digest(), at(2), at(12));
            let mut elevated = renewed.clone();
            renewed.renew(SECRETS[2].digest(), at(now), at(now + 10));
            elevated.supersede(SECRETS[2].digest(), at(now));
            for secrets in [renewed, elevated] {
                assert_eq!(secrets.standing(&SECRETS[0], at(now)), standing, "{now}");
            }
        }
    }

    /// R12: what each secret of a session's past is worth.
    #[test]
    fn a_secret_is_worth_what_replaced_it() {
        let secrets = full::secrets();
        for (secret, now, standing) in [
            (2, 9, Standing::Current),
            (1, 11, Standing::Grace),
            (1, 12, Standing::Reused),
            (0, 9, Standing::Superseded),
            (3, 9, Standing::Reused),
        ] {
            assert_eq!(
                secrets.standing(&SECRETS[secret], at(now)),
                standing,
                "{secret} {now}"
            );
        }
        let mut elevated = secrets.clone();
        elevated.supersede(SECRETS[3].digest(), at(5));
        for old in &SECRETS[..3] {
            assert_eq!(elevated.standing(old, at(6)), Standing::Superseded);
        }
    }
}
