//! HTTPS, with a certificate that only the test trusts.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tower::ServiceExt as _;

use super::{by_flags, folder, run, run_with};
use crate::rust::{Faults, Spelling, app};

async fn serve_with(made: &CertifiedKey<KeyPair>) -> String {
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
    url
}

fn self_signed(name: &str, is_authority: bool) -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_audited_and_its_certificate_checked() {
    let made = self_signed("localhost", false);
    let url = serve_with(&made).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_named_itself_is_believed_for_its_name() {
    let (own, other) = (
        self_signed("localhost", true),
        self_signed("localhost", true),
    );
    let misnamed = self_signed("elsewhere.test", true);
    let folder = folder("tls-named");
    let write = |name: &str, made: &CertifiedKey<KeyPair>| {
        let file = folder.join(name);
        std::fs::write(&file, made.cert.pem()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (own_file, other_file) = (write("own.pem", &own), write("other.pem", &other));
    let misnamed_file = write("misnamed.pem", &misnamed);
    let (url, misnamed) = (serve_with(&own).await, serve_with(&misnamed).await);
    // Marked as an authority it is no server's certificate to the usual rules, even where it is trusted.
    let ended = run_with(&by_flags(&["-q", &url]), &[("SSL_CERT_FILE", &own_file)]).await;
    assert_eq!(ended.status, 2, "{}", ended.out);
    assert!(ended.err.contains("--ca-file"), "{}", ended.err);
    let named = ["-q", "--ca-file", &own_file, "--dry-run"];
    let ended = run(&by_flags(&[&named[..], &[&*url]].concat())).await;
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    for (url, file) in [(&url, &other_file), (&misnamed, &misnamed_file)] {
        let ended = run(&by_flags(&["-q", "-n", "--ca-file", file, url])).await;
        assert_eq!(ended.status, 2, "{file}: {}", ended.out);
    }
    for file in [
        "/nowhere.pem",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ] {
        let ended = run(&by_flags(&["-q", "--ca-file", file, &url])).await;
        assert_eq!(ended.status, 2);
        assert!(ended.err.contains(file), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_go_unchecked_on_this_machine_only() {
    let url = serve_with(&self_signed("elsewhere.test", false)).await;
    let ended = run(&by_flags(&["-q", "--insecure", "-n", &url])).await;
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    let far = ["-q", "--insecure", "https://app.example"];
    let ended = run(&by_flags(&far)).await;
    assert_eq!(ended.status, 2);
    assert!(
        ended.err.contains("is not on this machine"),
        "{}",
        ended.err
    );
    let both = ["--insecure", "--ca-file", "x.pem", &*url];
    let ended = run(&by_flags(&both)).await;
    assert!(ended.err.contains("contradict"), "{}", ended.err);
}
