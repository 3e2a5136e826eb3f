//! The testbed as a separate process.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

/// The testbed, without the settings of the machine that the tests run on.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TESTBED_") || name == "SESSION_KEYS" {
            command.env_remove(name);
        }
    }
    command
}

/// A running testbed, ended by its pid when the test is over.
pub struct Testbed {
    pub process: Child,
    pub address: SocketAddr,
}

impl Testbed {
    #[track_caller]
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.envs(settings.iter().copied());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("no start with {settings:?}: {line}"));
        Self {
            address: address.parse().unwrap(),
            process,
        }
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
