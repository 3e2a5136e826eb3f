//! What this thread logs while a test looks at it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of this thread, from information on; it ends with the value.
pub(crate) struct Log {
    lines: Lines,
    _subscribed: DefaultGuard,
}

impl Log {
    pub(crate) fn start() -> Self {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::INFO)
            .with_writer(lines.clone())
            .finish();
        Self {
            lines,
            _subscribed: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
    }

    /// Nothing was said.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        assert_eq!(self.text(), "");
    }

    /// One line was said, with these words.
    #[track_caller]
    pub(crate) fn is_one_line(&self, words: &[&str]) {
        let text = self.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    /// The lines of this level are these, a word of each.
    #[track_caller]
    pub(crate) fn of_level(&self, level: &str, words: &[&str]) {
        let text = self.text();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.trim_start().starts_with(level))
            .collect();
        assert_eq!(lines.len(), words.len(), "{text}");
        for (line, word) in lines.iter().zip(words) {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}
