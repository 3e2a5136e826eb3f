//! A proxy in front of a server: it counts round trips, and cuts connections when it is told to.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// When the next connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    Never,
    /// When a request came, before the server sees it.
    Before,
    /// When the server has carried it out, before its answer leaves.
    After,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    trips: Arc<AtomicUsize>,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let trips = Arc::<AtomicUsize>::default();
        let cut = Arc::new(AtomicU8::new(Cut::Never as u8));
        let (counted, cuts) = (Arc::clone(&trips), Arc::clone(&cut));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (trips, cut) = (Arc::clone(&counted), Arc::clone(&cuts));
                tokio::spawn(pass(client, to, trips, cut));
            }
        });
        Self { port, trips, cut }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// How many round trips `operation` took.
    pub(crate) async fn count<T>(&self, operation: impl Future<Output = T>) -> (usize, T) {
        let before = self.trips.load(SeqCst);
        let result = operation.await;
        (self.trips.load(SeqCst) - before, result)
    }

    /// Cuts the connection of the next request, once.
    pub(crate) fn cut_next(&self, cut: Cut) {
        self.cut.store(cut as u8, SeqCst);
    }
}

/// Hands bytes on, one request and its answer after the other.
async fn pass(mut client: TcpStream, to: u16, trips: Arc<AtomicUsize>, cut: Arc<AtomicU8>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut answered = true;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(1..) = read else { return };
                if answered {
                    trips.fetch_add(1, SeqCst);
                }
                answered = false;
                if take(&cut, Cut::Before) {
                    return;
                }
                if server.write_all(&request[..read.unwrap()]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(1..) = read else { return };
                answered = true;
                if take(&cut, Cut::After) {
                    return;
                }
                if client.write_all(&answer[..read.unwrap()]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn take(cut: &AtomicU8, wanted: Cut) -> bool {
    cut.compare_exchange(wanted as u8, Cut::Never as u8, SeqCst, SeqCst)
        .is_ok()
}
