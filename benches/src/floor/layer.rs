//! The floor as a tower layer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Known, NAME, Scan, Sealer, TEXT};

const ATTRIBUTES: &[u8] = b"; Path=/; Secure; HttpOnly; SameSite=Lax";
const HOURS_12: u32 = 12 * 60 * 60;

/// Who sent a request, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub Option<Known>);

/// What a handler says happened, in the response's extensions.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// This user logged in.
    Login(u64),
    /// This was written.
    Write(u32),
}

struct Shared {
    scan: Scan,
    sealer: Sealer,
    polite: bool,
}

/// Puts a [`Caller`] into every request.
#[derive(Clone)]
pub struct FloorLayer(Arc<Shared>);

impl FloorLayer {
    /// With this key; a `polite` one also writes `Vary: Cookie` and `Cache-Control: no-store`.
    #[must_use]
    pub fn new(key: [u8; 32], polite: bool) -> Self {
        let scan = Scan::new(NAME);
        Self(Arc::new(Shared {
            scan,
            sealer: Sealer::new(key),
            polite,
        }))
    }
}

impl<S> Layer<S> for FloorLayer {
    type Service = FloorService<S>;

    fn layer(&self, inner: S) -> FloorService<S> {
        FloorService {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

/// The service that [`FloorLayer`] makes.
#[derive(Clone)]
pub struct FloorService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for FloorService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = FloorFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let now = now();
        let known = self
            .shared
            .known(request.headers())
            .filter(|known| known.expires > now);
        request.extensions_mut().insert(Caller(known));
        FloorFuture {
            inner: self.inner.call(request),
            shared: Arc::clone(&self.shared),
            known,
            now,
        }
    }
}

pin_project! {
    /// Waits for the handler, then writes the cookie it asked for.
    pub struct FloorFuture<F> {
        #[pin]
        inner: F,
        shared: Arc<Shared>,
        known: Option<Known>,
        now: u32,
    }
}

impl<F, R, E> Future for FloorFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let mark = response.extensions().get::<Mark>().copied();
        if let Some(mark) = mark {
            let known = after(mark, *this.known, *this.now, rand::random);
            response.headers_mut().append(
                SET_COOKIE,
                set_cookie(|text| this.shared.sealer.seal(&known, text)),
            );
        }
        if this.shared.polite {
            let headers = response.headers_mut();
            headers.append(VARY, HeaderValue::from_static("cookie"));
            if mark.is_some() {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
        Poll::Ready(Ok(response))
    }
}

impl Shared {
    fn known(&self, headers: &HeaderMap) -> Option<Known> {
        let mut values = headers.get_all(COOKIE).iter();
        values.find_map(|header| {
            self.scan
                .values(header.as_bytes())
                .find_map(|value| self.sealer.open(value))
        })
    }
}

/// The field that hands out a token, in one buffer.
pub(super) fn set_cookie(seal: impl FnOnce(&mut Vec<u8>)) -> HeaderValue {
    let mut text = Vec::with_capacity(NAME.len() + 1 + TEXT + ATTRIBUTES.len());
    text.extend_from_slice(NAME.as_bytes());
    text.push(b'=');
    seal(&mut text);
    text.extend_from_slice(ATTRIBUTES);
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("plain text")
}

/// What the next token says.
pub(super) fn after(
    mark: Mark,
    known: Option<Known>,
    now: u32,
    random: impl FnOnce() -> [u8; 16],
) -> Known {
    let fresh = |user, note| Known {
        session: random(),
        issued: now,
        expires: now.saturating_add(HOURS_12),
        user,
        note,
    };
    match (mark, known) {
        (Mark::Login(user), _) => fresh(user, 0),
        (Mark::Write(note), Some(known)) => Known { note, ..known },
        (Mark::Write(note), None) => fresh(0, note),
    }
}

pub(super) fn now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |d| u32::try_from(d.as_secs()).unwrap_or(u32::MAX))
}
