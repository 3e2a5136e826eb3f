//! The index: what is listed under a key, through the item collection of its entries, read consistently.

use aws_sdk_dynamodb::{
    operation::{
        delete_item::DeleteItemError,
        query::{QueryOutput, builders::QueryFluentBuilder},
    },
    primitives::Blob,
    types::{
        AttributeValue::{B, S},
        ConditionCheck, Delete, Select, TransactWriteItem,
    },
};
use tokio::{task::JoinSet, time::Instant};
use tower_session_guard::{
    SessionId, Timestamp,
    store::{Cursor, EndedPage, IndexKey, Page, StoreError, StoreErrorKind, time_limit::within},
};

use crate::{
    DynamoDbStore,
    failure::{attempt, failure},
    item::{self, Entry, KeyDigest},
    write::unsupported,
};

/// The most entries that a page has, whatever was asked for.
const LARGEST_PAGE: usize = 1_000;

/// The most entries that are counted, a few of DynamoDB's read units: from there on the answer is that there
/// are very many.
const COUNTED_AT_MOST: i32 = 256;

/// How many sessions are removed at the same time.
const AT_ONCE: usize = 16;

/// How many dead entries a list takes away: each takes two of a transaction's hundred places.
const TIDIED_PER_PAGE: usize = 50;

impl DynamoDbStore {
    /// How many entries count under this key, never too few: [`usize::MAX`] if they are too many to count.
    pub(super) async fn counted(&self, key: &KeyDigest) -> Result<usize, StoreError> {
        let counted = self
            .query(key)
            .key_condition_expression("#pk = :key AND begins_with(#sk, :counted)")
            .expression_attribute_names("#sk", item::SORT)
            .expression_attribute_values(":counted", S(item::COUNTED_PREFIX.to_owned()))
            .select(Select::Count)
            .limit(COUNTED_AT_MOST);
        let counted = counted.send().await.map_err(failure)?;
        if counted.last_evaluated_key.is_some() {
            return Ok(usize::MAX);
        }
        Ok(usize::try_from(counted.count).unwrap_or(usize::MAX))
    }

    /// Some of the live sessions under a key. Takes dead entries away if there is time; a failure there does
    /// not count.
    pub(super) async fn list(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let began = Instant::now();
        let list = async {
            let (entries, next) = self.entries(&key.digest(), after, limit).await?;
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            let found = self.read_heads(&ids).await?;
            let (mut heads, mut dead) = (Vec::with_capacity(entries.len()), Vec::new());
            for entry in entries {
                match found.get(&entry.id) {
                    Some(item) => heads.extend(item::listed(item, &entry, key, now)),
                    None => dead.push(entry),
                }
            }
            Ok((Page::new(heads, next), dead))
        };
        let (page, dead) = within(self.time_limit, list).await?;
        if !dead.is_empty() {
            let left = self.time_limit.saturating_sub(began.elapsed());
            let _done = within(left, self.tidy(&key.digest(), &dead)).await;
        }
        Ok(page)
    }

    /// Removes some of the sessions under a key first and their index entries afterwards: a crash between
    /// leaves entries without sessions, which are passed over.
    pub(super) async fn end(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let began = Instant::now();
        let key = key.digest();
        let sessions = async {
            let (mut entries, next) = self.entries(&key, after, limit).await?;
            entries.retain(|entry| Some(&entry.id) != except);
            let (ended, dead) = self.delete_sessions(&key, entries).await?;
            let mut gone: Vec<_> = ended.iter().flat_map(|entry| entry.keys(&key)).collect();
            // The session of such an entry may be another's; the entry itself is of no use.
            gone.extend(dead.iter().map(|entry| entry.key(&key)));
            Ok((EndedPage::new(ended.len(), next), gone))
        };
        let (page, gone) = within(self.time_limit, sessions).await?;
        let left = self.time_limit.saturating_sub(began.elapsed());
        let _done = within(left, self.delete_entries(gone)).await;
        Ok(page)
    }

    /// A page of a key's entries, and where the next one begins.
    async fn entries(
        &self,
        key: &KeyDigest,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<Cursor>), StoreError> {
        let limit = limit.clamp(1, LARGEST_PAGE);
        let after = after.map(place).transpose()?;
        let page = self
            .query(key)
            .key_condition_expression("#pk = :key")
            .set_exclusive_start_key(after.map(|entry| entry.key(key)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let QueryOutput {
            items,
            last_evaluated_key,
            ..
        } = page.send().await.map_err(failure)?;
        let entries = items.iter().flatten().map(Entry::of);
        let entries = entries.collect::<Result<_, _>>()?;
        let last = last_evaluated_key.as_ref().map(Entry::of).transpose()?;
        let next = last.map(|entry| Cursor::new(entry.sort().into_bytes()));
        Ok((entries, next))
    }

    fn query(&self, key: &KeyDigest) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&*self.table)
            .consistent_read(true)
            .expression_attribute_names("#pk", item::PARTITION)
            .expression_attribute_values(":key", item::collection(key))
    }

    /// Removes the sessions of these entries: those that this call removed, and those that were not there.
    async fn delete_sessions(
        &self,
        key: &KeyDigest,
        entries: Vec<Entry>,
    ) -> Result<(Vec<Entry>, Vec<Entry>), StoreError> {
        let (mut ended, mut dead) = (Vec::with_capacity(entries.len()), Vec::new());
        let mut entries = entries.into_iter();
        let mut deletes = JoinSet::new();
        for entry in entries.by_ref().take(AT_ONCE) {
            deletes.spawn(self.clone().delete_of(*key, entry));
        }
        while let Some(deleted) = deletes.join_next().await {
            let (entry, was_there) = deleted.map_err(StoreError::unavailable)??;
            if was_there {
                ended.push(entry);
            } else {
                dead.push(entry);
            }
            if let Some(entry) = entries.next() {
                deletes.spawn(self.clone().delete_of(*key, entry));
            }
        }
        Ok((ended, dead))
    }

    /// Removes the session if it is listed under the key: an entry that points elsewhere ends nobody.
    async fn delete_of(self, key: KeyDigest, entry: Entry) -> Result<(Entry, bool), StoreError> {
        let delete = || {
            self.client
                .delete_item()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(&entry.id)))
                .condition_expression("contains(#keys, :key)")
                .expression_attribute_names("#keys", item::KEYS)
                .expression_attribute_values(":key", B(Blob::new(key)))
                .send()
        };
        match attempt(delete).await {
            Ok(_) => Ok((entry, true)),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok((entry, false)),
                _ => Err(failure(error)),
            },
        }
    }

    /// Takes entries away whose sessions are gone. The transaction says so as well: a session that is being
    /// created with its entry would cancel it, however the reads before fell.
    async fn tidy(&self, key: &KeyDigest, dead: &[Entry]) -> Result<(), StoreError> {
        let mut writes = Vec::new();
        for entry in dead.iter().take(TIDIED_PER_PAGE) {
            let is_gone = ConditionCheck::builder()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(&entry.id)))
                .condition_expression("attribute_not_exists(pk)");
            let is_gone = is_gone.build().map_err(unsupported)?;
            writes.push(
                TransactWriteItem::builder()
                    .condition_check(is_gone)
                    .build(),
            );
            let delete = Delete::builder()
                .table_name(&*self.table)
                .set_key(Some(entry.key(key)));
            let delete = delete.build().map_err(unsupported)?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        let tidy = self.client.transact_write_items();
        let tidied = tidy.set_transact_items(Some(writes)).send().await;
        tidied.map(drop).map_err(failure)
    }
}

/// The entry after which a page begins.
fn place(after: &Cursor) -> Result<Entry, StoreError> {
    let sort = std::str::from_utf8(after.as_bytes()).ok();
    let (counting, id) = sort
        .and_then(item::parse_sort)
        .ok_or_else(|| StoreError::with_source(StoreErrorKind::Unsupported, "a foreign cursor"))?;
    Ok(Entry::new(&id, counting, Vec::new()))
}
