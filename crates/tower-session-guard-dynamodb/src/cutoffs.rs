//! Cut-offs: one item for each key that was ever cut off, raised by conditional writes.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    primitives::Blob,
    types::{AttributeValue::B, ReturnValuesOnConditionCheckFailure::AllOld},
};
use tower_session_guard::{
    Timestamp,
    store::{Cutoff, IndexKey, StoreError},
};

use crate::{
    DynamoDbStore,
    failure::{attempt, failure},
    item::{self, Item},
    write::{Written, refused},
};

/// What was cut off at this time or earlier, in milliseconds.
const AT: &str = "at";
/// Until when that must be remembered, in milliseconds.
const UNTIL: &str = "until";
const MARK: &str = "mark";

/// What must be there for a cut-off to be written over it.
enum Over {
    /// Nothing, or one that this one raises in both times.
    Lower,
    /// Exactly this one.
    This(Cutoff),
}

impl DynamoDbStore {
    /// Writes over what is lower. Where one of the two times would fall, what is there comes back with the
    /// refusal; then what both amount to takes its place, unless a third came between.
    pub(super) async fn raise(&self, key: &IndexKey, cutoff: &Cutoff) -> Result<(), StoreError> {
        let (mut next, mut over) = (*cutoff, Over::Lower);
        loop {
            let there = match self.put_cutoff(key, &next, &over).await? {
                Written::Done => return Ok(()),
                Written::Refused(there) => there,
            };
            over = match there.as_ref().map(cutoff_in).transpose()? {
                // It was there and is gone: its time to live was over.
                None => Over::Lower,
                Some(held) => Over::This(held),
            };
            next = match &over {
                Over::Lower => *cutoff,
                Over::This(held) => held.raised_by(cutoff),
            };
            if matches!(&over, Over::This(held) if *held == next) {
                return Ok(());
            }
        }
    }

    async fn put_cutoff(
        &self,
        key: &IndexKey,
        cutoff: &Cutoff,
        over: &Over,
    ) -> Result<Written, StoreError> {
        let item = cutoff_item(key, cutoff);
        let put = || {
            let put = self
                .client
                .put_item()
                .table_name(&*self.table)
                .set_item(Some(item.clone()))
                .return_values_on_condition_check_failure(AllOld)
                .expression_attribute_names("#at", AT)
                .expression_attribute_names("#until", UNTIL);
            let held = match over {
                Over::Lower => cutoff,
                Over::This(held) => held,
            };
            let put = put
                .expression_attribute_values(":at", item::millis(held.at))
                .expression_attribute_values(":until", item::millis(held.until));
            let put = match over {
                Over::Lower => put.condition_expression(
                    "attribute_not_exists(pk) OR (#at <= :at AND #until <= :until)",
                ),
                Over::This(held) => put
                    .condition_expression("#at = :at AND #until = :until AND #mark = :mark")
                    .expression_attribute_names("#mark", MARK)
                    .expression_attribute_values(":mark", B(Blob::new(held.mark))),
            };
            put.send()
        };
        match attempt(put).await {
            Ok(_) => Ok(Written::Done),
            Err(error) => refused(error, |error| match error {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    Some(failed.item().cloned())
                }
                _ => None,
            }),
        }
    }

    pub(super) async fn find_cutoff(
        &self,
        key: &IndexKey,
        now: Timestamp,
    ) -> Result<Option<Cutoff>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(item::cutoff_key(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failure)?;
        let cutoff = found.item.as_ref().map(cutoff_in).transpose()?;
        Ok(cutoff.filter(|cutoff| now < cutoff.until.after(Cutoff::SLACK)))
    }
}

fn cutoff_item(key: &IndexKey, cutoff: &Cutoff) -> Item {
    let mut item = item::cutoff_key(key);
    let end = cutoff.until.after(Cutoff::SLACK).after(item::MARGIN);
    let attributes = [
        (AT, item::millis(cutoff.at)),
        (UNTIL, item::millis(cutoff.until)),
        (MARK, B(Blob::new(cutoff.mark))),
        (item::TTL, item::seconds(end)),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

/// A cut-off that cannot be read is an error, never none.
fn cutoff_in(item: &Item) -> Result<Cutoff, StoreError> {
    let time = |name| item::integer(item, name).map(Timestamp::from_unix_millis);
    let mark = item::bytes(item, MARK).and_then(|mark| mark.try_into().ok());
    let parts = (time(AT), time(UNTIL), mark);
    let (Some(at), Some(until), Some(mark)) = parts else {
        return Err(item::corrupt("the item is no cut-off"));
    };
    Ok(Cutoff::new(at, until, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + second)
    }

    /// S02: DynamoDB may not clear a cut-off away before its end and the slack.
    #[test]
    fn a_cutoff_comes_back_from_its_item_which_outlives_it() {
        let key = IndexKey::owner("shop", &"alice".into());
        let cutoff = Cutoff::new(at(0), at(100), [7; 16]);
        let item = cutoff_item(&key, &cutoff);
        assert_eq!(cutoff_in(&item).unwrap(), cutoff);
        let ttl = Timestamp::from_unix_seconds(item::integer(&item, item::TTL).unwrap());
        assert!(ttl >= at(100).after(Cutoff::SLACK).after(item::MARGIN));
        for missing in [AT, UNTIL, MARK] {
            let mut item = item.clone();
            item.remove(missing);
            assert!(cutoff_in(&item).is_err(), "{missing}");
        }
    }
}
