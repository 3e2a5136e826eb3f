//! [`Password`] and [`Hasher`]: the rules of passwords, and what is kept of one.

use std::{fmt, sync::Arc};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// A password as a user typed it, in Unicode's composed form (RFC 8265, section 4.2): it is the same whatever keyboard typed it.
///
/// It never prints.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// The fewest characters of a new password (NIST SP 800-63B for one that a second factor stands beside).
    pub const MIN_LEN: usize = 8;
    /// The most characters of a new password.
    pub const MAX_LEN: usize = 128;

    /// What is said where a new password does not do.
    pub const RULE: &'static str = "A password has 8 to 128 characters, of any kind.";

    /// A password to compare with the one that is kept.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(text.nfc().collect())
    }

    /// A password to keep from now on, if it has a good length. Nothing else is asked of it: no digits, no signs, no change after a time.
    ///
    /// A real site also looks it up in a list of passwords that are known from breaches.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let password = Self::typed(text);
        let length = password.0.chars().count();
        (Self::MIN_LEN..=Self::MAX_LEN)
            .contains(&length)
            .then_some(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Hashes passwords with Argon2id: 19 MiB, two passes, one lane (OWASP's Password Storage Cheat Sheet; the crate's defaults).
///
/// A hash takes some 20 ms of a processor and those 19 MiB. So it runs on a thread where nothing else waits for it, and only so many run
/// at once: many logins at a time take long, and take down nothing else.
#[derive(Clone, Debug)]
pub(super) struct Hasher(Arc<Semaphore>);

/// Why there is no hash: the operating system gave no random bytes, or the server stops.
#[derive(Debug)]
pub struct HashFailed;

impl Default for Hasher {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

impl Hasher {
    /// What to keep of a password.
    pub(super) async fn hash(&self, password: Password) -> Result<String, HashFailed> {
        self.run(move || {
            let hash = Argon2::default().hash_password(password.0.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| HashFailed)
        })
        .await?
    }

    /// Whether this is the password of which `kept` was kept. Without any it is not, and that takes as long.
    pub(super) async fn is_right(
        &self,
        password: Password,
        kept: Option<String>,
    ) -> Result<bool, HashFailed> {
        /// Of no password, with the parameters of all others.
        const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        self.run(move || {
            let known = kept.is_some();
            let kept = kept.as_deref().unwrap_or(DUMMY);
            let right = Argon2::default().verify_password(password.0.as_bytes(), kept);
            right.is_ok() && known
        })
        .await
    }

    async fn run<T>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashFailed>
    where
        T: Send + 'static,
    {
        let turn = Arc::clone(&self.0).acquire_owned().await;
        let turn = turn.map_err(|_| HashFailed)?;
        // The turn goes along: the hash is computed to its end also where the client has left.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| HashFailed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Hasher, Password};

    #[test]
    fn a_new_password_has_8_to_128_characters_of_any_kind() {
        for good in ["12345678", "ääääääää", &"x".repeat(128), "        "] {
            assert!(Password::new(good).is_some(), "{good:?}");
        }
        for bad in ["", "1234567", "äää", &"x".repeat(129)] {
            assert!(Password::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_never_prints() {
        assert!(!format!("{:?}", Password::typed("correct horse")).contains("horse"));
    }

    #[tokio::test]
    async fn a_password_is_kept_as_a_salted_hash_with_owasps_parameters() {
        let hasher = Hasher::default();
        let [one, two] = [(); 2].map(|()| hasher.hash(Password::typed("correct horse")));
        let (one, two) = (one.await.unwrap(), two.await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        let right = hasher.is_right(Password::typed("correct horse"), Some(one.clone()));
        assert!(right.await.unwrap());
        let wrong = hasher.is_right(Password::typed("correct house"), Some(one));
        assert!(!wrong.await.unwrap());
    }

    /// A letter with an accent is one character or two, by the keyboard.
    #[tokio::test]
    async fn a_password_is_the_same_from_any_keyboard() {
        let hasher = Hasher::default();
        let kept = hasher.hash(Password::typed("cr\u{e8}me br\u{fb}l\u{e9}e"));
        let kept = kept.await.unwrap();
        let typed = Password::typed("cre\u{300}me bru\u{302}le\u{301}e");
        assert!(hasher.is_right(typed, Some(kept)).await.unwrap());
    }

    /// The time of an answer does not tell whether a name is known.
    #[tokio::test]
    async fn without_a_kept_password_it_takes_as_long() {
        let hasher = Hasher::default();
        let kept = hasher.hash(Password::typed("correct horse")).await.unwrap();
        let mut times = [Duration::MAX; 2];
        for _ in 0..5 {
            for (kept, least) in [Some(kept.clone()), None].into_iter().zip(&mut times) {
                let begun = Instant::now();
                let right = hasher.is_right(Password::typed("wrong horse"), kept).await;
                assert!(!right.unwrap());
                *least = begun.elapsed().min(*least);
            }
        }
        let [known, unknown] = times;
        assert!(unknown > known / 2, "{known:?} {unknown:?}");
    }
}
