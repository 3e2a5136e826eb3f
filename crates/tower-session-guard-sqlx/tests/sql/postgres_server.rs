//! A PostgreSQL server of a test's own: started, paused, killed and started again by its pid.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sqlx::postgres::PgConnectOptions;
use test_support::{
    process,
    scratch::Scratch,
    server::{PATIENCE, StoreServer, free_port},
};

#[derive(Debug)]
pub(crate) struct Server {
    scratch: Scratch,
    programs: PathBuf,
    port: u16,
}

impl Server {
    /// A new server, or `None` and why on stdout where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("skipped: there is no initdb of PostgreSQL on the PATH");
            return None;
        };
        let scratch = Scratch::new("postgres");
        if is_root() {
            let mut chown = Command::new("chown");
            chown.arg("postgres").arg(scratch.path());
            assert!(succeeds(&mut chown), "there is no user postgres");
        }
        let port = free_port();
        let server = Self {
            scratch,
            programs,
            port,
        };
        let data = server.data();
        let initdb = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8"];
        server.run(
            "initdb",
            &[&initdb[..], &["--no-locale", "--no-sync"]].concat(),
        );
        server.start_again();
        Some(server)
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database("postgres")
    }

    /// The server's main process first, so that it starts no more of them when the others are signalled.
    fn pids(&self) -> Vec<u32> {
        let file = fs::read_to_string(self.pid_file()).unwrap_or_default();
        let Some(main) = file.lines().next().map(str::trim) else {
            return Vec::new();
        };
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children"));
        let children = children.unwrap_or_default();
        let pids = [main].into_iter().chain(children.split_whitespace());
        pids.filter_map(|pid| pid.parse().ok()).collect()
    }

    fn pid_file(&self) -> PathBuf {
        self.scratch.path().join("data/postmaster.pid")
    }

    fn data(&self) -> String {
        self.scratch.path().join("data").display().to_string()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.try_run(program, arguments), "{program} failed");
    }

    /// PostgreSQL refuses to run as root, so root runs it as its own user.
    fn try_run(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.programs.join(program);
        let mut command = Command::new(&program);
        if is_root() {
            command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            command.arg(&program);
        }
        command
            .args(arguments)
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path())
            .env("LC_ALL", "C");
        succeeds(&mut command)
    }
}

impl StoreServer for Server {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn start_again(&self) {
        let directory = self.scratch.path().display();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -p {} -k {directory} -c fsync=off",
            self.port
        );
        let (data, log) = (self.data(), format!("{directory}/log"));
        let began = Instant::now();
        // Processes of a killed server hold its memory for a moment.
        while !self.try_run(
            "pg_ctl",
            &["-D", &data, "-w", "-s", "-l", &log, "-o", &options, "start"],
        ) {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills the server and every process of its, as a machine that dies would.
    fn kill(&self) {
        process::kill(&self.pids());
        let _ = fs::remove_file(self.pid_file());
    }

    fn pause(&self) {
        process::pause(&self.pids());
    }

    fn go_on(&self) {
        process::go_on(&self.pids());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process::kill(&self.pids());
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// The folder of the server's programs, which distributions keep off the PATH but for links.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut found = env::split_paths(&path).map(|folder| folder.join("initdb"));
    let initdb = found.find(|file| file.exists())?;
    Some(fs::canonicalize(initdb).ok()?.parent()?.to_owned())
}
