//! Whether a browser withholds a cookie with `SameSite` from a request. Pure.

use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::attributes::SameSite;

impl SameSite {
    /// Whether a browser withholds a cookie with this attribute from such a request, as far as the request says where it
    /// came from.
    ///
    /// Browsers say so in `Sec-Fetch-Site`. Where that is missing, as over plain HTTP and in the handshake of a WebSocket, an
    /// `Origin` of another host counts as another site.
    pub(crate) fn withholds(self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        match self {
            Self::None => false,
            Self::Strict => is_cross_site(uri, headers),
            Self::Lax => {
                is_cross_site(uri, headers) && !(method.is_safe() && is_top_level(headers))
            }
        }
    }
}

fn is_cross_site(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        let is_same = |site: &HeaderValue| {
            let site = site.as_bytes();
            [&b"same-origin"[..], b"same-site", b"none"].contains(&site)
        };
        return !sites.all(is_same);
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| Some(uri.authority()?.as_str().as_bytes()));
    !origins.all(|origin| is_of(origin.as_bytes(), host))
}

/// Whether an origin is of this host and port.
fn is_of(origin: &[u8], host: Option<&[u8]>) -> bool {
    let authority = [&b"https://"[..], b"http://"]
        .into_iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    authority
        .zip(host)
        .is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

/// Whether a link was followed or an address opened, and not a frame, an image or a script's request.
fn is_top_level(headers: &HeaderMap) -> bool {
    let says = |name, value: &str| headers.get(name).is_some_and(|said| said == value);
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

    use super::SameSite;

    const LINK: &str = "sec-fetch-site:cross-site sec-fetch-mode:navigate sec-fetch-dest:document";

    #[test]
    fn a_cookie_is_withheld_as_browsers_withhold_it() {
        // By strict, lax, and none.
        let never = [false, false, false];
        let elsewhere = [true, true, false];
        for (method, headers, withheld) in [
            ("GET", "", never),
            ("POST", "", never),
            ("POST", "sec-fetch-site:same-origin", never),
            ("POST", "sec-fetch-site:same-site", never),
            ("POST", "sec-fetch-site:none", never),
            ("POST", "sec-fetch-site:cross-site", elsewhere),
            ("GET", "sec-fetch-site:cross-site", elsewhere),
            ("GET", "sec-fetch-site:", elsewhere),
            (
                "GET",
                "sec-fetch-site:same-origin sec-fetch-site:cross-site",
                elsewhere,
            ),
            ("GET", LINK, [true, false, false]),
            ("HEAD", LINK, [true, false, false]),
            ("POST", LINK, elsewhere),
            (
                "GET",
                "sec-fetch-site:cross-site sec-fetch-mode:navigate sec-fetch-dest:iframe",
                elsewhere,
            ),
            (
                "GET",
                "sec-fetch-site:cross-site sec-fetch-mode:no-cors sec-fetch-dest:image",
                elsewhere,
            ),
            // The browser's own word counts before the origin.
            (
                "POST",
                "sec-fetch-site:same-origin origin:https://other.example host:app.example",
                never,
            ),
            ("POST", "origin:https://app.example host:app.example", never),
            ("POST", "origin:https://APP.example host:app.Example", never),
            (
                "POST",
                "origin:http://app.example:8080 host:app.example:8080",
                never,
            ),
            (
                "POST",
                "origin:https://app.example host:app.example:8080",
                elsewhere,
            ),
            (
                "POST",
                "origin:https://other.example host:app.example",
                elsewhere,
            ),
            (
                "GET",
                "origin:https://other.example host:app.example",
                elsewhere,
            ),
            ("POST", "origin:null host:app.example", elsewhere),
            ("POST", "origin:https://app.example", elsewhere),
            (
                "POST",
                "origin:https://app.example origin:https://other.example host:app.example",
                elsewhere,
            ),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let fields = headers.split_whitespace().map(|field| {
                let (name, value) = field.split_once(':').unwrap();
                let name: HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            });
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                map.append(name, value);
            }
            let withholds =
                |same_site: SameSite| same_site.withholds(&method, &Uri::from_static("/"), &map);
            assert_eq!(
                [SameSite::Strict, SameSite::Lax, SameSite::None].map(withholds),
                withheld,
                "{method} {headers}"
            );
        }
    }

    /// HTTP/2 has no `Host`.
    #[test]
    fn the_authority_stands_for_the_host() {
        let headers = HeaderMap::from_iter([(
            http::header::ORIGIN,
            HeaderValue::from_static("https://app.example"),
        )]);
        for (uri, withheld) in [
            ("https://app.example/", false),
            ("https://other.example/", true),
        ] {
            let uri = Uri::from_static(uri);
            assert_eq!(
                SameSite::Lax.withholds(&Method::POST, &uri, &headers),
                withheld
            );
        }
    }
}
