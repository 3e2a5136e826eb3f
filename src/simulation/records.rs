//! A record that this release cannot read: one of a newer release, or a damaged one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::world::{Answer, Cookies, LOGIN, LOGOUT, READ, WRITE, World};
use crate::{
    session::{
        event::EventKind,
        id::{SessionId, VerifiedId},
        record::Record,
        time::Timestamp,
    },
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        SessionStore, StoreFuture, Stored,
    },
};

/// A store that keeps bytes, as those outside the process do.
#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Slots>>);

type Slots = BTreeMap<SessionId, (u64, Vec<u8>)>;

impl SessionStore for Bytes {
    fn load<'a>(&'a self, id: VerifiedId<'a>, _: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move {
            let records = self.0.lock().unwrap();
            let Some((revision, bytes)) = records.get(id.get()) else {
                return Ok(None);
            };
            let record = Record::decode(bytes)?;
            Ok(Some(Stored::new(record, Revision::new(*revision))))
        })
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        _: Counting,
        _: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(async move {
            let mut records = self.0.lock().unwrap();
            if records.contains_key(id) {
                return Ok(Created::Occupied);
            }
            records.insert(*id, (1, record.encode()));
            Ok(Created::Created {
                revision: Revision::new(1),
                sessions: 1,
            })
        })
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        _: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(async move {
            Ok(match self.0.lock().unwrap().get_mut(id) {
                None => Replaced::Gone,
                Some((at, _)) if *at != revision.get() => Replaced::Conflict,
                Some(slot) => {
                    *slot = (slot.0 + 1, record.encode());
                    Replaced::Replaced(Revision::new(slot.0))
                }
            })
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        _: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(async move {
            Ok(match self.0.lock().unwrap().remove(id) {
                Some(_) => Removed::Removed,
                None => Removed::Absent,
            })
        })
    }

    fn heads<'a>(
        &'a self,
        _: &'a IndexKey,
        _: Option<&'a Cursor>,
        _: usize,
        _: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(async { Ok(Page::default()) })
    }

    fn end_listed<'a>(
        &'a self,
        _: &'a IndexKey,
        _: Option<&'a Cursor>,
        _: usize,
        _: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(async { Ok(EndedPage::default()) })
    }

    fn raise_cutoff<'a>(
        &'a self,
        _: &'a IndexKey,
        _: &'a Cutoff,
        _: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn cutoff<'a>(&'a self, _: &'a IndexKey, _: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(async { Ok(None) })
    }
}

#[track_caller]
fn check_refused(answer: &Answer, world: &World) {
    assert_eq!((answer.status, &*answer.body), (503, ""));
    assert!(answer.sets_nothing());
    assert_eq!(world.heard(), [EventKind::StoreFailedLoad]);
}

/// R71, ASVS 16.5.3: while servers of two releases run side by side, the older one neither believes nor removes
/// what the newer one wrote, not even at a logout; and once it can be read again, it is there.
#[test]
fn a_record_that_cannot_be_read_is_neither_believed_nor_removed() {
    const SCHEMA: usize = 0;
    const PROOF_FLAGS: usize = 57;
    const STATE_FLAGS: usize = 59;
    for (at, unknown) in [(SCHEMA, 3), (PROOF_FLAGS, 1 << 3), (STATE_FLAGS, 1 << 7)] {
        let bytes = Bytes::default();
        let world = World::new(Some(Arc::new(bytes.clone())));
        let token = world.ask(LOGIN, &Cookies::default()).session.unwrap();
        let cookies = Cookies::session(&token);
        world.heard();
        let whole = bytes.0.lock().unwrap().clone();
        for (_, record) in bytes.0.lock().unwrap().values_mut() {
            record[at] = if at == SCHEMA {
                unknown
            } else {
                record[at] | unknown
            };
        }
        let newer = bytes.0.lock().unwrap().clone();
        assert_ne!(newer, whole);
        for op in [READ, WRITE, LOGIN, LOGOUT] {
            check_refused(&world.ask(op, &cookies), &world);
            assert_eq!(*bytes.0.lock().unwrap(), newer, "{op:?}");
        }
        *bytes.0.lock().unwrap() = whole;
        assert_eq!(world.ask(READ, &cookies).came(), "alice@1");
    }
}
