//! Servers on free ports of this machine, which end with the test.

use std::{
    env, fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    process,
    scratch::Scratch,
    server::{PATIENCE, StoreServer},
};

/// The program that a variable names, or one in `PATH`; says that the test is skipped if there is none.
pub fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        let places = env::split_paths(&path).map(|place| place.join(name));
        places.into_iter().find(|place| place.is_file())
    });
    if found.is_none() {
        println!("skipped: there is no {name} here ({variable} names one)");
    }
    found
}

pub fn redis() -> Option<PathBuf> {
    program("REDIS_SERVER", "redis-server")
}

/// A server process; it is killed when this is dropped.
pub struct Server {
    pub port: u16,
    pub directory: Scratch,
    program: PathBuf,
    arguments: Vec<String>,
    child: Mutex<Child>,
}

impl Server {
    /// A server that keeps what it acknowledged.
    pub fn start(program: &PathBuf, more: &[&str]) -> Self {
        let port = free_port();
        let directory = Scratch::new("redis");
        let port_text = port.to_string();
        let place = directory.path().display().to_string();
        let mut arguments = vec!["--bind", "127.0.0.1", "--protected-mode", "yes"];
        arguments.extend(["--port", &port_text, "--dir", &place, "--save", ""]);
        arguments.extend(["--appendonly", "yes", "--appendfsync", "always"]);
        arguments.extend(["--repl-diskless-sync-delay", "0"]);
        arguments.extend(more);
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Self::run(program, arguments, port, directory)
    }

    pub fn run(program: &PathBuf, arguments: Vec<String>, port: u16, directory: Scratch) -> Self {
        let child = spawn(program, &arguments, &directory);
        let server = Self {
            port,
            directory,
            program: program.clone(),
            arguments,
            child: Mutex::new(child),
        };
        server.wait_until_ready();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What the server says to a command in its inline form.
    pub fn ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    pub fn wait_for(&self, command: &str, wanted: &str) {
        let begin = Instant::now();
        loop {
            let answer = self.ask(command);
            if answer.as_ref().is_ok_and(|answer| answer.contains(wanted)) {
                return;
            }
            let log = fs::read_to_string(self.directory.path().join("log"));
            assert!(begin.elapsed() < PATIENCE, "{answer:?}\n{log:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How far a server's writes go.
    fn offset(&self, field: &str) -> u64 {
        let facts = self.ask("INFO replication").unwrap();
        let offset = facts.lines().find_map(|line| line.strip_prefix(field));
        offset.unwrap().trim().parse().unwrap()
    }

    /// It listens on a plain port beside one for TLS, and opens both before it answers.
    fn wait_until_ready(&self) {
        self.wait_for("PING", "PONG");
    }
}

impl StoreServer for Server {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn pause(&self) {
        process::pause(&[self.child.lock().unwrap().id()]);
    }

    fn go_on(&self) {
        process::go_on(&[self.child.lock().unwrap().id()]);
    }

    fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// On the same data.
    fn start_again(&self) {
        *self.child.lock().unwrap() = spawn(&self.program, &self.arguments, &self.directory);
        self.wait_until_ready();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn spawn(program: &PathBuf, arguments: &[String], directory: &Scratch) -> Child {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(directory.path().join("log"));
    let log = log.unwrap();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null());
    command
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A port that is free, and whose neighbour 10,000 further, a cluster's bus, is free too.
pub fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

/// Three servers that share the slots.
pub struct Cluster(pub [Server; 3]);

impl Cluster {
    pub fn start(program: &PathBuf) -> Self {
        let mode = [
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
        ];
        let mode = [&mode[..], &["--cluster-node-timeout", "2000"]].concat();
        let mode = [&mode[..], &["--cluster-announce-ip", "127.0.0.1"]].concat();
        let servers = [(); 3].map(|()| Server::start(program, &mode));
        let slots = ["0 5461", "5462 10922", "10923 16383"];
        for (server, slots) in servers.iter().zip(slots) {
            server.wait_for(&format!("CLUSTER ADDSLOTSRANGE {slots}"), "OK");
        }
        for (number, server) in servers.iter().enumerate() {
            server.wait_for(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1), "OK");
        }
        for server in &servers[1..] {
            server.wait_for(&format!("CLUSTER MEET 127.0.0.1 {}", servers[0].port), "OK");
        }
        for server in &servers {
            server.wait_for("CLUSTER INFO", "cluster_state:ok");
            server.wait_for("CLUSTER INFO", "cluster_known_nodes:3");
        }
        Self(servers)
    }

    pub fn url(&self) -> String {
        let [a, b, c] = &self.0;
        let (a, b, c) = (a.port, b.port, c.port);
        format!("redis-cluster://127.0.0.1:{a},127.0.0.1:{b},127.0.0.1:{c}")
    }
}

/// A primary, its replica, and a sentinel that watches them.
pub struct Watched {
    pub primary: Server,
    pub replica: Server,
    pub sentinel: Server,
}

impl Watched {
    pub fn start(program: &PathBuf) -> Self {
        let primary = Server::start(program, &[]);
        let of = format!("127.0.0.1 {}", primary.port);
        let replica = Server::start(program, &["--replicaof", &of]);
        replica.wait_for("INFO replication", "master_link_status:up");
        let directory = Scratch::new("redis");
        let port = free_port();
        let file = directory.path().join("sentinel.conf");
        let settings = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nsentinel monitor sessions {of} 1\n\
             sentinel down-after-milliseconds sessions 1000\nsentinel failover-timeout sessions 3000\n",
            directory.path().display()
        );
        fs::write(&file, settings).unwrap();
        let arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        let sentinel = Server::run(program, arguments, port, directory);
        sentinel.wait_for("SENTINEL MASTER sessions", "num-slaves\r\n$1\r\n1");
        let watched = Self {
            primary,
            replica,
            sentinel,
        };
        // A primary sends a replica no writes before that replica's first word after the copy, which may take a second.
        watched.primary.wait_for("PUBLISH first write", ":");
        watched.wait_until_replicated();
        watched
    }

    /// Until the replica has what the primary has now: a failover loses everything else.
    pub fn wait_until_replicated(&self) {
        let written = self.primary.offset("master_repl_offset:");
        let begin = Instant::now();
        while self.replica.offset("slave_repl_offset:") < written {
            assert!(begin.elapsed() < PATIENCE, "nothing is replicated");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/sessions", self.sentinel.port)
    }
}
