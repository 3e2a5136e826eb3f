//! A TCP proxy that counts round trips, and cuts connections in the middle of a command.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::server::PATIENCE;

#[derive(Clone, Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    turns: AtomicU64,
    /// How many of the next requests, and of the next answers, are thrown away.
    cut_requests: AtomicU64,
    cut_answers: AtomicU64,
    http2_requests: AtomicU64,
    is_silent: AtomicBool,
}

impl Proxy {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&accepting)));
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often a client spoke after its server had, since this was asked last.
    pub fn round_trips(&self) -> u64 {
        self.shared.turns.swap(0, SeqCst)
    }

    /// The same, once there were `expected` of them: for a client that goes on in the background after it
    /// has answered.
    pub async fn round_trips_of(&self, expected: u64) -> u64 {
        let began = Instant::now();
        while self.shared.turns.load(SeqCst) < expected && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
        // One too many is not far behind.
        sleep(Duration::from_millis(20)).await;
        self.round_trips()
    }

    /// How many round trips `operation` took, and what it came to.
    pub async fn count<T>(&self, operation: impl Future<Output = T>) -> (u64, T) {
        let before = self.shared.turns.load(SeqCst);
        let result = operation.await;
        (self.shared.turns.load(SeqCst) - before, result)
    }

    /// How many requests came over HTTP/2, since this was asked last.
    pub fn http2_requests(&self) -> u64 {
        self.shared.http2_requests.swap(0, SeqCst)
    }

    /// The next `requests` are thrown away with their connections, before the server sees them.
    pub fn cut_requests(&self, requests: u64) {
        self.shared.cut_requests.store(requests, SeqCst);
    }

    /// Carries nothing while it is silent, and closes nothing: a path that broke without a notice. What was sent
    /// meanwhile arrives late.
    pub fn be_silent(&self, is_silent: bool) {
        self.shared.is_silent.store(is_silent, SeqCst);
    }

    /// The next `answers` are thrown away with their connections, after the command reached the server.
    pub fn cut_answers(&self, answers: u64) {
        self.shared.cut_answers.store(answers, SeqCst);
    }
}

impl Shared {
    async fn until_it_carries(&self) {
        while self.is_silent.load(SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut asked, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut clients_turn = false;
    let mut frames = Frames::default();
    loop {
        shared.until_it_carries().await;
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                if !clients_turn {
                    clients_turn = true;
                    shared.turns.fetch_add(1, SeqCst);
                }
                shared.until_it_carries().await;
                let requests = frames.headers_in(&asked[..length]);
                shared.http2_requests.fetch_add(requests, SeqCst);
                if takes_one(&shared.cut_requests) {
                    return;
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                clients_turn = false;
                shared.until_it_carries().await;
                if takes_one(&shared.cut_answers) {
                    return;
                }
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn takes_one(cuts: &AtomicU64) -> bool {
    let cut = |cuts: u64| cuts.checked_sub(1);
    cuts.fetch_update(SeqCst, SeqCst, cut).is_ok()
}

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// Walks over the HTTP/2 frames that a client sends; what it says of another protocol means nothing.
#[derive(Debug, Default)]
struct Frames {
    seen: usize,
    header: Vec<u8>,
    payload_left: usize,
}

impl Frames {
    /// How many HEADERS frames begin in the next bytes: one a request.
    fn headers_in(&mut self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        for byte in bytes {
            self.seen += 1;
            if self.seen <= PREFACE {
                continue;
            }
            if self.payload_left > 0 {
                self.payload_left -= 1;
                continue;
            }
            self.header.push(*byte);
            if self.header.len() == 9 {
                let length = &self.header[..3];
                self.payload_left = length
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                count += u64::from(self.header[3] == 1);
                self.header.clear();
            }
        }
        count
    }
}
