//! What a URL says about servers: where they are, and how safe the way there is.

use std::{error::Error, net::IpAddr, time::Duration};

use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tower_session_guard::store::{StoreError, StoreErrorKind};

/// How long a connection may be idle before it is probed: less than a firewall forgets it after.
const PROBED_AFTER: Duration = Duration::from_secs(60);

pub(super) fn tcp() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(PROBED_AFTER))
}

/// The client for the sentinels of a URL, and where they are.
pub(super) fn sentinels(
    rest: &str,
    secure: bool,
) -> Result<(SentinelClient, Vec<ConnectionAddr>), StoreError> {
    let mut parts = rest.split('/');
    let hosts = parts.next().unwrap_or_default();
    let service = parts.next().filter(|service| !service.is_empty());
    let service =
        service.ok_or_else(|| unsupported("the service's name comes after the sentinels"))?;
    if hosts.contains('@') {
        return Err(unsupported(
            "passwords behind sentinels take RedisStore::connect_through",
        ));
    }
    let scheme = if secure { "rediss" } else { "redis" };
    let addresses = hosts.split(',').map(|host| {
        let info = format!("{scheme}://{host}").into_connection_info()?;
        Ok(info.addr().clone())
    });
    let addresses = addresses.collect::<RedisResult<Vec<ConnectionAddr>>>();
    let addresses = addresses.map_err(unsupported)?;
    let builder =
        SentinelClientBuilder::new(addresses.clone(), service, SentinelServerType::Master);
    let mut builder = builder
        .map_err(unsupported)?
        .set_client_to_redis_tcp_settings(tcp())
        .set_client_to_sentinel_tcp_settings(tcp());
    if secure {
        builder = builder
            .set_client_to_redis_tls_mode(redis::TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(redis::TlsMode::Secure);
    }
    if let Some(db) = parts.next().filter(|db| !db.is_empty()) {
        let db = db
            .parse()
            .map_err(|_| unsupported("the database is a number"))?;
        builder = builder.set_client_to_redis_db(db);
    }
    let client = builder.build().map_err(unsupported)?;
    Ok((client, addresses))
}

/// The servers that the URL of a cluster names.
pub(super) fn nodes(rest: &str, secure: bool) -> Result<Vec<ConnectionInfo>, StoreError> {
    let scheme = if secure { "rediss" } else { "redis" };
    let (credentials, hosts) = match rest.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), rest),
    };
    let hosts = hosts.trim_end_matches('/').split(',');
    let nodes = hosts.map(|host| format!("{scheme}://{credentials}{host}"));
    let nodes = nodes.map(IntoConnectionInfo::into_connection_info);
    nodes.collect::<RedisResult<_>>().map_err(unsupported)
}

/// Tells that sessions travel over a network for everybody on it to read.
pub(super) fn warn_of_clear_text<'a>(addresses: impl IntoIterator<Item = &'a ConnectionAddr>) {
    let mut exposed = addresses.into_iter().filter_map(exposed);
    if let Some(host) = exposed.next() {
        tracing::warn!(
            target: "tower_session_guard",
            host,
            "the connection to Redis is in clear text and leaves this machine: use a rediss URL"
        );
    }
}

/// The host of a connection in clear text that leaves this machine.
fn exposed(address: &ConnectionAddr) -> Option<&str> {
    let ConnectionAddr::Tcp(host, _) = address else {
        return None;
    };
    let name = host.trim_matches(['[', ']']).trim_end_matches('.');
    let is_here = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback());
    (!is_here).then_some(host)
}

/// Makes sure that rustls has a provider: the application's, or ring.
#[cfg(feature = "tls")]
pub(super) fn choose_tls() -> Result<(), StoreError> {
    // An error says that another thread was faster.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(())
}

#[cfg(not(feature = "tls"))]
pub(super) fn choose_tls() -> Result<(), StoreError> {
    Err(unsupported("Redis over TLS takes the feature `tls`"))
}

pub(super) fn unsupported(why: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unsupported, why)
}

#[cfg(test)]
mod tests {
    use redis::IntoConnectionInfo;

    use super::exposed;

    /// S29: only what leaves this machine in clear text is told.
    #[test]
    fn a_connection_in_clear_text_to_another_machine_is_exposed() {
        for (url, host) in [
            ("redis://10.0.0.7:6379/0", Some("10.0.0.7")),
            ("redis://redis/0", Some("redis")),
            ("redis://localhost.example/0", Some("localhost.example")),
            ("redis://user:secret@redis.example/0", Some("redis.example")),
            ("redis://127.0.0.1:6379/0", None),
            ("redis://127.9.9.9:6379/0", None),
            ("redis://[::1]:6379/0", None),
            ("redis://LOCALHOST:6379/0", None),
            ("unix:///run/redis.sock", None),
        ] {
            let info = url.into_connection_info().unwrap();
            assert_eq!(exposed(info.addr()), host, "{url}");
        }
    }
}
