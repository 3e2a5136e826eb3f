use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;

use super::super::{BoxFuture, Place};
use super::{RequestBody, Transport, TransportError, Trust, collect, trust};

/// Sends requests over HTTP or HTTPS, to hosts that were named and to no other.
///
/// Certificates are checked against the system's roots, or as a [`Trust`] says.
#[derive(Clone)]
pub struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector>, RequestBody>,
    authorities: BTreeSet<(String, String)>,
    patience: Duration,
}

impl HttpTransport {
    /// A transport that waits `patience` for each answer and talks only to the given places' hosts and ports.
    ///
    /// # Errors
    ///
    /// The system has no usable root certificates.
    pub fn new<'a>(
        places: impl IntoIterator<Item = &'a Place>,
        patience: Duration,
    ) -> Result<Self, TransportError> {
        Self::trusting(places, patience, &Trust::System)
    }

    /// As [`new`](Self::new), with other certificates than the system's.
    ///
    /// # Errors
    ///
    /// The system has no usable root certificates, the file holds none, or any certificate was to be believed of a
    /// place that is not on this machine.
    pub fn trusting<'a>(
        places: impl IntoIterator<Item = &'a Place>,
        patience: Duration,
        trust: &Trust,
    ) -> Result<Self, TransportError> {
        let places: Vec<_> = places.into_iter().collect();
        let far = places.iter().find(|place| !place.is_loopback());
        if let (Trust::Anything, Some(far)) = (trust, far) {
            return Err(TransportError::new(format_args!(
                "{} is not on this machine, so its certificate has to be checked: name it",
                far.origin()
            )));
        }
        let builder = HttpsConnectorBuilder::new();
        let builder = match trust::config(trust)? {
            Some(config) => builder.with_tls_config(config),
            None => builder
                // Named, since an application's other crates may bring a second provider.
                .with_provider_and_native_roots(ring::default_provider())
                .map_err(|error| {
                    TransportError::new(format_args!("no root certificates: {error}"))
                })?,
        };
        let connector = builder
            .https_or_http()
            .enable_http1()
            .wrap_connector(at_once());
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let authorities = places.into_iter().map(key).collect();
        Ok(Self {
            client,
            authorities,
            patience,
        })
    }
}

/// Small requests that wait for each other's acknowledgement would cost 40 ms each.
fn at_once() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

fn key(place: &Place) -> (String, String) {
    (place.scheme().to_owned(), place.authority())
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<Result<Response<Bytes>, TransportError>> {
        // The last gate before the network: whatever led here, a host that nobody named gets no request.
        let named = Place::parse(&request.uri().to_string())
            .is_some_and(|place| self.authorities.contains(&key(&place)));
        if !named {
            let refusal = TransportError::new("the host is not among those that were named");
            return Box::pin(async { Err(refusal) });
        }
        let answer = self.client.request(request.map(RequestBody::from));
        let patience = self.patience;
        Box::pin(async move {
            let whole = async {
                let (head, body) = answer.await.map_err(|error| causes(&error))?.into_parts();
                Ok(Response::from_parts(head, collect(body).await?))
            };
            let late = format!("no answer within {} s", patience.as_secs_f32());
            tokio::time::timeout(patience, whole)
                .await
                .unwrap_or_else(|_| Err(TransportError::new(late)))
        })
    }

    fn wait(&self, time: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn settle(&self) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(100)))
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("authorities", &self.authorities)
            .finish_non_exhaustive()
    }
}

/// The whole chain: hyper's own text says only that something failed.
fn causes(error: &(dyn Error + 'static)) -> TransportError {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    if text.contains("invalid peer certificate") {
        text.push_str("; a certificate of your own can be named (--ca-file)");
    }
    TransportError::new(text)
}
