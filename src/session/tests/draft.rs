//! `Draft`: what a handler sees of its marks, in order.

use std::time::Duration;

use super::notation::{NOW, describe, live, marks};
use crate::session::{
    authentication::AssuranceLevel,
    data::DataKey,
    draft::{Draft, Rotation, Switch},
    impersonation::Impersonation,
    mark::{Login, Mark},
    own_session::Acting,
};

fn draft(who: &str, text: &str) -> Draft {
    let live = live(who);
    let mut draft = Draft::of(live.as_ref());
    for (at, mark) in marks(text) {
        draft.apply(live.as_ref(), &mark, at);
    }
    draft
}

/// What reads see, whether the session goes on, and how its token is replaced.
#[track_caller]
fn check(who: &str, text: &str, sees: &str, continues: bool, rotation: Option<Rotation>) {
    let draft = draft(who, text);
    let seen = describe(draft.authentication.as_ref(), &draft.entries);
    assert_eq!(
        (&*seen, draft.continues, draft.rotation),
        (sees, continues, rotation)
    );
}

const UP: Option<Rotation> = Some(Rotation::Elevated);
const DOWN: Option<Rotation> = Some(Rotation::SteppedDown);
const ANEW: Option<Rotation> = Some(Rotation::Renewed);

/// R01, R02, R04, R07.
#[test]
fn a_login_never_goes_on_under_the_old_session() {
    check("anonymous", "login:alice", "alice@1", false, None);
    check("guest", "login:alice", "alice@1 c*=2", false, None);
    check("alice@1", "login:alice", "alice@1 c*=2 k=1", false, None);
    check("alice@2", "login:alice", "alice@1 c*=2 k=1", false, None);
    check("alice@1", "login:bob", "bob@1", false, None);
    check("alice@1", "login:bob login:alice", "alice@1", false, None);
    check("guest", "login:alice login:alice", "alice@1 c*=2", false, None);
    check("alice@1", "elevate:2 login:alice", "alice@1 c*=2 k=1", false, None);
    check("alice@1", "login:alice elevate:2", "alice@2 c*=2 k=1", false, UP);
    check("guest", "put:x:3 login:alice", "alice@1 c*=2", false, None);
    check("guest", "login:alice put:x:3", "alice@1 c*=2 x=3", false, None);
    check("guest", "once:x:3 expiring:y:4:60 login:alice", "alice@1 c*=2", false, None);
    check("alice@1", "once:x:3 expiring:y:4:60 login:alice", "alice@1 c*=2 k=1", false, None);
    check("alice@1", "once:x:3 elevate:2", "alice@2 c*=2 k=1 x~=3", true, UP);
    check("alice@1", "login:alice once:x:3", "alice@1 c*=2 k=1 x~=3", false, None);
    check("alice@1", "once:x:3 take:x:3", "alice@1 c*=2 k=1", true, None);
    check("alice@1", "expiring:x:3:0 put:y:4", "alice@1 c*=2 k=1 y=4", true, None);
}

/// R03.
#[test]
fn a_change_of_level_replaces_the_token() {
    check("alice@1", "elevate:2", "alice@2 c*=2 k=1", true, UP);
    check("alice@2", "elevate:1", "alice@2 c*=2 k=1", true, UP);
    check("alice@2", "step-down", "alice@1 c*=2 k=1", true, DOWN);
    check("alice@1", "step-down", "alice@1 c*=2 k=1", true, DOWN);
    check("alice@1", "elevate:2 step-down", "alice@1 c*=2 k=1", true, DOWN);
    check("alice@2", "step-down elevate:3", "alice@3 c*=2 k=1", true, UP);
    check("guest", "elevate:2", "guest c*=2 k=1", true, None);
    check("anonymous", "elevate:2", "guest", false, None);
    check("guest", "step-down", "guest c*=2 k=1", true, None);
}

/// R12: no grace comes into a change of privilege through a renewal beside it.
#[test]
fn a_renewal_never_softens_a_change_of_privilege() {
    check("alice@1", "renew", "alice@1 c*=2 k=1", true, ANEW);
    check("alice@1", "renew elevate:2", "alice@2 c*=2 k=1", true, UP);
    check("alice@1", "elevate:2 renew", "alice@2 c*=2 k=1", true, UP);
    check("alice@2", "step-down renew", "alice@1 c*=2 k=1", true, DOWN);
    check("alice@2", "renew step-down", "alice@1 c*=2 k=1", true, DOWN);
    check("guest", "renew", "guest c*=2 k=1", true, ANEW);
    check("anonymous", "renew", "guest", false, None);
}

/// R05.
#[test]
fn nothing_of_a_session_survives_its_logout() {
    check("alice@2", "logout", "guest", false, None);
    check("guest", "logout", "guest", false, None);
    check("alice@1", "put:x:3 logout", "guest", false, None);
    check("alice@1", "logout put:x:3", "guest x=3", false, None);
    check("alice@1", "elevate:2 logout", "guest", false, None);
    check("alice@1", "logout elevate:2", "guest", false, None);
    check("guest", "logout login:alice", "alice@1", false, None);
    check("alice@1", "logout login:alice", "alice@1", false, None);
    assert!(draft("alice@1", "logout login:alice").logged_out);
    assert!(!draft("alice@1", "login:alice").logged_out);
}

#[test]
fn data_changes_under_the_same_token() {
    check("alice@1", "put:k:9", "alice@1 c*=2 k=9", true, None);
    check("alice@1", "remove:k", "alice@1 c*=2", true, None);
    check("guest", "put:c:9", "guest c=9 k=1", true, None);
    check("anonymous", "put:x:1", "guest x=1", false, None);
    check("anonymous", "put:x:1 remove:x", "guest", false, None);
    assert!(!draft("anonymous", "put:x:1 remove:x").exists());
}

#[test]
fn an_elevation_for_a_time_falls_back_by_itself() {
    let who = draft("alice@1", "elevate:2:60").authentication.unwrap();
    let last = NOW.after(Duration::from_millis(59_999));
    assert_eq!(who.level_at(last), AssuranceLevel::AAL2);
    let over = NOW.after(Duration::from_secs(60));
    assert_eq!(who.level_at(over), AssuranceLevel::AAL1);
}

#[test]
fn a_login_cannot_claim_a_proof_in_the_future() {
    let later = NOW.after(Duration::from_secs(1));
    let earlier = super::notation::seconds_ago(50);
    for (claimed, kept) in [(later, NOW), (earlier, earlier)] {
        let mut draft = Draft::of(None);
        draft.apply(
            None,
            &Mark::Login(Login::new("alice").authenticated_at(claimed)),
            NOW,
        );
        assert_eq!(draft.authentication.unwrap().authenticated_at, kept);
    }
}

/// R07: what a login brings takes the place of what a guest wrote under a carried key; without it nothing does.
#[test]
fn what_a_login_brings_is_there_from_the_beginning() {
    let brings = |login: Login| {
        let carried = DataKey::<String>::new("c").carried();
        let code = DataKey::<String>::new("x").once().expiring(Duration::from_secs(1));
        let login = login.insert(&carried, "7").unwrap();
        Mark::Login(login.insert(&code, "8").unwrap())
    };
    let live = live("guest");
    let mut draft = Draft::of(live.as_ref());
    draft.apply(live.as_ref(), &brings(Login::new("alice")), NOW);
    let value = |draft: &Draft, name: &str, at| {
        let entry = draft.entries.get(name, at);
        entry.map(|value| str::from_utf8(value).unwrap().to_owned())
    };
    assert_eq!(value(&draft, "c", NOW).as_deref(), Some("\"7\""));
    assert_eq!(value(&draft, "x", NOW).as_deref(), Some("\"8\""));
    let over = NOW.after(Duration::from_secs(1));
    assert_eq!(value(&draft, "x", over), None);
    // The next login of somebody else keeps nothing of it.
    draft.apply(None, &Mark::Login(Login::new("bob")), NOW);
    assert_eq!(value(&draft, "c", NOW), None);
    // What an impersonation brings is gone with the return, and is not there where nobody may act.
    let ticket = DataKey::<String>::new("k");
    let acting = Impersonation::of("bob").insert(&ticket, "9").unwrap();
    let acting = Mark::Impersonate(acting);
    let live = self::live("alice@1");
    let mut draft = Draft::of(live.as_ref());
    draft.apply(live.as_ref(), &acting, NOW);
    assert_eq!(value(&draft, "k", NOW).as_deref(), Some("\"9\""));
    let mut draft = Draft::of(None);
    draft.apply(None, &acting, NOW);
    assert_eq!(value(&draft, "k", NOW), None);
}

#[test]
fn a_login_without_a_usable_subject_makes_the_draft_unusable() {
    for subject in [String::new(), "x".repeat(256)] {
        let live = live("alice@1");
        let mut draft = Draft::of(live.as_ref());
        draft.apply(live.as_ref(), &Mark::Login(Login::new(subject)), NOW);
        assert!(draft.unusable && draft.continues);
        draft.apply(live.as_ref(), &Mark::Logout, NOW);
        assert!(draft.unusable, "a logout does not make up for it");
    }
    let mut longest = Draft::of(None);
    longest.apply(None, &Mark::Login(Login::new("x".repeat(255))), NOW);
    assert!(!longest.unusable);
}

/// R01, R04: nobody sees the actor's data while acting, nobody is raised, and the return restores what was.
#[test]
fn an_actor_acts_without_their_data_and_returns_to_it() {
    check("alice@2", "act:bob", "bob@2", false, None);
    check("alice@2", "act:bob put:x:3", "bob@2 x=3", false, None);
    check("alice@2", "act:bob elevate:3", "bob@2", false, UP);
    // Nobody acts as themselves.
    check("alice@1", "act:alice", "alice@1 c*=2 k=1", true, None);
    // One request neither acts twice nor returns from what it began.
    check("alice@2", "act:bob act:carol", "bob@2", false, None);
    check("alice@2", "act:bob return", "bob@2", false, None);
    check("alice@1", "login:carol act:bob", "carol@1", false, None);
    check("alice@1", "act:bob login:carol", "carol@1", false, None);
    check("alice@1", "act:bob logout", "guest", false, None);
    for nobody in ["anonymous", "guest"] {
        let seen = draft(nobody, "act:bob").authentication;
        assert_eq!(seen, None);
    }
    check("alice@1", "return", "alice@1 c*=2 k=1", true, None);
    assert!(draft("alice@1", "act:bob").acting.is_some());
    assert!(draft("alice@1", "act:bob logout").acting.is_none());
}

#[test]
fn a_return_restores_level_age_methods_and_data_and_never_more() {
    let mut live = live("alice@2").unwrap();
    live.state.with_extra(|extra| extra.acr = Some("phr".into()));
    let before = live.state.clone();
    let mut acting = Draft::of(Some(&live));
    for (at, mark) in marks("act:bob:60 put:x:3") {
        acting.apply(Some(&live), &mark, at);
    }
    let Acting { actor, own } = acting.acting.clone().unwrap();
    assert_eq!(actor.as_str(), "alice");
    let mut state = live.state.clone();
    state.authentication = acting.authentication;
    state.entries = acting.entries;
    state.with_extra(|extra| (extra.actor, extra.own_session) = (Some(actor), own));
    live.state = state;
    // Whatever happens while acting raises nothing of the actor's.
    let mut back = Draft::of(Some(&live));
    for (at, mark) in marks("elevate:3 remove:x return") {
        back.apply(Some(&live), &mark, at);
    }
    assert_eq!(back.authentication, before.authentication);
    assert_eq!(back.entries, before.entries);
    let Some(Switch::Return(own)) = back.switch else {
        panic!("a return: {:?}", back.switch);
    };
    assert_eq!(own.acr.as_deref(), Some("phr"));
    assert_eq!(own.absolute_expiry, before.absolute_expiry);
    assert!(back.acting.is_none() && !back.continues);
}
