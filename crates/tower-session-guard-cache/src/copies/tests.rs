use tower_session_guard::{
    SessionId, Timestamp,
    store::{Revision, Stored},
    testing::RecordBuilder,
};

use super::{Noted, SessionCopies, part::ENTRY_LEN};
use crate::options::CacheOptions;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);

fn id(number: u32) -> SessionId {
    let mut bytes = [7; SessionId::LEN];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    SessionId::from_bytes(bytes)
}

fn stored(revision: u64) -> Stored {
    let record = RecordBuilder::new(NOW).entry("revision", revision.to_string());
    Stored::new(record.build(), Revision::new(revision))
}

fn copies(max_entries: usize, max_bytes: usize) -> SessionCopies {
    let options = CacheOptions::new();
    SessionCopies::new(
        options
            .with_max_entries(max_entries)
            .with_max_bytes(max_bytes),
    )
}

fn fill(copies: &SessionCopies, id: &SessionId, stored: &Stored) {
    assert!(copies.insert_if(copies.note(id), id, stored));
}

#[test]
fn a_copy_comes_back_whole_until_it_expires() {
    let copies = SessionCopies::new(CacheOptions::new());
    let kept = stored(3);
    fill(&copies, &id(1), &kept);
    assert_eq!(copies.get(&id(1), NOW), Some(kept.clone()));
    assert_eq!(copies.get(&id(2), NOW), None);
    let expiry = kept.record.expires_at();
    let just_before = Timestamp::from_unix_millis(expiry.as_unix_millis() - 1);
    assert!(copies.get(&id(1), just_before).is_some());
    assert_eq!(copies.get(&id(1), expiry), None);
}

/// The guard of a fill: a record that was read before a change is not kept after it.
#[test]
fn what_was_asked_for_before_something_was_forgotten_is_not_kept() {
    let forgetting: [fn(&SessionCopies); 2] =
        [|copies| copies.forget(&id(1)), SessionCopies::forget_all];
    for forget in forgetting {
        let copies = SessionCopies::new(CacheOptions::new());
        let noted = copies.note(&id(1));
        forget(&copies);
        assert!(!copies.insert_if(noted, &id(1), &stored(1)));
        assert_eq!(copies.get(&id(1), NOW), None);
        fill(&copies, &id(1), &stored(2));
        forget(&copies);
        assert_eq!(copies.get(&id(1), NOW), None);
        assert_eq!((copies.entries(), copies.bytes()), (0, 0));
    }
}

#[test]
fn a_record_that_is_gone_takes_its_copy_along_and_no_other_fill() {
    let copies = SessionCopies::new(CacheOptions::new());
    let noted = copies.note(&id(1));
    copies.forget_gone(&id(1));
    assert!(copies.insert_if(noted, &id(1), &stored(1)));
    copies.forget_gone(&id(1));
    assert_eq!(copies.get(&id(1), NOW), None);
    assert!(!copies.insert_if(noted, &id(1), &stored(1)));
}

/// Two loads may be answered in the other order than the store answered them, before the feed tells of the write between.
#[test]
fn of_two_revisions_neither_is_kept() {
    let copies = SessionCopies::new(CacheOptions::new());
    let noted = copies.note(&id(1));
    assert!(copies.insert_if(noted, &id(1), &stored(2)));
    assert!(copies.insert_if(noted, &id(1), &stored(2)));
    assert_eq!(copies.entries(), 1);
    assert!(!copies.insert_if(noted, &id(1), &stored(1)));
    assert_eq!(copies.get(&id(1), NOW), None);
    assert!(!copies.insert_if(noted, &id(1), &stored(1)), "nor later");
    fill(&copies, &id(1), &stored(3));
    assert_eq!(copies.get(&id(1), NOW), Some(stored(3)));
}

#[test]
fn entries_and_bytes_are_bounded_and_counted() {
    let one = stored(1).record.encode().len() + ENTRY_LEN;
    for (entries, bytes, fits) in [(100, usize::MAX, 100), (usize::MAX, 50 * one + one / 2, 50)] {
        let copies = copies(entries, bytes);
        for number in 0..1000 {
            fill(&copies, &id(number), &stored(1));
            assert!(copies.entries() <= fits);
            assert_eq!(copies.bytes(), copies.entries() * one);
        }
        assert_eq!(copies.entries(), fits);
        assert!(copies.get(&id(999), NOW).is_some());
    }
}

#[test]
fn parts_keep_the_bounds_together_and_are_used_evenly() {
    let copies = copies(64 * 256, usize::MAX);
    assert_eq!(copies.parts.len(), 64);
    for number in 0..100_000 {
        fill(&copies, &id(number), &stored(1));
    }
    assert_eq!(copies.entries(), 64 * 256);
}

#[test]
fn what_is_used_gets_a_second_chance() {
    let copies = copies(10, usize::MAX);
    for number in 0..1000 {
        fill(&copies, &id(number), &stored(1));
        assert!(copies.get(&id(0), NOW).is_some(), "{number}");
    }
}

#[test]
fn copies_that_are_all_in_use_still_make_room() {
    let copies = copies(100, usize::MAX);
    for number in 0..1000 {
        fill(&copies, &id(number), &stored(1));
        for used in 0..=number {
            let _used = copies.get(&id(used), NOW);
        }
        assert!(copies.get(&id(number), NOW).is_some());
    }
}

#[test]
fn what_is_larger_than_a_part_is_not_kept_and_takes_the_old_copy_away() {
    let copies = copies(10, ENTRY_LEN + 1000);
    fill(&copies, &id(1), &stored(1));
    let record = RecordBuilder::new(NOW).entry("large", vec![b'x'; 2000]);
    let large = Stored::new(record.build(), Revision::new(2));
    assert!(!copies.insert_if(copies.note(&id(1)), &id(1), &large));
    assert_eq!(copies.get(&id(1), NOW), None);
    let none = self::copies(0, 0);
    assert!(!none.insert_if(none.note(&id(1)), &id(1), &stored(1)));
}

#[test]
fn ids_find_their_copies_after_many_changes() {
    let copies = copies(500, usize::MAX);
    let mut random = 1_u64;
    for round in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let which = id((random >> 40) as u32 % 1000);
        if random >> 63 == 0 {
            copies.forget(&which);
            fill(&copies, &which, &stored(round));
        } else {
            copies.forget(&which);
            assert_eq!(copies.get(&which, NOW), None);
        }
        if let Some(found) = copies.get(&which, NOW) {
            assert_eq!(found, stored(round));
        }
    }
}

#[test]
fn generations_differ_only_where_something_was_forgotten() {
    let copies = SessionCopies::new(CacheOptions::new());
    let before = copies.note(&id(1));
    fill(&copies, &id(1), &stored(1));
    assert_eq!(copies.note(&id(1)), before);
    copies.forget(&id(1));
    assert_eq!(copies.note(&id(1)), Noted(before.0 + 1));
}
