//! Google's emulator: a Java archive that comes with the Google Cloud CLI.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use test_support::{
    process,
    server::{PATIENCE, StoreServer, free_port},
};

pub(crate) struct Emulator {
    jar: PathBuf,
    port: u16,
    child: Mutex<Child>,
}

impl Emulator {
    /// A new emulator, or `None` and why on stdout where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(jar) = jar() else {
            println!(
                "skipped: there is no Firestore emulator; FIRESTORE_EMULATOR_JAR may name one"
            );
            return None;
        };
        if !Command::new("java")
            .arg("-version")
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|java| java.success())
        {
            println!("skipped: there is no Java for the Firestore emulator");
            return None;
        }
        let port = free_port();
        let child = Mutex::new(spawn(&jar, port));
        Some(Self { jar, port, child })
    }

    pub(crate) fn host(&self) -> String {
        self.address().to_string()
    }
}

impl StoreServer for Emulator {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn pause(&self) {
        process::pause(&[self.child.lock().unwrap().id()]);
    }

    fn go_on(&self) {
        process::go_on(&[self.child.lock().unwrap().id()]);
    }

    fn start_again(&self) {
        *self.child.lock().unwrap() = spawn(&self.jar, self.port);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = (child.kill(), child.wait());
    }
}

fn spawn(jar: &PathBuf, port: u16) -> Child {
    let mut child = Command::new("java")
        .args([
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Duser.language=en",
        ])
        .arg("-cp")
        .arg(jar)
        .args([
            "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
            "start",
        ])
        .args(["--host=127.0.0.1", &format!("--port={port}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !is_ready(port) {
        assert!(child.try_wait().unwrap().is_none(), "the emulator ended");
        assert!(began.elapsed() < PATIENCE, "no emulator");
        thread::sleep(Duration::from_millis(100));
    }
    child
}

fn is_ready(port: u16) -> bool {
    let mut answer = [0; 1024];
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
        stream.read(&mut answer)
    });
    asked.is_ok_and(|length| answer[..length].starts_with(b"HTTP/1.1 200"))
}

/// The archive that `FIRESTORE_EMULATOR_JAR` names, or that of the Debian package.
fn jar() -> Option<PathBuf> {
    if let Some(jar) = env::var_os("FIRESTORE_EMULATOR_JAR") {
        return Some(jar.into());
    }
    let package = ["-L", "google-cloud-cli-firestore-emulator"];
    let files = Command::new("dpkg")
        .args(package)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let files = String::from_utf8(files.stdout).ok()?;
    let jar = files.lines().find(|file| file.ends_with(".jar"))?;
    fs::canonicalize(jar).ok()
}
