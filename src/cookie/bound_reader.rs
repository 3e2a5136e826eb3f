//! [`BoundReader`]: finds the bound cookie among everything a client sends in its `Cookie` fields.

use http::{HeaderMap, header::COOKIE};
use memchr::{memchr, memmem::Finder};

use super::{
    CookieName,
    request::{MAX_BYTES, begins_a_cookie, trim_end},
};

/// Reads `Cookie` fields as the reader of the sessions' cookies does, for the one name of the bound cookie.
#[derive(Clone, Debug)]
pub(crate) struct BoundReader(Finder<'static>);

impl BoundReader {
    pub(crate) fn new(name: &CookieName) -> Self {
        let name = format!("{}=", name.as_str());
        Self(Finder::new(&name).into_owned())
    }

    /// Hands out every value that came under the name, within 256 KiB of fields.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap, mut each: impl FnMut(&'a [u8])) {
        let mut left = MAX_BYTES;
        for field in headers.get_all(COOKIE) {
            let field = field.as_bytes();
            let Some(rest) = left.checked_sub(field.len()) else {
                break;
            };
            left = rest;
            for at in self.0.find_iter(field) {
                let (before, found) = field.split_at(at);
                if begins_a_cookie(before) {
                    let value = &found[self.0.needle().len()..];
                    let end = memchr(b';', value).unwrap_or(value.len());
                    each(trim_end(&value[..end]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::COOKIE};

    use super::BoundReader;
    use crate::cookie::{CookiePolicy, device::DeviceCookie};

    fn read(fields: &[&[u8]]) -> Vec<String> {
        let cookie = DeviceCookie::bound(&CookiePolicy::default()).unwrap();
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_bytes(field).unwrap());
        }
        let mut values = Vec::new();
        BoundReader::new(cookie.name()).read(&headers, |value| {
            values.push(String::from_utf8_lossy(value).into_owned());
        });
        values
    }

    /// R51, R55: by bytes alone, as the sessions' cookies.
    #[test]
    fn every_value_under_the_name_is_found_and_no_other() {
        let long = [&[b'x'; 256 * 1024][..], b"; __Host-session-bound=a"].concat();
        for (fields, values) in [
            (&[&b"__Host-session-bound=a"[..]][..], &["a"][..]),
            (&[b"a=b; __Host-session-bound=a; c=d"], &["a"]),
            (&[b"a=b;\t__Host-session-bound=a \t"], &["a"]),
            (
                &[b"__Host-session-bound=a; __Host-session-bound=b"],
                &["a", "b"],
            ),
            (
                &[b"__Host-session-bound=a", b"x=y", b"__Host-session-bound=b"],
                &["a", "b"],
            ),
            (
                &[b"__Host-session-bound=__Host-session-bound=a"],
                &["__Host-session-bound=a"],
            ),
            (&[b"__Host-session-bound="], &[""]),
            (&[b"__Host-session-bound"], &[]),
            (&[b"__Host-session-bound =a"], &[]),
            (&[b"__HOST-session-bound=a"], &[]),
            (&[b"x__Host-session-bound=a"], &[]),
            (&[b"x=__Host-session-bound=a"], &[]),
            (&[b"=__Host-session-bound=a"], &[]),
            (&[b"__Host-Http-session-bound=a"], &[]),
            (&[b"__Host-session-bound-x=a"], &[]),
            (&[&long], &[]),
            (&[], &[]),
        ] {
            assert_eq!(read(fields), values, "{fields:?}");
        }
    }
}
