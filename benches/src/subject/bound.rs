//! This crate with device binding: what a bound cookie costs a request, good or forged.

use std::convert::Infallible;
use std::rc::Rc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};
use tower_service::Service;
use tower_session_guard::{DeviceBinding, MemoryStore};

use super::guard::{handle, stored_layer};
use super::{Body, Keeps, Label, Stack, Subject};

/// Which bound cookies come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookies {
    /// None: the browser binds nothing.
    None,
    /// The session's.
    Own,
    /// The session's, behind one whose MAC does not hold.
    BehindForged,
}

pub(super) fn subject(runtime: &Rc<Runtime>, cookies: Cookies) -> Box<dyn Subject> {
    let layer = stored_layer(MemoryStore::new()).with_device_binding(DeviceBinding::new("/dbsc"));
    let layer = layer.expect("a path");
    let service = ServiceBuilder::new()
        .layer(layer.clone())
        .layer(layer.device_endpoints().expect("bindings"))
        .service(service_fn(handle::<Body>));
    let label = Label {
        name: match cookies {
            Cookies::None => "tower-session-guard, device binding, not bound",
            Cookies::Own => "tower-session-guard, device binding, bound",
            Cookies::BehindForged => "tower-session-guard, device binding, bound, one forged",
        },
        package: None,
        keeps: Keeps::BehindSignedCookie,
    };
    Box::new(Bound {
        stack: Stack {
            label,
            runtime: Rc::clone(runtime),
            service,
        },
        cookies,
    })
}

/// A stack whose browser registers a key after each login outside of measurements.
struct Bound<S> {
    stack: Stack<S>,
    cookies: Cookies,
}

impl<S> Subject for Bound<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    fn label(&self) -> Label {
        self.stack.label()
    }

    fn send(&mut self, request: Request<Body>) -> Response<Body> {
        let mut response = self.stack.send(request);
        let offer = response.headers().get("secure-session-registration");
        let Some(offer) = offer.filter(|_| self.cookies != Cookies::None) else {
            return response;
        };
        let offer = offer.to_str().expect("plain text");
        let (_, challenge) = offer.split_once("challenge=\"").expect("a challenge");
        let challenge = challenge.split('"').next().expect("its end");
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "/dbsc/register".parse().expect("a path");
        let proof = HeaderValue::try_from(proof(challenge)).expect("plain text");
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("app.example"));
        request
            .headers_mut()
            .insert("secure-session-response", proof);
        let token = response.headers()[SET_COOKIE].to_str().expect("plain text");
        let token = token.split(';').next().expect("a pair").to_owned();
        let token = HeaderValue::try_from(token).expect("plain text");
        request.headers_mut().insert(COOKIE, token);
        let bound = self.stack.send(request).headers()[SET_COOKIE].clone();
        if self.cookies == Cookies::BehindForged {
            // To the jar a name with a space before it is another; the layer reads both.
            let good = bound.to_str().expect("plain text");
            let (name, value) = good.split_once('=').expect("a pair");
            let other = if value.as_bytes()[40] == b'A' {
                "B"
            } else {
                "A"
            };
            let forged = format!(" {name}={}{other}{}", &value[..40], &value[41..]);
            let forged = HeaderValue::try_from(forged).expect("plain text");
            response.headers_mut().append(SET_COOKIE, forged);
        }
        response.headers_mut().append(SET_COOKIE, bound);
        response
    }

    fn rest(&mut self) {
        self.stack.rest();
    }

    fn run(&mut self, batch: &mut Vec<Request<Body>>) {
        self.stack.run(batch);
    }
}

/// The proof of a new key that a browser registers.
fn proof(challenge: &str) -> String {
    let key = SigningKey::from_slice(&[7; 32]).expect("a scalar");
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    let head = format!(
        r#"{{"alg":"ES256","typ":"dbsc+jwt","jwk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}}}"#
    );
    let payload = format!(r#"{{"jti":"{challenge}"}}"#);
    let [head, payload] = [head, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{head}.{payload}");
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}
