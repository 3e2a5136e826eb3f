//! [`LoginPage`]: sends a browser to log in, and tells other clients that they have to.

use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header, request::Parts};
use tower_session_guard::{Answer, Refusal, RefusalResponse, ReturnPath};

use crate::{
    client::{Client, page_before},
    explanation::Explanation,
    word::is_word,
};

/// The answer of a guard that sends a browser to the login page and back.
///
/// | a request that needs a login | is answered |
/// |---|---|
/// | of a page, as browsers send it for a link or a form | 303 to the login page |
/// | of htmx | 401 with `HX-Redirect` to the login page |
/// | of a script or another client | 401 or 403 with the challenge, and `application/problem+json` (RFC 9457) with the login page as its member `login` |
///
/// The path to come back to is in the query's `next`: the request's own for `GET` and `HEAD`, in a nested router too; for any other method,
/// and for htmx, that of the page which the request came from, if it is one of this host. Read it with [`ReturnPath::parse`], which lets no
/// other site in.
///
/// Whatever a login cannot help is answered by an [`Explanation`], a bare page. [`otherwise`](Self::otherwise) answers it with a page of the
/// application, or with [`EmptyRefusal`](tower_session_guard::EmptyRefusal), where a layer outside makes the pages of all failures.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_guard::{AssuranceLevel, KeyRing, RequireAuthentication, SessionLayer};
/// use tower_session_guard_axum::LoginPage;
///
/// let page = LoginPage::at("/login").with_step_up("/step-up");
/// let strong = RequireAuthentication::at_least(AssuranceLevel::AAL2).on_refusal_with(page);
/// let app: Router = Router::new()
///     .route("/transfer", get(|| async { "how much?" }).layer(strong))
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `on_refusal_with` of a guard"]
pub struct LoginPage<F = Explanation> {
    login: String,
    step_up: Option<String>,
    parameter: &'static str,
    otherwise: F,
}

impl LoginPage {
    /// The login page: a path of this site, or a URL.
    ///
    /// # Panics
    ///
    /// If that is no URI. A path with a `#` is none that a query can follow.
    #[track_caller]
    pub fn at(page: impl Into<String>) -> Self {
        Self {
            login: uri(page.into()),
            step_up: None,
            parameter: "next",
            otherwise: Explanation,
        }
    }
}

impl<F> LoginPage<F> {
    /// Sends users who are logged in, and have to prove more or again, to this page instead.
    ///
    /// # Panics
    ///
    /// As [`at`](LoginPage::at).
    #[track_caller]
    pub fn with_step_up(mut self, page: impl Into<String>) -> Self {
        self.step_up = Some(uri(page.into()));
        self
    }

    /// Names the query's parameter that has the path to come back to. It is `next` unless set.
    ///
    /// # Panics
    ///
    /// If the name has other characters than letters, digits, `-` and `_`.
    #[track_caller]
    pub fn returning_by(mut self, parameter: &'static str) -> Self {
        assert!(
            is_word(parameter),
            "a parameter's name has letters, digits, `-` and `_`: {parameter:?}"
        );
        self.parameter = parameter;
        self
    }

    /// Answers what a login cannot help: with a closure as for
    /// [`RequireAuthentication::on_refusal`](tower_session_guard::RequireAuthentication::on_refusal), or with a type of the application.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::Html;
    /// use tower_session_guard_axum::LoginPage;
    ///
    /// let page = LoginPage::at("/login")
    ///     .otherwise(|refusal: &_, _: &_| forbidden(refusal));
    /// # let guard = tower_session_guard::RequireAuthentication::new().on_refusal_with(page);
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(guard);
    ///
    /// fn forbidden(refusal: &tower_session_guard::Refusal) -> (axum::http::StatusCode, Html<&'static str>) {
    ///     (refusal.status(), Html("<h1>This is not for you</h1>"))
    /// }
    /// ```
    pub fn otherwise<G>(self, answer: G) -> LoginPage<G> {
        LoginPage {
            login: self.login,
            step_up: self.step_up,
            parameter: self.parameter,
            otherwise: answer,
        }
    }

    fn page_for(&self, refusal: &Refusal) -> &str {
        match (&self.step_up, refusal) {
            (Some(step_up), refusal) if *refusal != Refusal::NotAuthenticated => step_up,
            _ => &self.login,
        }
    }

    /// The page with the path to come back to.
    fn with_way_back(&self, page: &str, back: Option<&ReturnPath>) -> HeaderValue {
        let Some(back) = back else {
            return location(page);
        };
        let separator = if page.contains('?') { '&' } else { '?' };
        let (parameter, back) = (self.parameter, back.in_query());
        location(&format!("{page}{separator}{parameter}={back}"))
    }
}

impl<F, B> RefusalResponse<B> for LoginPage<F>
where
    F: RefusalResponse<B>,
    B: Default + From<String>,
{
    fn respond(&self, refusal: &Refusal, request: Parts) -> Answer<B> {
        if !refusal.asks_for_login() {
            return self.otherwise.respond(refusal, request);
        }
        let page = self.page_for(refusal);
        let client = Client::of(&request);
        let back = match client {
            Client::Page if request.method.is_safe() => Some(ReturnPath::of_request(&request)),
            Client::Page | Client::Htmx => page_before(&request),
            Client::Script => None,
        };
        let target = self.with_way_back(page, back.as_ref());
        let mut response = match client {
            Client::Page => redirect(target),
            Client::Htmx => {
                let mut response = Explanation::short(refusal);
                response.headers_mut().insert("hx-redirect", target);
                response
            }
            Client::Script => Explanation::problem(refusal, Some(page)),
        };
        by_client(response.headers_mut());
        response.into()
    }
}

fn redirect<B>(to: HeaderValue) -> Response<B>
where
    B: Default,
{
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// The answer depends on what kind of client asked, and on its session.
pub(crate) fn by_client(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(
        header::VARY,
        HeaderValue::from_static("Accept, HX-Request, Sec-Fetch-Mode"),
    );
}

#[track_caller]
fn uri(page: String) -> String {
    let is_one = !page.contains('#') && page.parse::<Uri>().is_ok();
    assert!(
        is_one,
        "a login page is a path such as \"/login\", or a URL, without `#`: {page:?}"
    );
    page
}

fn location(target: &str) -> HeaderValue {
    match HeaderValue::from_str(target) {
        Ok(value) => value,
        Err(_) => unreachable!("a URI and a return path are visible ASCII"),
    }
}
