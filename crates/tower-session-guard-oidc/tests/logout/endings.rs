//! Whose sessions end, and whose do not.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tower_session_guard::Subject;

use crate::world::{SID, World};

/// R57, R66: by `sid` the sessions that began from it, of nobody else and in no other session of the user.
#[tokio::test]
async fn a_session_of_the_provider_ends_what_began_from_it() {
    for world in World::both() {
        let ended = [
            world.login("alice", SID).await,
            world.login("alice", SID).await,
        ];
        let spared = [
            world.login("alice", "another-session").await,
            world.login("bob", "bobs-session").await,
        ];
        assert_eq!(world.status(&world.token()).await, 200);
        for session in &ended {
            assert_eq!(world.who(session).await, "nobody");
        }
        assert_eq!(world.who(&spared[0]).await, "alice");
        assert_eq!(world.who(&spared[1]).await, "bob");
    }
}

/// R57, R66: whichever node the provider calls, the session ends on every one.
#[tokio::test]
async fn a_logout_at_one_node_holds_at_the_other() {
    for by in ["sid", "sub"] {
        let [node, other] = World::nodes();
        let [ended, spared] = [
            node.login("alice", SID).await,
            node.login("bob", "bobs").await,
        ];
        assert_eq!(other.who(&ended).await, "alice");
        let unnamed = if by == "sid" { "sub" } else { "sid" };
        let token = other.provider.token(&other.claims_with(unnamed, None));
        assert_eq!(other.status(&token).await, 200);
        for world in [&node, &other] {
            assert_eq!(world.who(&ended).await, "nobody", "{by}");
            assert_eq!(world.who(&spared).await, "bob", "{by}");
        }
    }
}

/// R57, R67: by `sub` alone everything of the user.
#[tokio::test]
async fn a_user_of_the_provider_ends_everywhere() {
    for world in World::both() {
        let ended = [
            world.login("alice", SID).await,
            world.login("alice", "another-session").await,
        ];
        let bob = world.login("bob", SID).await;
        let token = world.provider.token(&world.claims_with("sid", None));
        assert_eq!(world.status(&token).await, 200);
        for session in &ended {
            assert_eq!(world.who(session).await, "nobody");
        }
        assert_eq!(world.who(&bob).await, "bob");
    }
}

/// R57: where both are there, `sid` says which session, and nothing falls back to the user.
#[tokio::test]
async fn of_a_session_and_a_user_the_session_counts() {
    for world in World::both() {
        let session = world.login("alice", "another-session").await;
        assert_eq!(world.status(&world.token()).await, 200);
        assert_eq!(world.who(&session).await, "alice");
    }
}

/// R57: an unknown session is no failure, and a login after the logout works.
#[tokio::test]
async fn an_unknown_session_or_user_is_logged_out_already() {
    for world in World::both() {
        let spared = world.login("bob", "bobs-session").await;
        assert_eq!(world.status(&world.token()).await, 200);
        let token = world.provider.token(&world.claims_with("sid", None));
        assert_eq!(world.status(&token).await, 200);
        assert_eq!(world.who(&spared).await, "bob");
        world.pass(1);
        let later = world.login("alice", SID).await;
        assert_eq!(world.who(&later).await, "alice");
    }
}

/// R57: another provider's session of the same name is another.
#[tokio::test]
async fn a_tag_that_another_provider_gave_is_spared() {
    let world = World::new();
    let session = world.login("alice", SID).await;
    let mut claims = world.claims();
    claims["iss"] = "https://other.example".into();
    let other = tower_session_guard_oidc::BackchannelLogout::new(
        "https://other.example",
        crate::world::CLIENT,
        world.published.keys(),
        world.sessions.sessions(),
    );
    let clock = world.clock.clone();
    let other = world.clone().with(|_| other.unwrap().with_clock(clock));
    assert_eq!(other.status(&world.provider.token(&claims)).await, 200);
    assert_eq!(world.who(&session).await, "alice");
}

/// R57: the application says whom `sub` means; whom it does not know has nothing to end, and if it cannot tell, the provider tries again.
#[tokio::test]
async fn the_application_says_whom_the_provider_means() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let world = World::new().with(|logout| {
        let asked = Arc::clone(&asked);
        logout.with_subjects(move |sub| {
            asked.lock().unwrap().push(sub.clone());
            async move {
                match &*sub {
                    "248289761001" => Ok(Some(Subject::from("alice"))),
                    "unknown" => Ok(None),
                    _ => Err(io::Error::other("the database is down")),
                }
            }
        })
    });
    let session = world.login("alice", SID).await;
    for (sub, status, who) in [
        ("unknown", 200, "alice"),
        ("alice", 503, "alice"),
        ("248289761001", 200, "nobody"),
    ] {
        let mut claims = world.claims_with("sid", None);
        claims["sub"] = sub.into();
        assert_eq!(
            world.status(&world.provider.token(&claims)).await,
            status,
            "{sub}"
        );
        assert_eq!(world.who(&session).await, who, "{sub}");
    }
    assert_eq!(world.status(&world.token()).await, 200);
    assert_eq!(*asked.lock().unwrap(), ["unknown", "alice", "248289761001"]);
}
