//! Where keys come from: the environment, a file, bytes, or the operating system's random source.

use std::{
    env,
    env::VarError,
    fs::{File, Metadata},
    io::{self, Read},
    path::Path,
};

use rand::{TryRng, rngs::SysRng};
use zeroize::{Zeroize, Zeroizing};

use super::{KeyRing, KeyUse};
use crate::error::ConfigError;

impl KeyRing {
    /// The keys in an environment variable, written as for [`parse`](Self::parse): comma-separated,
    /// each at least 64 hexadecimal digits.
    ///
    /// The copy that is read is zeroized; the process's environment itself keeps the text.
    ///
    /// # Errors
    ///
    /// If the variable is not set or is not text, and as [`parse`](Self::parse).
    pub fn from_env(variable: &str) -> Result<Self, ConfigError> {
        match env::var(variable) {
            Ok(text) => Self::parse(&Zeroizing::new(text)),
            Err(error) => {
                if let VarError::NotUnicode(text) = error {
                    text.into_encoded_bytes().zeroize();
                }
                Err(ConfigError::KeyVariable {
                    name: variable.to_owned(),
                })
            }
        }
    }

    /// The keys in a file, written as for [`parse`](Self::parse): one key a line or comma-separated.
    ///
    /// On Unix, a file that every user of the machine can read is refused. Kubernetes mounts secrets so unless
    /// the volume's `defaultMode` says otherwise: set it to `0440` or `0400`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not UTF-8 or can be read by all, and as [`parse`](Self::parse).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_path(path.as_ref(), false)
    }

    /// The same from a file that every user of the machine may read: in a container that runs nothing else, say.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is not UTF-8, and as [`parse`](Self::parse).
    pub fn from_shared_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_path(path.as_ref(), true)
    }

    fn from_path(path: &Path, may_be_shared: bool) -> Result<Self, ConfigError> {
        let refused = |source| ConfigError::KeyFile {
            path: path.display().to_string(),
            source,
        };
        let mut file = File::open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        if !may_be_shared && others_can_read(&metadata) {
            return Err(ConfigError::KeyFileReadable {
                path: path.display().to_string(),
            });
        }
        let len = usize::try_from(metadata.len()).unwrap_or_default();
        // One that never grows, so that no copy stays behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(len + 1));
        file.read_to_end(&mut bytes).map_err(refused)?;
        let text = str::from_utf8(&bytes)
            .map_err(|error| refused(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Self::parse(text)
    }

    /// The keys written in a text: hexadecimal, at least 64 digits each, separated by commas or line
    /// ends, spaces around them allowed.
    ///
    /// The first signs, and those after it are older ones. `next:` before the digits makes a key one that will sign,
    /// `expiring:` one under which nothing is signed again: see [`builder`](Self::builder).
    ///
    /// Blank lines are passed over, and so is the rest of a line after `#`. An empty place between
    /// commas is not: a key that went missing there should not go unnoticed.
    ///
    /// # Errors
    ///
    /// If a key is not hexadecimal, and as [`from_bytes`](Self::from_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::KeyRing;
    ///
    /// # let digits = |seed: u32| (1..65).map(move |n: u32| char::from_digit((n * n * n * seed / 7) % 16, 16));
    /// # let [new, old] = [3, 5].map(|seed| digits(seed).flatten().collect::<String>());
    /// // `new` and `old` are 64 digits each, as `openssl rand -hex 32` prints them.
    /// let ring = KeyRing::parse(&format!("{new} # signs since March\n{old} # the one before it"))?;
    /// assert_eq!(ring.key_ids().len(), 2);
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let lines = text
            .lines()
            .map(|line| line.split_once('#').map_or(line, |(keys, _)| keys).trim())
            .filter(|line| !line.is_empty());
        let words = lines.flat_map(|line| line.split(','));
        let (mut builder, mut signs) = (Self::builder(), false);
        for (index, word) in words.enumerate() {
            let word = word.trim();
            let (role, digits) = match word.split_once(':') {
                Some(("next", digits)) => (KeyUse::Next, digits),
                Some(("expiring", digits)) => (KeyUse::Expiring, digits),
                _ if signs => (KeyUse::Older, word),
                _ => (KeyUse::Signs, word),
            };
            signs |= role == KeyUse::Signs;
            let key = hexadecimal(digits.trim()).ok_or(ConfigError::KeyNotHex {
                position: index + 1,
            })?;
            builder = builder.with(&key, role);
        }
        builder.build()
    }

    /// One fresh key from the operating system's random source.
    ///
    /// Tokens die with the process, and no other process accepts them: for tests, for development, and
    /// for a single server whose sessions may be lost at a restart.
    ///
    /// # Errors
    ///
    /// If the operating system gives no random bytes.
    pub fn generate() -> Result<Self, ConfigError> {
        let mut key = Zeroizing::new([0; 32]);
        SysRng
            .try_fill_bytes(&mut *key)
            .map_err(|_| ConfigError::NoRandomness)?;
        Self::from_bytes([&key[..]])
    }
}

/// Whether users other than the file's owner and group can read it.
#[cfg(unix)]
fn others_can_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn others_can_read(_: &Metadata) -> bool {
    false
}

/// The bytes that `digits` spell; the buffer never grows, so no copy stays behind.
pub(super) fn hexadecimal(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    for pair in pairs {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        bytes.push((high? * 16 + low?) as u8);
    }
    Some(bytes)
}
