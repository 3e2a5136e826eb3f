//! HTTPS, with a certificate that only the test trusts.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tower::ServiceExt as _;

use super::{by_flags, folder, run, run_with};
use crate::rust::{Faults, Spelling, app};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_audited_and_its_certificate_checked() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let router = app(Faults::default(), Spelling::Signed);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(socket).await else {
                    return;
                };
                let service = hyper::service::service_fn(move |request| {
                    let request: Request<hyper::body::Incoming> = request;
                    router.clone().oneshot(request.map(Body::new))
                });
                let _ = Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    let roots = folder("tls").join("roots.pem");
    std::fs::write(&roots, made.cert.pem()).unwrap();
    let trusting = [("SSL_CERT_FILE", roots.to_str().unwrap())];
    let ended = run_with(&by_flags(&["-q", &url]), &trusting).await;
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    let ended = run(&by_flags(&["-q", &url])).await;
    assert_eq!(ended.status, 2, "{}", ended.out);
    assert!(
        ended.err.to_lowercase().contains("certificate"),
        "{}",
        ended.err
    );
}
