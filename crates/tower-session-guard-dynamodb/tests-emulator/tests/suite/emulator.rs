//! The emulator: in this process, or in one of its own that can be paused and killed.

use std::{
    env,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio, id},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Builder, Credentials, Region, retry::RetryConfig},
};
use test_support::{
    process,
    server::{PATIENCE, StoreServer, free_port},
};

const PORT: &str = "SESSION_GUARD_TEST_PORT";
const FILE: &str = "SESSION_GUARD_TEST_FILE";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A table name that no other test has.
pub(crate) fn fresh_table() -> String {
    let number = NUMBER.fetch_add(1, Relaxed);
    format!("session-guard-{}-{number}", id())
}

/// A client with plain HTTP and credentials that only an emulator takes. Against a server of your own,
/// credentials and region come from the usual variables.
pub(crate) fn client(endpoint: &str) -> Client {
    Client::from_conf(config(endpoint).build())
}

pub(crate) fn config(endpoint: &str) -> Builder {
    let variable = |name, otherwise: &str| env::var(name).unwrap_or(otherwise.to_owned());
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID", "test"),
        variable("AWS_SECRET_ACCESS_KEY", "test"),
        None,
        None,
        "test",
    );
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION", "eu-central-1")))
        .credentials_provider(credentials)
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::standard())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

/// The server of `DYNAMODB_ENDPOINT`, or an emulator in this process.
pub(crate) async fn endpoint() -> String {
    if let Ok(endpoint) = env::var("DYNAMODB_ENDPOINT") {
        return endpoint;
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    format!("http://{address}")
}

/// The emulator in a process of its own, with its data in a file.
pub(crate) struct ChildProcess {
    port: u16,
    file: PathBuf,
    child: Mutex<Child>,
}

impl ChildProcess {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("session-guard-dynamodb-{}-{number}.db", id());
        let file = env::temp_dir().join(name);
        let child = Mutex::new(spawn(port, &file));
        Self { port, file, child }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }
}

impl StoreServer for ChildProcess {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn pause(&self) {
        process::pause(&[self.pid()]);
    }

    fn go_on(&self) {
        process::go_on(&[self.pid()]);
    }

    fn start_again(&self) {
        *self.child.lock().unwrap() = spawn(self.port, &self.file);
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = (child.kill(), child.wait());
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.file.display()));
        }
    }
}

/// Starts this test binary again, to run nothing but [`serve`].
fn spawn(port: u16, file: &PathBuf) -> Child {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "emulator::serve", "--test-threads=1"])
        .env(PORT, port.to_string())
        .env(FILE, file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < PATIENCE, "no emulator");
        thread::sleep(Duration::from_millis(20));
    }
    child
}

/// What the other process does; an ordinary run of the tests passes over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve() {
    let (Ok(port), Ok(file)) = (env::var(PORT), env::var(FILE)) else {
        return;
    };
    let address = format!("127.0.0.1:{port}");
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let database = dynoxide::Database::new(&file).unwrap();
    dynoxide::server::serve_on(listener, database).await;
}
