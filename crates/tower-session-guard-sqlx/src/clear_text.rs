//! Whether a connection may be read on its way (S29).

use std::net::IpAddr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Tells an operator whose connections may leave the machine in clear text.
pub(super) fn warn_of(options: &PgConnectOptions) {
    if may_be_read(options) {
        tracing::warn!(
            target: "tower_session_guard",
            host = options.get_host(),
            "sessions may travel to PostgreSQL in clear text: \
             set `sslmode=verify-full` and enable a TLS feature of `sqlx`"
        );
    }
}

fn may_be_read(options: &PgConnectOptions) -> bool {
    let may_be_clear = matches!(
        options.get_ssl_mode(),
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer
    );
    may_be_clear && options.get_socket().is_none() && !stays_here(options.get_host())
}

/// Whether the host is this machine: a folder with a socket, or loopback.
fn stays_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || bare
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::{PgConnectOptions, PgPool, PgSslMode};

    use super::{may_be_read, stays_here};
    use crate::{PostgresStore, told::Told};

    /// S29.
    #[tokio::test]
    async fn a_store_whose_sessions_may_be_read_on_their_way_is_told_of() {
        let (told, _guard) = Told::listen();
        let options = PgConnectOptions::new_without_pgpass();
        let here = options.clone().host("127.0.0.1");
        let _store = PostgresStore::new(PgPool::connect_lazy_with(here));
        assert_eq!(told.text(), "");
        let there = options.host("db.example").password("hunter2");
        let _store = PostgresStore::new(PgPool::connect_lazy_with(there));
        let told = told.text();
        assert!(
            told.contains("clear text") && told.contains("db.example"),
            "{told}"
        );
        assert!(!told.contains("hunter2"), "{told}");
    }

    /// S29: a connection to another machine that may be in clear text is told.
    #[test]
    fn only_a_connection_to_another_machine_needs_tls() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "localhost",
            "LocalHost",
            "/run/pg",
        ] {
            assert!(stays_here(host), "{host}");
        }
        for host in [
            "db.example",
            "10.0.0.1",
            "128.0.0.1",
            "::2",
            "localhost.example",
            "",
        ] {
            assert!(!stays_here(host), "{host}");
        }
        for (mode, clear) in [
            (PgSslMode::Disable, true),
            (PgSslMode::Allow, true),
            (PgSslMode::Prefer, true),
            (PgSslMode::Require, false),
            (PgSslMode::VerifyCa, false),
            (PgSslMode::VerifyFull, false),
        ] {
            let options = PgConnectOptions::new_without_pgpass().ssl_mode(mode);
            assert_eq!(may_be_read(&options.clone().host("db.example")), clear);
            assert!(!may_be_read(&options.clone().host("127.0.0.1")));
            let socket = options.host("db.example").socket("/run/pg");
            assert!(!may_be_read(&socket));
        }
    }
}
