//! [`Connection`]: one connection of a feed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};
use tower_session_guard::{
    SessionId,
    store::{StoreError, StoreErrorKind, Stored, feed::Copies},
};

use super::server::{Inner, Path, TIME_LIMIT};

/// What a server sends to a node.
#[derive(Debug)]
pub(super) enum Message {
    Forget(SessionId),
    ForgetAll,
    Answer(u64, Answer),
}

pub(super) type Answer = Result<Option<Stored>, StoreError>;

/// One connection of a feed. Whoever waits for something on it reads it, and applies what came before that.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) node: usize,
    copies: Arc<dyn Copies>,
    line: Mutex<Line>,
    came: Notify,
}

#[derive(Debug, Default)]
struct Line {
    coming: VecDeque<(Instant, Message)>,
    answers: HashMap<u64, Answer>,
    asked: u64,
    is_closed: bool,
}

impl Connection {
    pub(super) fn new(node: usize, copies: Arc<dyn Copies>) -> Self {
        Self {
            node,
            copies,
            line: Mutex::default(),
            came: Notify::new(),
        }
    }

    pub(super) fn close(&self) {
        self.line().is_closed = true;
    }

    pub(super) fn wake(&self) {
        self.came.notify_waiters();
    }

    pub(super) fn send(&self, at: Instant, message: Message) {
        self.line().coming.push_back((at, message));
        self.wake();
    }

    /// A number for a question, which its answer has too.
    pub(super) fn ask(&self) -> u64 {
        let mut line = self.line();
        line.asked += 1;
        line.asked
    }

    /// Waits for an answer, for the time limit.
    pub(super) async fn answer(&self, server: &Inner, question: u64) -> Answer {
        let late = |_| Err(StoreError::new(StoreErrorKind::Timeout));
        let answer = async {
            loop {
                let came = self.came.notified();
                let due = self.read(server)?;
                if let Some(answer) = self.line().answers.remove(&question) {
                    return answer;
                }
                wait(came, due).await;
            }
        };
        timeout(TIME_LIMIT, answer).await.unwrap_or_else(late)
    }

    /// Reads for as long as the connection lives.
    pub(super) async fn listen(&self, server: &Inner) -> StoreError {
        loop {
            let came = self.came.notified();
            match self.read(server) {
                Ok(due) => wait(came, due).await,
                Err(error) => return error,
            }
        }
    }

    /// Reads what has come by now, in order, and says when more comes.
    fn read(&self, server: &Inner) -> Result<Option<Instant>, StoreError> {
        let path = server.path(self.node);
        let mut line = self.line();
        if line.is_closed {
            return Err(StoreError::unavailable("the connection was closed"));
        }
        if path == Path::Silent {
            return Ok(None);
        }
        while let Some((at, _)) = line.coming.front() {
            if *at > Instant::now() {
                return Ok(Some(*at));
            }
            match line.coming.pop_front() {
                Some((_, Message::Forget(id))) => self.copies.forget(&id),
                Some((_, Message::ForgetAll)) => self.copies.forget_all(),
                Some((_, Message::Answer(question, answer))) => {
                    line.answers.insert(question, answer);
                    self.wake();
                }
                None => {}
            }
        }
        Ok(None)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap()
    }
}

async fn wait(came: impl Future<Output = ()>, due: Option<Instant>) {
    match due {
        Some(due) => tokio::select! {
            () = came => {}
            () = sleep_until(due) => {}
        },
        None => came.await,
    }
}
