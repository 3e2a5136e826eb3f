//! The hosts of a test behind one certificate, and a client that is no browser.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Response, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{CertifiedKey, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    },
};
use tower::ServiceExt;

use crate::app::Lost;

/// A server that ends with the test's runtime.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    /// What Chromium knows the certificate's key by: the SHA-256 of its SPKI, in base64.
    key_hash: String,
}

impl Server {
    pub async fn start(hosts: &[&str], app: Router) -> Self {
        let names: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = cert.der().clone();
        let acceptor = acceptor(certificate.clone(), &signing_key);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, app.clone()));
            }
        });
        let spki = signing_key.subject_public_key_info();
        Self {
            address,
            certificate,
            key_hash: STANDARD.encode(Sha256::digest(spki)),
        }
    }

    /// What makes Chromium find the hosts here, trust their certificate, and bind devices with a key in software.
    ///
    /// With a flag that ignores every fault of a certificate it would bind none. Its quota of signatures is for days,
    /// not for tests.
    pub fn flags(&self) -> [String; 3] {
        [
            format!("--host-resolver-rules=MAP *.test {}", self.address),
            format!("--ignore-certificate-errors-spki-list={}", self.key_hash),
            "--enable-features=DeviceBoundSessions:RefreshQuota/false,\
             EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
                .to_owned(),
        ]
    }

    /// Sends a request as a client of the attacker's own does.
    pub async fn ask(&self, host: &str, path: &str, cookies: &str) -> Response<Body> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let trust = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let connector = TlsConnector::from(Arc::new(trust.with_no_client_auth()));
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let connection = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = connection.await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, host)
            .header(header::COOKIE, cookies)
            .body(Body::empty())
            .unwrap();
        sender.send_request(request).await.unwrap().map(Body::new)
    }
}

/// By name: with every feature of the workspace there are two.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = ["h2", "http/1.1"]
        .map(|name| name.as_bytes().to_vec())
        .to_vec();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, app: Router) {
    // A browser opens connections that it never uses.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let lost = Arc::new(Notify::new());
    let notify = Arc::clone(&lost);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (app, lost) = (app.clone(), Arc::clone(&notify));
        async move {
            let response = app.oneshot(request).await;
            if let Ok(response) = &response
                && response.extensions().get::<Lost>().is_some()
            {
                lost.notify_one();
                return std::future::pending().await;
            }
            response
        }
    });
    let serving = auto::Builder::new(TokioExecutor::new());
    let serving = serving.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::select! {
        _ = serving => {}
        // The connection breaks before the answer leaves.
        () = lost.notified() => {}
    }
}
