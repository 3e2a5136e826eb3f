//! Signals to servers of the test's own, by their pids.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::server::PATIENCE;

/// Stops these processes, and returns once every thread of them stands still.
pub fn pause(pids: &[u32]) {
    signal("-STOP", pids);
    let began = Instant::now();
    while pids.iter().any(|pid| still_runs(*pid)) {
        assert!(began.elapsed() < PATIENCE, "{pids:?} go on");
        thread::sleep(Duration::from_millis(5));
    }
}

pub fn go_on(pids: &[u32]) {
    signal("-CONT", pids);
}

pub fn kill(pids: &[u32]) {
    signal("-KILL", pids);
}

fn signal(signal: &str, pids: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(signal).args(pids.iter().map(u32::to_string));
    let _ = kill.stderr(Stdio::null()).status();
}

fn still_runs(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state follows the name, which stands in parentheses and may hold any character.
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        !state.is_empty() && !state.starts_with('T')
    })
}
