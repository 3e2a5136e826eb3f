//! [`Paths`]: where browsers register and refresh.

use crate::error::ConfigError;

/// The paths of the two endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) register: String,
    pub(crate) refresh: String,
}

impl Paths {
    /// `register` and `refresh` below `base`, such as `/dbsc`.
    ///
    /// # Errors
    ///
    /// If a browser would request another path than the one that is named. Chromium undoes percent-encoding in it.
    pub(crate) fn below(base: &str) -> Result<Self, ConfigError> {
        let rules = [
            (!base.starts_with('/'), "begin with /"),
            (base.ends_with('/'), "leave the / at the end out"),
            (
                base.contains("//"),
                "write no // in it: at its beginning a browser takes it for another host",
            ),
            (
                base.split('/').any(|part| part == "." || part == ".."),
                "write no . or .. as a part of it, which a browser resolves",
            ),
            (
                !base.bytes().all(is_plain),
                "write letters, digits and any of -._~!$&'()*+,;=:@/ only: a browser reads % and ? and # otherwise",
            ),
            (base.len() > 256, "write at most 256 bytes"),
        ];
        if let Some((_, reason)) = rules.into_iter().find(|(broken, _)| *broken) {
            return Err(ConfigError::Setting {
                name: "path of device binding",
                value: base.to_owned(),
                reason,
            });
        }
        Ok(Self {
            register: format!("{base}/register"),
            refresh: format!("{base}/refresh"),
        })
    }
}

impl Paths {
    /// Whether it is one of them.
    pub(crate) fn has(&self, path: &str) -> bool {
        path == self.register || path == self.refresh
    }
}

/// What stands for itself in a path (RFC 3986, section 3.3).
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

#[cfg(test)]
mod tests {
    use super::Paths;

    #[test]
    fn endpoints_lie_below_the_path() {
        for base in ["/dbsc", "/.well-known/dbsc", "/a/b-c_d~e"] {
            let paths = Paths::below(base).unwrap();
            assert_eq!(paths.register, format!("{base}/register"));
            assert_eq!(paths.refresh, format!("{base}/refresh"));
        }
    }

    #[test]
    fn a_path_that_a_browser_reads_otherwise_is_refused_with_the_remedy() {
        let long = format!("/{}", "a".repeat(256));
        for (base, remedy) in [
            ("", "begin with /"),
            ("dbsc", "begin with /"),
            ("https://app.example/dbsc", "begin with /"),
            ("/", "at the end"),
            ("/dbsc/", "at the end"),
            ("//dbsc", "no //"),
            ("/a//b", "no //"),
            ("/../dbsc", "no . or .."),
            ("/a/./dbsc", "no . or .."),
            ("/a%2Fb", "letters, digits"),
            ("/a?b", "letters, digits"),
            ("/a#b", "letters, digits"),
            ("/a\\b", "letters, digits"),
            ("/a\"b", "letters, digits"),
            ("/a b", "letters, digits"),
            ("/ä", "letters, digits"),
            (&long, "at most 256"),
        ] {
            let told = Paths::below(base).unwrap_err().to_string();
            assert!(told.contains(remedy), "{base}: {told}");
        }
    }
}
