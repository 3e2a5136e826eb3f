//! Copies of a list on two nodes, in Tokio's own time.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tower_session_guard::{
    SessionId, Subject, Timestamp,
    store::{
        Admitted, Cutoff, IndexKey, Lease, StoreError, StoreErrorKind, StoreFuture,
        feed::{Feed, FeedList, ListCopy},
        revocation::{
            Ending, IssuedToken, MemoryRevocations, Replacement, RevocationList, Standing,
        },
    },
};

use super::{CachedRevocations, EndedTokens, ListOptions, Silence};
use crate::{
    clock::SteadyClock,
    epoch::Held,
    tests::{LEASE, MILLISECOND, NOW, bounded, id},
};

/// What is told.
#[derive(Clone, Debug)]
enum Told {
    Family(SessionId, Option<SessionId>, Timestamp),
    Cutoff([u8; 16], Timestamp, Option<SessionId>, Timestamp),
}

/// A list in memory that tells of itself.
#[derive(Clone, Debug)]
struct Server {
    list: MemoryRevocations,
    told: Arc<Mutex<Vec<Told>>>,
}

/// A node's way to it. A clone is the same one.
#[derive(Clone, Debug)]
struct Node {
    server: Server,
    is_silent: Arc<AtomicBool>,
    is_cut: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Line {
    node: Node,
    copy: Arc<dyn ListCopy>,
    next: usize,
}

impl Server {
    fn new() -> Self {
        Self {
            list: MemoryRevocations::new(),
            told: Arc::default(),
        }
    }

    fn node(&self) -> Node {
        Node {
            server: self.clone(),
            is_silent: Arc::default(),
            is_cut: Arc::default(),
        }
    }
}

impl Node {
    fn tell(&self, told: Told) {
        self.server.told.lock().unwrap().push(told);
    }
}

impl Line {
    fn hear(&mut self) -> Result<(), StoreError> {
        if self.node.is_cut.load(SeqCst) {
            return Err(StoreError::unavailable("cut"));
        }
        let told = self.node.server.told.lock().unwrap();
        let new: VecDeque<_> = told[self.next..].iter().cloned().collect();
        self.next = told.len();
        for told in new {
            match told {
                Told::Family(family, current, until) => {
                    self.copy.put_family(&family, current.as_ref(), until);
                }
                Told::Cutoff(key, at, spared, until) => {
                    self.copy.put_cutoff(&key, at, spared.as_ref(), until);
                }
            }
        }
        Ok(())
    }

    async fn until_it_speaks(&self) {
        while self.node.is_silent.load(SeqCst) {
            sleep(MILLISECOND).await;
        }
    }
}

impl Feed for Line {
    fn listen(&mut self) -> StoreFuture<'_, Infallible> {
        Box::pin(async move {
            loop {
                self.until_it_speaks().await;
                self.hear()?;
                // What is told comes a little later.
                sleep(5 * MILLISECOND).await;
            }
        })
    }

    fn fence(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.until_it_speaks().await;
            self.hear()
        })
    }
}

impl FeedList for Node {
    fn open_feed<'a>(
        &'a self,
        copy: Arc<dyn ListCopy>,
        _: Lease,
    ) -> StoreFuture<'a, Box<dyn Feed>> {
        Box::pin(async move {
            let mut line = Line {
                node: self.clone(),
                copy,
                next: 0,
            };
            line.until_it_speaks().await;
            line.hear()?;
            Ok(Box::new(line) as Box<dyn Feed>)
        })
    }
}

impl RevocationList for Node {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        self.server.list.standing(token, now)
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        self.server.list.ending(token, now)
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        self.server.list.may_reissue(token, now)
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            self.tell(Told::Family(*family, None, until));
            self.server.list.end(family, how, until, now).await
        })
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move {
            let replaced = self
                .server
                .list
                .replace(token, successor, how, until, now)
                .await?;
            if replaced.is_some() {
                self.tell(Told::Family(*token.family(), Some(successor), until));
            }
            Ok(replaced)
        })
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.tell(Told::Cutoff(key.digest(), cutoff.at, None, cutoff.until));
            self.server.list.end_all(key, cutoff, now).await
        })
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let spared = Some(*keep.family());
            self.tell(Told::Cutoff(key.digest(), cutoff.at, spared, cutoff.until));
            self.server.list.end_others(keep, key, cutoff, now).await
        })
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.server.list.issue(keys, admitted, now)
    }
}

struct Site {
    list: CachedRevocations<Node>,
    node: Node,
}

impl Site {
    async fn live(server: &Server, options: ListOptions) -> Self {
        let (node, clock) = (server.node(), SteadyClock::Tokio(Instant::now()));
        let list = CachedRevocations::start_by(clock, node.clone(), bounded(), options);
        let site = Self { list, node };
        site.until_live().await;
        site
    }

    async fn until_live(&self) {
        let began = Instant::now();
        while !self.list.stats().is_live() {
            assert!(began.elapsed() < Duration::from_secs(5));
            sleep(MILLISECOND).await;
        }
    }

    /// What the copy says, which the list never contradicts once it was told.
    async fn knows(&self, token: IssuedToken<'_>) -> bool {
        let copied = self.list.try_standing(token, NOW);
        let standing = self.list.standing(token, NOW).await.unwrap();
        if let Some(copied) = copied {
            assert_eq!(copied, standing, "{token:?}");
        }
        copied.is_some()
    }
}

const F: SessionId = id(1);
const LATER: Timestamp = Timestamp::from_unix_seconds(1_003_600);

fn guest<'a>(family: &'a SessionId, id: &'a SessionId) -> IssuedToken<'a> {
    IssuedToken::new(family, id, None, NOW)
}

/// R66: what one node ends is not admitted from another's copy.
#[tokio::test(start_paused = true)]
async fn a_copy_knows_present_tokens_and_leaves_the_rest_to_the_list() {
    let renewed = Replacement::Renewed { grace_until: LATER };
    let bound = Replacement::Bound {
        crossing_until: LATER,
    };
    for how in [renewed, bound] {
        let server = Server::new();
        let a = Site::live(&server, ListOptions::new()).await;
        let b = Site::live(&server, ListOptions::new()).await;
        let (first, second) = (guest(&F, &F), id(2));
        assert!(a.knows(first).await && b.knows(first).await);
        let replaced = a.list.replace(first, second, how, LATER, NOW).await;
        assert_eq!(replaced.unwrap(), Some(NOW));
        // The node that wrote it knows at once.
        let second = guest(&F, &second);
        assert!(!a.knows(first).await && a.knows(second).await);
        sleep(10 * MILLISECOND).await;
        assert!(!b.knows(first).await && b.knows(second).await);
        assert!(b.list.end(&F, Ending::Ended, LATER, NOW).await.unwrap());
        assert!(!b.knows(second).await);
        sleep(10 * MILLISECOND).await;
        assert!(!a.knows(second).await);
        assert_eq!((a.list.stats().entries(), a.list.stats().epochs()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_knows_what_ended_by_a_key_and_who_is_spared() {
    let server = Server::new();
    let a = Site::live(&server, ListOptions::new()).await;
    let alice = Subject::from("alice");
    let key = IndexKey::owner("", &alice);
    let ids = [id(1), id(2), id(3)];
    let token = |at: usize, issued| IssuedToken::new(&ids[at], &ids[at], Some(&alice), issued);
    let cutoff = Cutoff::new(NOW, LATER, [1; 16]);
    assert!(
        a.list
            .end_others(token(0, NOW), &key, &cutoff, NOW)
            .await
            .unwrap()
    );
    assert!(a.knows(token(0, NOW)).await);
    assert!(!a.knows(token(1, NOW)).await);
    assert!(a.knows(token(2, NOW.after(MILLISECOND))).await);
    a.list.end_all(&key, &cutoff, NOW).await.unwrap();
    assert!(!a.knows(token(0, NOW)).await);
    assert!(a.knows(guest(&ids[1], &ids[1])).await);
}

/// A later ending that spares one session does not bring back what an earlier one ended.
#[test]
fn cutoffs_add_up_in_any_order() {
    let time = |seconds| Timestamp::from_unix_seconds(seconds);
    let alice = Subject::from("alice");
    let key = IndexKey::owner("", &alice).digest();
    let cutoffs = [
        (10, None),
        (20, Some(id(1))),
        (30, Some(id(2))),
        (30, Some(id(1))),
    ];
    for first in cutoffs {
        for second in cutoffs {
            let copy = EndedTokens::new(10);
            for (at, spared) in [first, second] {
                copy.put_cutoff(&key, time(at), spared.as_ref(), LATER);
            }
            for family in [id(1), id(2), id(3)] {
                for issued in 0..40 {
                    let token = IssuedToken::new(&family, &family, Some(&alice), time(issued));
                    let ended = [first, second]
                        .iter()
                        .any(|(at, spared)| issued <= *at && *spared != Some(family));
                    // It may ask the list more often than it has to, and never less.
                    let knows = copy.knows_current(token, NOW);
                    assert!(!(knows && ended), "{first:?} {second:?} {family} {issued}");
                    assert!(knows || issued <= first.0.max(second.0));
                }
            }
        }
    }
}

/// R71: without a lease the list answers, or nobody, as was chosen.
#[tokio::test(start_paused = true)]
async fn while_the_feed_is_silent_the_list_is_asked_or_the_request_refused() {
    for silence in [Silence::Ask, Silence::Refuse] {
        let server = Server::new();
        let site = Site::live(&server, ListOptions::new().while_silent(silence)).await;
        let token = guest(&F, &F);
        site.node.is_silent.store(true, SeqCst);
        sleep(LEASE).await;
        assert_eq!(site.list.try_standing(token, NOW), None);
        let standing = site.list.standing(token, NOW).await;
        match silence {
            Silence::Ask => assert_eq!(standing.unwrap(), Standing::Current),
            Silence::Refuse => {
                assert_eq!(standing.unwrap_err().kind(), StoreErrorKind::Unavailable);
            }
        }
        site.node.is_silent.store(false, SeqCst);
        site.until_live().await;
        assert!(site.knows(token).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_brings_what_was_missed() {
    let server = Server::new();
    let a = Site::live(&server, ListOptions::new()).await;
    let b = Site::live(&server, ListOptions::new()).await;
    let mut changed = b.list.changed(&F).unwrap();
    assert!(timeout(LEASE, &mut changed).await.is_err());
    b.node.is_cut.store(true, SeqCst);
    timeout(LEASE, changed).await.unwrap();
    assert_eq!(b.list.try_standing(guest(&F, &F), NOW), None);
    assert!(a.list.end(&F, Ending::Ended, LATER, NOW).await.unwrap());
    b.node.is_cut.store(false, SeqCst);
    b.until_live().await;
    assert!(!b.knows(guest(&F, &F)).await);
    assert!(b.knows(guest(&id(2), &id(2))).await);
    assert_eq!(b.list.stats().epochs(), 2);
}

/// S04: a copy that is full knows nothing, rather than too little.
#[test]
fn a_copy_that_is_full_or_forgotten_knows_nothing() {
    let copy = EndedTokens::new(2);
    copy.opened();
    for number in 1..3 {
        copy.put_family(&id(number), None, LATER);
        copy.put_family(&id(number), None, LATER);
    }
    assert!(copy.knows_current(guest(&id(9), &id(9)), NOW));
    copy.put_family(&id(3), None, LATER);
    assert!(!copy.knows_current(guest(&id(3), &id(3)), NOW));
    assert!(!copy.knows_current(guest(&id(9), &id(9)), NOW));
    let forgotten = Arc::new(EndedTokens::new(2));
    forgotten.put_family(&id(1), None, LATER);
    Held::forget_all(&forgotten);
    assert!(!forgotten.knows_current(guest(&id(1), &id(1)), NOW));
}

#[test]
fn what_is_over_makes_room() {
    let copy = EndedTokens::new(20_000);
    copy.opened();
    for number in 0..200_000_u32 {
        let now = Timestamp::from_unix_seconds(u64::from(number));
        let mut bytes = [3; SessionId::LEN];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let family = SessionId::from_bytes(bytes);
        copy.put_family(&family, None, now.after(Duration::from_secs(600)));
        assert!(!copy.knows_current(guest(&family, &family), now));
    }
    let held = Held::entries(&Arc::new(copy));
    assert!((600..20_000).contains(&held), "{held}");
}

/// While the list is read, what is told may come first.
#[test]
fn an_older_token_that_comes_after_a_newer_one_is_not_believed() {
    let copy = EndedTokens::new(10);
    let [older, newer] = [id(2), id(3)];
    copy.put_family(&F, Some(&newer), LATER);
    copy.put_family(&F, Some(&older), LATER);
    copy.opened();
    assert!(!copy.knows_current(guest(&F, &older), NOW));
    // From here on the order is that of the writes.
    copy.put_family(&id(4), Some(&older), LATER);
    copy.put_family(&id(4), Some(&newer), LATER);
    assert!(copy.knows_current(guest(&id(4), &newer), NOW));
    assert!(!copy.knows_current(guest(&id(4), &older), NOW));
}
