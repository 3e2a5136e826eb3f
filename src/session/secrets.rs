//! [`Secrets`]: which secrets open a session, and what presenting one means.

use super::{
    id::{Secret, SecretDigest},
    standing::Standing,
    succession::Succession,
    time::Timestamp,
};

/// Which secrets open a session, and which did before.
pub(crate) type Secrets = Succession<SecretDigest>;

impl Secrets {
    /// What `secret` is worth at `now`. The record of a session that ended is gone, so it is never
    /// [`Ended`](Standing::Ended).
    pub(crate) fn standing(&self, secret: &Secret, now: Timestamp) -> Standing {
        self.standing_of(&secret.digest(), now)
    }

    /// Whether `secret` opens the session, or is remembered as one that did.
    pub(crate) fn knows(&self, secret: &Secret) -> bool {
        self.remembers(&secret.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::{Secrets, Standing};
    use crate::session::id::Secret;
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

    /// S17: what an elevation replaced never counts as theft, however many rotations follow.
    #[test]
    fn a_superseded_secret_is_no_theft_after_any_number_of_rotations() {
        let nth = |n: u8| Secret::from_bytes([n; 16]);
        for renewals in [false, true] {
            let mut secrets = Secrets::new(nth(0).digest());
            secrets.renew(nth(1).digest(), at(1), at(2));
            for n in 2..20 {
                if renewals && n % 2 == 0 {
                    secrets.renew(nth(n).digest(), at(n.into()), at(100));
                } else {
                    secrets.supersede(nth(n).digest(), at(n.into()));
                }
            }
            for old in 2..19 {
                let standing = secrets.standing(&nth(old), at(50));
                assert!(!matches!(standing, Standing::Reused), "{old} {standing:?}");
            }
        }
    }
}
