//! [`TestSession`]: a session without a layer, for a test that calls a handler as a function.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use super::ManualClock;
use crate::session::{
    authentication::Subject,
    came::Came,
    csrf::CsrfToken,
    data::DataKey,
    device::Presence,
    ended::{EndCause, Ended},
    event::SessionEvent,
    handle::Session,
    id::{Lineage, SessionId},
    impersonation::Impersonation,
    live::{Live, Signature},
    mark::{Login, Mark},
    plan::Plan,
    policy::SessionPolicy,
    settle::{Outcome, Realm, Settlement, Upkeep, settle},
    standing::Standing,
    state::State,
    step_up::StepUp,
    time::{Clock, Timestamp},
    unadmitted::{Environment, Unadmitted},
};

/// What a handler said of its session, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Marked {
    /// [`Session::login`], with these facts.
    Login(Login),
    /// [`Session::elevate`], with these facts.
    Elevate(StepUp),
    /// [`Session::impersonate`], with these facts.
    Impersonate(Impersonation),
    /// [`Session::end_impersonation`].
    EndImpersonation,
    /// [`Session::step_down`].
    StepDown,
    /// [`Session::renew`].
    Renew,
    /// [`Session::logout`].
    Logout,
    /// [`Session::insert`] under the key of this name.
    Insert(String),
    /// [`Session::remove`] of the key of this name.
    Remove(String),
    /// [`Session::update`] or [`Session::take`] of the key of this name.
    Update(String),
}

/// A session without a layer, for a test that calls a handler as a function.
///
/// What the handler reads is there as behind a layer, and what it marks can be [read back](Self::marks). Nothing is settled:
/// no cookie leaves, no store is asked, and no event is told. Its clock stands until the test moves it.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{Login, Session, testing::{Marked, TestSession}};
///
/// async fn verify(session: Session, code: &str) -> bool {
///     let is_right = code == "123456";
///     if is_right {
///         session.login(Login::new("alice").by("totp"));
///     }
///     is_right
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let test = TestSession::anonymous();
/// assert!(verify(test.session(), "123456").await);
/// assert_eq!(test.marks(), [Marked::Login(Login::new("alice").by("totp"))]);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TestSession {
    world: Arc<World>,
    state: Option<State>,
    session: Session,
}

impl TestSession {
    /// The session of a visitor who has none.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::of(World::new(), None)
    }

    /// The session of a user who logged in like this a moment ago.
    ///
    /// # Panics
    ///
    /// If a layer would refuse the login: its subject is empty or too long, or it names too many tags.
    #[must_use]
    pub fn logged_in(login: impl Into<Login>) -> Self {
        let world = World::new();
        let mark = Mark::Login(login.into());
        let state = world.begun_by(mark, None);
        assert!(state.is_some(), "a layer refuses such a login");
        Self::of(world, state)
    }

    /// The same with a value under a key. A visitor becomes a guest with a session.
    ///
    /// # Panics
    ///
    /// If the value does not turn into JSON that reads back as it was.
    #[must_use]
    pub fn with<T, V>(self, key: &DataKey<T>, value: &V) -> Self
    where
        T: Serialize + DeserializeOwned + Borrow<V>,
        V: Serialize + ?Sized,
    {
        let value = match DataKey::<T>::encode(value) {
            Ok(value) => value.into(),
            Err(refused) => {
                #[expect(clippy::panic, reason = "a mistake of the test")]
                {
                    panic!("{}", refused.under(key.name()))
                }
            }
        };
        let mark = Mark::Insert {
            name: key.name().into(),
            value,
            keep: key.keep(self.world.now()),
        };
        let state = self.world.begun_by(mark, self.state);
        Self::of(self.world, state)
    }

    /// The session, for the handler. Every handle is of the same one.
    #[must_use]
    pub fn session(&self) -> Session {
        self.session.clone()
    }

    /// What handlers have marked so far.
    #[must_use]
    pub fn marks(&self) -> Vec<Marked> {
        let marks = self.session.marks_so_far().into_iter();
        marks.map(|(_, mark)| Marked::from(mark)).collect()
    }

    /// The clock that the session goes by. A session keeps the time at which its request came: make another one after the
    /// clock was moved.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.world.clock
    }

    /// Ends the session for those who [wait](crate::AuthenticatedSession::ended) for it.
    pub fn end(&self, cause: EndCause) {
        self.world.ended.send_replace(Some(cause));
    }

    fn of(world: Arc<World>, state: Option<State>) -> Self {
        let environment = Arc::clone(&world) as Arc<dyn Environment>;
        let now = world.now();
        let session = match &state {
            None => Session::new(environment, now),
            Some(state) => {
                let (id, lineage) = (SessionId::from_bytes([1; 16]), Lineage([1; 8]));
                let mut session =
                    Unadmitted::new(id, lineage, Signature::Current, environment, now);
                let live = session.live_mut();
                live.state = state.clone();
                live.standing = Some(Standing::Current);
                Session::admitted(session)
            }
        };
        Self {
            world,
            state,
            session,
        }
    }
}

impl fmt::Debug for TestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSession")
            .field("marks", &self.marks())
            .finish_non_exhaustive()
    }
}

impl From<Mark> for Marked {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Login(login) => Self::Login(login),
            Mark::Elevate(step_up) => Self::Elevate(step_up),
            Mark::Impersonate(impersonation) => Self::Impersonate(impersonation),
            Mark::EndImpersonation => Self::EndImpersonation,
            Mark::StepDown => Self::StepDown,
            Mark::Renew => Self::Renew,
            Mark::Logout => Self::Logout,
            Mark::Insert { name, .. } => Self::Insert(name.into()),
            Mark::Remove { name } => Self::Remove(name.into()),
            Mark::Update(change) => Self::Update(change.name().to_owned()),
        }
    }
}

/// What stands in the place of a layer.
#[derive(Debug)]
struct World {
    clock: ManualClock,
    policy: SessionPolicy,
    ended: watch::Sender<Option<EndCause>>,
}

impl World {
    const CSRF_TOKEN: &str = "the CSRF token of a test session";

    fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: ManualClock::starting_at(Timestamp::from_unix_seconds(1_800_000_000)),
            policy: SessionPolicy::aal1(),
            ended: watch::Sender::new(None),
        })
    }

    /// The session that a mark begins, or makes of the one that is there.
    fn begun_by(&self, mark: Mark, state: Option<State>) -> Option<State> {
        let (now, came) = (self.clock.now(), Came::default());
        let live = state.map(|state| Live {
            id: SessionId::from_bytes([1; 16]),
            state,
            standing: Some(Standing::Current),
            signature: Signature::Current,
            lineage: Lineage([1; 8]),
            suspended: false,
            rebind: false,
            presence: Presence::Unbound,
        });
        let settled = settle(&Settlement {
            live: live.as_ref(),
            came: &came,
            marks: &[(now, mark)],
            outcome: Outcome::Answered,
            now,
            policy: &self.policy,
            realm: Realm::default(),
            data_budget: usize::MAX,
            upkeep: Upkeep::Nothing,
        });
        match settled.plan {
            Plan::Start { state, .. } | Plan::Save { state, .. } => Some(state),
            Plan::Nothing | Plan::Rotate { .. } | Plan::End | Plan::EndGuest { .. } => {
                live.map(|live| live.state)
            }
        }
    }
}

impl Environment for World {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn observe(&self, _: &SessionEvent) {}

    fn policy(&self) -> &SessionPolicy {
        &self.policy
    }

    fn cookie_name(&self) -> &'static str {
        "session"
    }

    fn data_budget(&self) -> usize {
        usize::MAX
    }

    fn endings_seen(&self) -> u64 {
        0
    }

    fn csrf_token(&self, _: Lineage, _: Option<&Subject>) -> Option<CsrfToken> {
        Some(CsrfToken::new(Self::CSRF_TOKEN.to_owned()))
    }

    fn csrf_holds(&self, _: Lineage, _: Option<&Subject>, token: &[u8]) -> bool {
        token == Self::CSRF_TOKEN.as_bytes()
    }

    fn ended(&self, _: &Live) -> Ended {
        let mut ended = self.ended.subscribe();
        Ended::new(async move {
            loop {
                if let Some(cause) = *ended.borrow_and_update() {
                    return cause;
                }
                if ended.changed().await.is_err() {
                    // The test is over.
                    std::future::pending::<()>().await;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Marked, TestSession};
    use crate::{
        AssuranceLevel, EndCause, Login, Session, StepUp,
        session::{csrf::CsrfRejected, data::DataKey},
    };

    const CART: DataKey<Vec<u32>> = DataKey::new("cart").carried();
    const NOTE: DataKey<String> = DataKey::new("note");

    #[test]
    fn a_handler_reads_what_the_test_said() {
        let test = TestSession::anonymous();
        let session = test.session();
        assert!(!session.is_authenticated() && session.is_empty() && session.id().is_none());
        let guest = test.with(&NOTE, "hello").session();
        assert_eq!(guest.get(&NOTE).unwrap().as_deref(), Some("hello"));
        assert!(guest.id().is_some() && guest.authenticated().is_none());

        let login = Login::new("alice")
            .at_level(AssuranceLevel::AAL2)
            .by("passkey")
            .labelled("Firefox");
        let test = TestSession::logged_in(login).with(&CART, &vec![1, 2]);
        let user = test.session().authenticated().unwrap();
        assert_eq!(user.subject().as_str(), "alice");
        assert_eq!(user.level(), AssuranceLevel::AAL2);
        assert_eq!(user.label(), Some("Firefox"));
        assert_eq!(user.age_of_proof_by("passkey"), Some(Duration::ZERO));
        assert_eq!(user.session().get(&CART).unwrap(), Some(vec![1, 2]));
        assert!(test.marks().is_empty());
    }

    #[test]
    fn every_mark_is_read_back_in_order() {
        let test = TestSession::logged_in("alice").with(&NOTE, "hello");
        let say = |session: Session| {
            session.elevate(StepUp::to(AssuranceLevel::AAL2).by("totp"));
            session.step_down();
            session.renew();
            session.insert(&CART, &vec![1]).unwrap();
            session.update(&CART, |_| None).unwrap();
            session.take(&NOTE).unwrap();
            session.remove(&NOTE);
            session.logout();
            session.login("bob");
        };
        say(test.session());
        let marks = [
            Marked::Elevate(StepUp::to(AssuranceLevel::AAL2).by("totp")),
            Marked::StepDown,
            Marked::Renew,
            Marked::Insert("cart".into()),
            Marked::Update("cart".into()),
            Marked::Update("note".into()),
            Marked::Remove("note".into()),
            Marked::Logout,
            Marked::Login("bob".into()),
        ];
        assert_eq!(test.marks(), marks);
        // What is marked is read at once, as behind a layer.
        assert_eq!(test.session().subject(), Some("bob".into()));
    }

    #[test]
    fn a_csrf_token_of_the_session_holds_and_no_other() {
        let session = TestSession::logged_in("alice").session();
        let token = session.csrf_token().unwrap();
        assert_eq!(session.check_csrf(token.as_str()), Ok(()));
        assert_eq!(session.check_csrf("another"), Err(CsrfRejected(())));
    }

    #[tokio::test]
    async fn who_waits_for_the_end_is_told_by_the_test() {
        let test = TestSession::logged_in("alice");
        let user = test.session().authenticated().unwrap();
        let (before, waiting) = (user.ended(), tokio::spawn(user.ended()));
        test.end(EndCause::Revoked);
        assert_eq!(before.await, EndCause::Revoked);
        assert_eq!(waiting.await.unwrap(), EndCause::Revoked);
        assert_eq!(user.ended().await, EndCause::Revoked);
    }

    #[test]
    #[should_panic = "a layer refuses such a login"]
    fn a_login_that_no_layer_takes_is_a_mistake_of_the_test() {
        let _ = TestSession::logged_in("");
    }
}
