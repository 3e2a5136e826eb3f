//! [`FlashMessage`]: what is shown once.

use serde::{Deserialize, Serialize};

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlashLevel {
    /// Something worth knowing.
    Info,
    /// What was asked for is done.
    Success,
    /// It is done, and something needs attention.
    Warning,
    /// It is not done.
    Error,
}

impl FlashLevel {
    /// The level as a word in lower case: for a class of a stylesheet.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A message that the next page shows once.
///
/// The text is plain, not HTML: escape it where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlashMessage {
    level: FlashLevel,
    text: String,
}

impl FlashMessage {
    pub(super) const fn new(level: FlashLevel, text: String) -> Self {
        Self { level, text }
    }

    /// How it is meant.
    #[must_use]
    pub const fn level(&self) -> FlashLevel {
        self.level
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes this many bytes away from the end, and as many more as a character and the sign of it need.
    pub(super) fn shorten(&mut self, bytes: usize) {
        const CUT: char = '…';
        let mut end = self.text.len().saturating_sub(bytes + CUT.len_utf8());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.truncate(end);
        self.text.push(CUT);
    }
}
