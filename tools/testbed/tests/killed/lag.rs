//! A proxy in front of Redis that hands requests on at once and holds every answer back for a while: so a
//! killed server dies between a write and its answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::sleep,
};

pub(super) struct Lag {
    port: u16,
    /// Connections whose requests may not all have reached Redis.
    asking: Arc<AtomicUsize>,
}

impl Lag {
    pub(super) async fn start(to: u16, lag: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asking = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asking);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let redis = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = (client.set_nodelay(true), redis.set_nodelay(true));
                let (asked, answered) = client.into_split();
                let (answer, ask) = redis.into_split();
                count.fetch_add(1, SeqCst);
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    hand_on(asked, ask, Duration::ZERO).await;
                    count.fetch_sub(1, SeqCst);
                });
                tokio::spawn(hand_on(answer, answered, lag));
            }
        });
        Self { port, asking }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Waits until Redis has what a killed server sent.
    pub(super) async fn drained(&self) {
        while self.asking.load(SeqCst) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Until one side closes; then the other end is closed too.
async fn hand_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lag: Duration) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if !lag.is_zero() {
            sleep(lag).await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
