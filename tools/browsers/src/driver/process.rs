//! Processes that end, and folders that vanish, whatever happens to the test.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::PATIENCE;

/// A browser's or a driver's process with a folder of its own.
///
/// Dropping it ends the process, and the browser that a driver started, by their ids.
#[derive(Debug)]
pub(super) struct Process {
    folder: PathBuf,
    child: Option<Child>,
    pub(super) browser: Option<u64>,
}

impl Process {
    /// Begins with an empty folder and no process yet.
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "session-guard-browser-{}-{}",
            id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self {
            folder,
            child: None,
            browser: None,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts `command`, whose output goes to `output` in the folder.
    pub(super) fn start(&mut self, command: &mut Command) {
        let output = fs::File::create(self.folder.join("output")).unwrap();
        command
            .env("HOME", &self.folder)
            .env("TMPDIR", &self.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        self.child = Some(command.spawn().unwrap());
    }

    /// Waits until `read` finds what it looks for in a file of the folder.
    pub(super) async fn find<T>(&mut self, file: &str, read: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read(self.folder.join(file)).unwrap_or_default();
            if let Some(found) = read(&String::from_utf8_lossy(&text)) {
                return found;
            }
            let ended = self.child.as_mut().and_then(|c| c.try_wait().unwrap());
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the browser did not start: {}",
                fs::read_to_string(self.folder.join("output")).unwrap_or_default()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The processes whose command line names the folder: also a browser that a driver has started and never
/// told the id of.
pub(super) fn running_in(folder: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let folder = format!("{}/", folder.display());
    let running = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let id = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&line)
            .contains(&folder)
            .then_some(id)
    });
    running.collect()
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let mut known = self.browser;
        // A dying browser may still start a process, or write into its profile, for a moment.
        for _ in 0..1500 {
            let running: Vec<_> = running_in(&self.folder)
                .into_iter()
                .chain(known.take())
                .collect();
            for id in &running {
                let _ = Command::new("kill")
                    .args(["-KILL", &id.to_string()])
                    .stderr(Stdio::null())
                    .status();
            }
            let _ = fs::remove_dir_all(&self.folder);
            if running.is_empty() && !self.folder.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The first of `names` that is an executable on the search path.
pub(super) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    let files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.into_iter().find(|file| {
        let metadata = fs::metadata(file);
        metadata.is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    })
}
