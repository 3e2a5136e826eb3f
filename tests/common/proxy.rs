//! A TCP proxy that counts round trips and cuts connections in the middle of a command.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

#[derive(Clone, Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    turns: AtomicU64,
    cutting: AtomicBool,
    cut: Notify,
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

    /// From now on, every command reaches the server and its answer is thrown away with the connection.
    pub fn cut_after_commands(&self, cutting: bool) {
        self.shared.cutting.store(cutting, SeqCst);
    }

    /// How many answers were thrown away is for the engine to know; this waits for the first.
    pub async fn was_cut(&self) {
        self.shared.cut.notified().await;
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut asked, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut clients_turn = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                if !clients_turn {
                    clients_turn = true;
                    shared.turns.fetch_add(1, SeqCst);
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                clients_turn = false;
                if shared.cutting.load(SeqCst) {
                    shared.cut.notify_one();
                    return;
                }
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
