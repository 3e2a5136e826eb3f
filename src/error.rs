//! [`ConfigError`]: what a developer got wrong, said at start-up.

use std::{error::Error, fmt, io};

/// A setting that cannot work, found before the first request.
///
/// Each variant carries the offending input (never a key) and its message says what to write instead. `Debug` shows that
/// message too, since it is what a `main` that returns the error prints.
#[non_exhaustive]
pub enum ConfigError {
    /// The key ring holds no key.
    NoKeys,
    /// A key is shorter than 32 bytes.
    WeakKey {
        /// Which key of the ring, counted from 1.
        position: usize,
        /// Its length in bytes.
        bytes: usize,
    },
    /// A key repeats one byte throughout, so it cannot be random.
    UniformKey {
        /// Which key of the ring, counted from 1.
        position: usize,
    },
    /// A key follows a pattern, so it cannot be random.
    PatternedKey {
        /// Which key of the ring, counted from 1.
        position: usize,
    },
    /// A key was printed in this crate's documentation, so it is no secret.
    PublishedKey {
        /// Which key of the ring, counted from 1.
        position: usize,
    },
    /// The file that holds the keys can be read by every user of the machine.
    KeyFileReadable {
        /// The file's path.
        path: String,
    },
    /// A key is not written in hexadecimal digits.
    KeyNotHex {
        /// Which key of the ring, counted from 1.
        position: usize,
    },
    /// Two keys of the ring are the same, or their key ids collide.
    DuplicateKey {
        /// Which key of the ring, counted from 1, repeats an earlier one.
        position: usize,
    },
    /// More than one key of the ring signs.
    SeveralSigningKeys,
    /// The key to be retired is not in the ring.
    KeyNotInRing {
        /// The id that no key has.
        id: String,
    },
    /// The key to be retired is the one that signs.
    SigningKeyRetired {
        /// Its id.
        id: String,
    },
    /// The environment variable that should hold the keys is not set or is not text.
    KeyVariable {
        /// The variable's name.
        name: String,
    },
    /// The file that should hold the keys cannot be read.
    KeyFile {
        /// The file's path.
        path: String,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// The operating system's random source failed.
    NoRandomness,
    /// A cookie name that a browser or a server would refuse or change.
    CookieName {
        /// The name.
        name: String,
        /// Why it is refused and what to write instead.
        reason: &'static str,
    },
    /// Cookie attributes that a browser would refuse together.
    CookieAttributes {
        /// The cookie's name.
        name: String,
        /// Why they are refused and what to write instead.
        reason: &'static str,
    },
    /// A limit that contradicts itself or another one.
    Limit {
        /// The limit's name.
        name: &'static str,
        /// Why it is refused and what to write instead.
        reason: &'static str,
    },
    /// Another setting that cannot work.
    Setting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why it is refused and what to write instead.
        reason: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeys => write!(
                f,
                "the key ring is empty: give at least one key of 64 hexadecimal digits (openssl rand -hex 32)"
            ),
            Self::WeakKey { position, bytes } => write!(
                f,
                "key {position} has {bytes} bytes: at least 32 are needed (openssl rand -hex 32)"
            ),
            Self::UniformKey { position } => write!(
                f,
                "key {position} repeats a single byte: use random bytes (openssl rand -hex 32)"
            ),
            Self::PatternedKey { position } => write!(
                f,
                "key {position} repeats itself or counts up or down: use random bytes (openssl rand -hex 32)"
            ),
            Self::PublishedKey { position } => write!(
                f,
                "key {position} is printed in the documentation: make one of your own (openssl rand -hex 32)"
            ),
            Self::KeyFileReadable { path } => write!(
                f,
                "every user of this machine can read the key file {path:?}: take that away (chmod o-rwx), or say that it is meant with KeyRing::from_shared_file"
            ),
            Self::KeyNotHex { position } => write!(
                f,
                "key {position} is not hexadecimal: write an even number of the digits 0-9 and a-f, at least 64 (openssl rand -hex 32)"
            ),
            Self::DuplicateKey { position } => write!(
                f,
                "key {position} is in the ring already (or its key id collides): remove it or generate another"
            ),
            Self::SeveralSigningKeys => f.write_str(
                "more than one key of the ring signs: name one of them, and the others `next`, `older` or `expiring`",
            ),
            Self::KeyNotInRing { id } => write!(
                f,
                "no key of the ring has the id {id}: KeyRing::key_ids lists those that are there"
            ),
            Self::SigningKeyRetired { id } => write!(
                f,
                "the key {id} signs: replace the ring with one that another key signs (KeyRing::replace)"
            ),
            Self::KeyVariable { name } => write!(
                f,
                "the environment variable {name} is not set to text: set it to comma-separated keys of 64 hexadecimal digits each (export {name}=$(openssl rand -hex 32))"
            ),
            Self::KeyFile { path, .. } => write!(f, "the key file {path:?} cannot be read"),
            Self::NoRandomness => write!(f, "the operating system gave no random bytes"),
            Self::CookieName { name, reason } => write!(f, "cookie name {name:?}: {reason}"),
            Self::CookieAttributes { name, reason } => {
                write!(f, "attributes of cookie {name:?}: {reason}")
            }
            Self::Limit { name, reason } => write!(f, "{name}: {reason}"),
            Self::Setting {
                name,
                value,
                reason,
            } => write!(f, "{name} = {value:?}: {reason}"),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_sources(self, f)
    }
}

/// Writes what an error says, and what its sources say: the `Debug` of an error that may end a `main`.
pub(crate) fn with_sources(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut source = error.source();
    while let Some(cause) = source {
        write!(f, ": {cause}")?;
        source = cause.source();
    }
    Ok(())
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::KeyFile { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::ConfigError;

    /// What `fn main() -> Result<(), Box<dyn Error>>` prints.
    #[test]
    fn debug_says_what_to_write_instead_and_why() {
        let refused = ConfigError::KeyVariable {
            name: "SESSION_KEYS".to_owned(),
        };
        assert_eq!(
            format!("{refused:?}"),
            "the environment variable SESSION_KEYS is not set to text: set it to comma-separated keys of 64 \
             hexadecimal digits each (export SESSION_KEYS=$(openssl rand -hex 32))"
        );
        let refused = ConfigError::KeyFile {
            path: "/run/keys".to_owned(),
            source: io::Error::other("it is a folder"),
        };
        assert_eq!(
            format!("{refused:?}"),
            "the key file \"/run/keys\" cannot be read: it is a folder"
        );
    }
}
