//! The subject index: whose sessions there are (R67).

use super::context::{Context, Failure, broken, expect, list, owner};
use crate::{
    session::{authentication::Subject, head::RecordHead, id::SessionId},
    testing::RecordBuilder,
};

pub(super) async fn a_subjects_live_sessions_are_listed(c: Context) -> Result<(), Failure> {
    let (alice, bob) = (c.subject("alice"), c.subject("bob"));
    expect(
        "sessions before the first login",
        c.listed(&alice).await?,
        vec![],
    )?;
    let mut expected = Vec::new();
    for number in 0..3 {
        let label = format!("browser {number}");
        let (id, record) = (c.id(), c.member(&alice).label(&label).build());
        let _ = c.create(&id, &record).await?;
        expected.push((id, RecordHead::from(&record)));
    }
    let (bobs, removed) = (c.id(), c.id());
    let _ = c.create(&bobs, &c.member(&bob).build()).await?;
    let _ = c.create(&c.id(), &c.guest().build()).await?;
    let _ = c.create(&removed, &c.member(&alice).build()).await?;
    let _ = c.remove(&removed).await?;
    expected.sort_unstable_by_key(|(id, _)| *id);
    expect("alice's sessions", heads(&c, &alice).await?, expected)?;
    expect("bob's sessions", c.listed(&bob).await?, vec![bobs])
}

pub(super) async fn the_list_follows_replaced_records(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let record = c.member(&alice).build();
    let revision = c.create(&id, &record).await?;
    let renewed = RecordBuilder::of(&record).renewed([1; 16], c.now());
    let renewed = renewed.label("renamed").build();
    let _ = c.replace_now(&id, revision, &renewed).await?;
    let expected = vec![(id, RecordHead::from(&renewed))];
    expect("alice's sessions", heads(&c, &alice).await?, expected)
}

async fn heads(c: &Context, subject: &Subject) -> Result<Vec<(SessionId, RecordHead)>, Failure> {
    let listed = list(c.store(), &owner(subject), c.now()).await?;
    let heads = listed.into_iter().map(|listed| match listed.head {
        Ok(head) => Ok((listed.id, head)),
        Err(error) => broken("a head", "a record of this release", error),
    });
    heads.collect()
}

/// Names that engines, their query languages and their key schemes treat as special.
pub(super) fn odd_subjects() -> Vec<Subject> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "a ",
        " a",
        "a\t",
        "a:b",
        "a:b:c",
        "a/b",
        "/a",
        "a/",
        ".",
        "..",
        "a.b",
        "__a__",
        "a%",
        "a_",
        "%",
        "*",
        "a*",
        "a?",
        "[a]",
        "{a}",
        "a{b}",
        "a,b",
        "a;b",
        "a=b",
        "a#b",
        "a|b",
        "a\"b",
        "a'b",
        "a\\b",
        "a\\",
        "$a",
        "a\0b",
        "a\0",
        "\0",
        "a\n",
        "a\r\n",
        "\u{7F}",
        "-a",
        "null",
        "0",
        "00",
        "1e3",
        "true",
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "İ",
        "i",
        "\u{FEFF}a",
        "\u{202E}a",
        "\u{200B}",
        "🦀",
        "a\u{10FFFF}",
        "' OR '1'='1",
        "a' --",
        "../../a",
        "%00",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(Subject::MAX_LEN));
    names.push("x".repeat(Subject::MAX_LEN - 1));
    names.into_iter().map(Subject::from).collect()
}

pub(super) async fn subjects_with_odd_names_stay_apart(c: Context) -> Result<(), Failure> {
    let mut sessions = Vec::new();
    for subject in odd_subjects() {
        let id = c.id();
        let _ = c.create(&id, &c.member(&subject).build()).await?;
        sessions.push((subject, id));
    }
    for (subject, id) in &sessions {
        let what = format!("the sessions of {subject:?}");
        expect(&what, c.listed(subject).await?, vec![*id])?;
    }
    for (position, (subject, id)) in sessions.iter().enumerate() {
        let what = format!("revoked of {subject:?}");
        expect(&what, c.remove_all_of(subject, None).await?, 1)?;
        c.expect_nothing(id).await?;
        if let Some((next, id)) = sessions.get(position + 1) {
            let what = format!("the sessions of {next:?} after {subject:?} was revoked");
            expect(&what, c.listed(next).await?, vec![*id])?;
        }
    }
    Ok(())
}

pub(super) async fn a_subject_of_many_sessions_is_listed_whole(c: Context) -> Result<(), Failure> {
    let (alice, mut ids) = (c.subject("alice"), c.ids(120));
    for id in &ids {
        let _ = c.create(id, &c.member(&alice).build()).await?;
    }
    ids.sort_unstable();
    expect("alice's sessions", c.listed(&alice).await?, ids.clone())?;
    let revoked = c.remove_all_of(&alice, None).await?;
    expect("revoked of alice", revoked, ids.len())?;
    for id in &ids {
        c.expect_nothing(id).await?;
    }
    Ok(())
}
