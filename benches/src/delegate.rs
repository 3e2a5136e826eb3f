//! What a store of a measurement leaves to the one within it.

/// Every method of [`SessionStore`](tower_session_guard::SessionStore) but `load` and those that are provided, by the store in
/// a field. The types that they name are imported where it stands.
macro_rules! all_but_load_of {
    ($field:tt) => {
        fn create<'a>(
            &'a self,
            id: &'a SessionId,
            record: &'a Record,
            counting: Counting,
            now: Timestamp,
        ) -> StoreFuture<'a, Created> {
            self.$field.create(id, record, counting, now)
        }

        fn replace<'a>(
            &'a self,
            id: &'a SessionId,
            revision: Revision,
            record: &'a Record,
            now: Timestamp,
        ) -> StoreFuture<'a, Replaced> {
            self.$field.replace(id, revision, record, now)
        }

        fn remove<'a>(
            &'a self,
            id: &'a SessionId,
            listed_under: Option<&'a IndexKey>,
        ) -> StoreFuture<'a, Removed> {
            self.$field.remove(id, listed_under)
        }

        fn heads<'a>(
            &'a self,
            key: &'a IndexKey,
            after: Option<&'a Cursor>,
            limit: usize,
            now: Timestamp,
        ) -> StoreFuture<'a, Page> {
            self.$field.heads(key, after, limit, now)
        }

        fn end_listed<'a>(
            &'a self,
            key: &'a IndexKey,
            after: Option<&'a Cursor>,
            limit: usize,
            except: Option<&'a SessionId>,
        ) -> StoreFuture<'a, EndedPage> {
            self.$field.end_listed(key, after, limit, except)
        }

        fn raise_cutoff<'a>(
            &'a self,
            key: &'a IndexKey,
            cutoff: &'a Cutoff,
            now: Timestamp,
        ) -> StoreFuture<'a, ()> {
            self.$field.raise_cutoff(key, cutoff, now)
        }

        fn cutoff<'a>(
            &'a self,
            key: &'a IndexKey,
            now: Timestamp,
        ) -> StoreFuture<'a, Option<Cutoff>> {
            self.$field.cutoff(key, now)
        }

        fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
            self.$field.live_records(now)
        }
    };
}
