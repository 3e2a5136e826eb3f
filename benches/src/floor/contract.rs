//! The floor with what a session layer owes beside its work, one thing after the other.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll, ready};

use arc_swap::ArcSwap;
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_layer::Layer;
use tower_service::Service;

use super::full::Full;
use super::layer::{Mark, after, now, set_cookie};
use super::token::KEY_ID;
use super::{Known, NAME, Scan, Sealer};

/// What is done beyond the floor with `Vary` and `no-store`; each step does those before it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A handle that a handler marks, behind one `Arc` and a lock, in place of a plain struct.
    Handle,
    /// A second extension, there only when somebody is logged in.
    Two,
    /// Keys that may be replaced while the server runs, each found by the id that a token names; random bytes from
    /// the operating system; and no cookie of that name from the handler.
    Ring,
    /// A look at which tokens ended before their time, in one table behind one lock.
    Ended,
    /// A whole session in the token: as many bytes as it needs, its subject as text, its times, its data.
    Full,
    /// In place of the last two a look at a record, and the SHA-256 of the token's secret held against it.
    Record,
}

/// What a handler marks.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    known: Option<Known>,
    full: Option<Full>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    marks: Vec<Mark>,
    closed: bool,
}

impl Handle {
    /// Says what happened, unless the response has left.
    pub fn mark(&self, mark: Mark) {
        let mut pending = self.0.pending();
        if !pending.closed {
            pending.marks.push(mark);
        }
    }

    /// Whether somebody is logged in.
    #[must_use]
    pub fn is_member(&self) -> bool {
        match &self.0.full {
            Some(full) => full.subject.is_some(),
            None => self.0.known.is_some_and(|known| known.user != 0),
        }
    }
}

impl Inner {
    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A logged-in handle.
#[derive(Clone)]
pub struct Member(pub Handle);

struct Shared {
    scan: Scan,
    sealer: Sealer,
    ring: ArcSwap<Vec<([u8; 3], Sealer)>>,
    step: Step,
    ended: RwLock<HashMap<[u8; 16], u32>>,
    records: RwLock<HashMap<[u8; 16], Kept>>,
}

/// What is kept of a session: the digest of what proves it, and what a token says otherwise.
#[derive(Clone)]
struct Kept {
    digest: [u8; 32],
    known: Known,
}

/// Puts a [`Handle`] into every request.
#[derive(Clone)]
pub struct ContractLayer(Arc<Shared>);

impl ContractLayer {
    /// With this key, up to this step.
    #[must_use]
    pub fn new(key: [u8; 32], step: Step) -> Self {
        let sealer = Sealer::new(key);
        Self(Arc::new(Shared {
            scan: Scan::new(NAME),
            ring: ArcSwap::from_pointee(vec![(KEY_ID, sealer.clone())]),
            sealer,
            step,
            ended: RwLock::default(),
            records: RwLock::default(),
        }))
    }
}

impl<S> Layer<S> for ContractLayer {
    type Service = ContractService<S>;

    fn layer(&self, inner: S) -> ContractService<S> {
        let shared = Arc::clone(&self.0);
        ContractService { inner, shared }
    }
}

/// The service that [`ContractLayer`] makes.
#[derive(Clone)]
pub struct ContractService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for ContractService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ContractFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let now = now();
        let (known, full) = match self.shared.step {
            Step::Full => {
                let full = self.shared.full(request.headers(), now);
                (full.as_ref().map(Full::known), full)
            }
            _ => (self.shared.known(request.headers(), now), None),
        };
        let handle = Handle(Arc::new(Inner {
            shared: Arc::clone(&self.shared),
            known,
            full,
            pending: Mutex::default(),
        }));
        if self.shared.step >= Step::Two && handle.is_member() {
            request.extensions_mut().insert(Member(handle.clone()));
        }
        request.extensions_mut().insert(handle.clone());
        ContractFuture {
            inner: self.inner.call(request),
            handle,
            now,
        }
    }
}

pin_project! {
    /// Waits for the handler, then writes the cookie it asked for.
    pub struct ContractFuture<F> {
        #[pin]
        inner: F,
        handle: Handle,
        now: u32,
    }
}

impl<F, R, E> Future for ContractFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let inner = &this.handle.0;
        let marks = {
            let mut pending = inner.pending();
            pending.closed = true;
            std::mem::take(&mut pending.marks)
        };
        let headers = response.headers_mut();
        if inner.shared.step >= Step::Ring {
            strip(headers);
        }
        if let Some(mark) = marks.last() {
            let known = inner.shared.after(*mark, inner.known, *this.now);
            inner.shared.replace(inner.known, known);
            headers.append(SET_COOKIE, inner.shared.set_cookie(&known));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        headers.append(VARY, HeaderValue::from_static("cookie"));
        Poll::Ready(Ok(response))
    }
}

impl Shared {
    fn known(&self, headers: &HeaderMap, now: u32) -> Option<Known> {
        let mut fields = headers.get_all(COOKIE).iter();
        let known = fields.find_map(|field| {
            let mut values = self.scan.values(field.as_bytes());
            values.find_map(|value| self.open(value))
        });
        let known = known.filter(|known| known.expires > now)?;
        match self.step {
            Step::Handle | Step::Two | Step::Ring => Some(known),
            Step::Ended | Step::Full => (!self.has_ended(&known.session)).then_some(known),
            Step::Record => {
                let kept = read(&self.records).get(&known.session)?.clone();
                let same = kept.digest.ct_eq(&digest(&known));
                bool::from(same).then_some(kept.known)
            }
        }
    }

    fn full(&self, headers: &HeaderMap, now: u32) -> Option<Full> {
        let mut fields = headers.get_all(COOKIE).iter();
        let full = fields.find_map(|field| {
            let mut values = self.scan.values(field.as_bytes());
            values.find_map(|value| {
                let ring = self.ring.load();
                let named = |id| ring.iter().find(|(own, _)| *own == id);
                Sealer::open_full(value, |id| named(id).map(|(_, sealer)| sealer))
            })
        });
        let full = full.filter(|full| full.times[1] > u64::from(now) * 1000)?;
        (!self.has_ended(&full.session)).then_some(full)
    }

    fn has_ended(&self, session: &[u8; 16]) -> bool {
        read(&self.ended).contains_key(session)
    }

    fn set_cookie(&self, known: &Known) -> HeaderValue {
        set_cookie(|text| match self.step {
            Step::Full => self.sealer.seal_full(&Full::of(known), text),
            _ => self.sealer.seal(known, text),
        })
    }

    fn open(&self, value: &[u8]) -> Option<Known> {
        if self.step < Step::Ring {
            return self.sealer.open(value);
        }
        let ring = self.ring.load();
        let named = |id| ring.iter().find(|(own, _)| *own == id);
        Sealer::open_with(value, |id| named(id).map(|(_, sealer)| sealer))
    }

    fn after(&self, mark: Mark, known: Option<Known>, now: u32) -> Known {
        if self.step < Step::Ring {
            return after(mark, known, now, rand::random);
        }
        after(mark, known, now, || {
            let mut bytes = [0; 16];
            SysRng.try_fill_bytes(&mut bytes).expect("random bytes");
            bytes
        })
    }

    /// Takes note that one session ended and another began.
    fn replace(&self, old: Option<Known>, new: Known) {
        let old = old.filter(|old| old.session != new.session);
        match self.step {
            Step::Handle | Step::Two | Step::Ring => {}
            Step::Ended | Step::Full => {
                if let Some(old) = old {
                    write(&self.ended).insert(old.session, old.expires);
                }
            }
            Step::Record => {
                let digest = digest(&new);
                let mut records = write(&self.records);
                if let Some(old) = old {
                    records.remove(&old.session);
                }
                records.insert(new.session, Kept { digest, known: new });
            }
        }
    }
}

/// Takes out what the handler set under our name.
fn strip(headers: &mut HeaderMap) {
    let ours = |value: &HeaderValue| {
        let name = value.as_bytes().strip_prefix(NAME.as_bytes());
        name.is_some_and(|rest| rest.starts_with(b"="))
    };
    if headers.keys().all(|name| name != SET_COOKIE) {
        return;
    }
    let all = headers.get_all(SET_COOKIE).iter();
    let others: Vec<_> = all.filter(|value| !ours(value)).cloned().collect();
    headers.remove(SET_COOKIE);
    for other in others {
        headers.append(SET_COOKIE, other);
    }
}

/// Of what would be a secret of its own in a token of this length.
fn digest(known: &Known) -> [u8; 32] {
    Sha256::digest(known.session).into()
}

fn read<T>(table: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(table: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    table.write().unwrap_or_else(PoisonError::into_inner)
}
