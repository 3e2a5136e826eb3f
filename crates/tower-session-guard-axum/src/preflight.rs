//! CORS preflights, which browsers send without cookies, and what is passed on of their answers.

use http::{
    HeaderMap, HeaderName, Method, Request, Response,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_METHOD, ALLOW, COOKIE, ORIGIN, VARY,
    },
};

/// Whether a browser asks if a page of another origin may send a request (Fetch standard, "CORS-preflight request").
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && !headers.contains_key(COOKIE)
}

/// What an answer to a preflight says about it.
const ANSWERS: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE,
    ALLOW,
    VARY,
];

/// The answer without its body and without headers that are not a preflight's: a handler for every method may have run for somebody who
/// is not logged in.
pub(crate) fn only_its_own<B>(answer: Response<B>) -> Response<B>
where
    B: Default,
{
    let (mut head, _) = answer.into_parts();
    let mut own = HeaderMap::new();
    for name in ANSWERS {
        for value in head.headers.get_all(&name) {
            own.append(name.clone(), value.clone());
        }
    }
    head.headers = own;
    Response::from_parts(head, B::default())
}
