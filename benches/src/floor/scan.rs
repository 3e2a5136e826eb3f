//! Finding one cookie by its name, without looking at the others.

use memchr::{memchr, memmem};

/// A search that was prepared for one name.
#[derive(Clone, Debug)]
pub struct Scan {
    needle: memmem::Finder<'static>,
    width: usize,
}

impl Scan {
    /// Prepares the search for `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let needle = format!("{name}=");
        Self {
            width: needle.len(),
            needle: memmem::Finder::new(&needle).into_owned(),
        }
    }

    /// The values of all cookies of that name in one `Cookie` header.
    pub fn values<'h>(&'h self, header: &'h [u8]) -> impl Iterator<Item = &'h [u8]> {
        let starts = self
            .needle
            .find_iter(header)
            .filter(|&at| begins_a_cookie(&header[..at]));
        starts.map(|at| {
            let rest = &header[at + self.width..];
            let value = &rest[..memchr(b';', rest).unwrap_or(rest.len())];
            trim_end(value)
        })
    }
}

/// Whether only white space stands between here and the last `;`.
fn begins_a_cookie(before: &[u8]) -> bool {
    trim_end(before).last().is_none_or(|b| *b == b';')
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::Scan;

    #[track_caller]
    fn check(header: &str, expected: &[&str]) {
        let scan = Scan::new("id");
        let found: Vec<_> = scan.values(header.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|v| v.as_bytes()).collect();
        assert_eq!(found, expected, "{header}");
    }

    #[test]
    fn a_name_is_found_between_its_borders_only() {
        check("id=1", &["1"]);
        check("a=b; id=1; c=d", &["1"]);
        check("a=b;id=1 ;c=d", &["1"]);
        check("xid=1", &[]);
        check("a=id=1", &[]);
        check("a=b id=1", &[]);
        check("id=1; id=2", &["1", "2"]);
        check("", &[]);
    }
}
