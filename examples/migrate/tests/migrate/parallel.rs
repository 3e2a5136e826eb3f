//! Two first requests of one browser at the same time.

use std::sync::atomic::Ordering::SeqCst;

use tokio::join;

use crate::{browser::Browser, site::Site};

/// Both have read the old session before either ends it: each begins one, and the browser keeps the later.
#[tokio::test]
async fn of_requests_that_read_the_old_session_together_each_logs_in() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        let old = alice.old_cookie().unwrap().to_owned();
        site.faults.meeting_loads.store(2, SeqCst);
        let (get, post) = join!(
            alice.send(&site.both, "GET", "/", ""),
            alice.send(&site.both, "POST", "/theme", "theme=dark")
        );
        assert_eq!(
            (get.status, post.status, &*post.location),
            (200, 303, "/"),
            "{}",
            site.name
        );
        assert_eq!(site.live_sessions().await, 2, "{}", site.name);
        assert!(!site.old_store_has(&old).await);
        let mut other = alice.clone();
        for answers in [[&get, &post], [&post, &get]] {
            let mut browser = other.clone();
            answers.into_iter().for_each(|answer| browser.keep(answer));
            assert!(browser.home(&site.both).await.is_some(), "{}", site.name);
            assert!(browser.old_cookie().is_none());
        }
        // The old cookie alone opens nothing.
        assert_eq!(other.home(&site.both).await, None);
        alice.keep(&get);
        assert!(alice.home(&site.after).await.is_some());
    }
}

/// One that reads the old session after the other has ended it is answered as anonymous, and takes no cookie away.
#[tokio::test]
async fn a_request_that_comes_too_late_leaves_the_browser_logged_in() {
    for site in Site::each() {
        let alice = Browser::logged_in(&site.before, "/login").await;
        let first = alice.send(&site.both, "GET", "/", "").await;
        let late = alice.send(&site.both, "POST", "/theme", "theme=dark").await;
        assert_eq!(first.status, 200);
        assert!(late.asks_for_login(), "{}", site.name);
        for answers in [[&first, &late], [&late, &first]] {
            let mut browser = alice.clone();
            answers.into_iter().for_each(|answer| browser.keep(answer));
            assert_eq!(
                browser.home(&site.both).await.as_deref(),
                Some("alice, plain"),
                "{}",
                site.name
            );
        }
        assert_eq!(site.live_sessions().await, 1);
    }
}
