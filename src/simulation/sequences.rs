//! Long random lives of browsers and thieves, one request after the other, whatever the handlers say: held against
//! what a token may be worth, which is told here without a look at how the layer does it.

use std::{cell::RefCell, sync::Arc, time::Duration};

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    proptest,
    sample::{Index, select},
    strategy::Just,
    test_runner::Config,
};

use super::{
    faults::{is_of, level},
    world::{Answer, CARRIED, Cookies, End, K, Op, World, op},
};
use crate::{
    session::{authentication::AssuranceLevel, handle::Session},
    store::MemoryStore,
};

/// What a handler says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Login(&'static str),
    Elevate,
    ElevateForAMinute,
    StepDown,
    Act(&'static str),
    Return,
    Renew,
    Logout,
    Put,
    PutCarried,
    Remove,
}

impl Say {
    fn to(self, session: &Session) {
        // Every value tells whose it is.
        let owner = || {
            let subject = session.subject();
            let who = subject.map_or("nobody".to_owned(), |who| who.to_string());
            match session.actor() {
                Some(actor) => format!("{who}/{actor}"),
                None => who,
            }
        };
        match self {
            Self::Login(who) => session.login(who),
            Self::Elevate => session.elevate(AssuranceLevel::AAL2),
            Self::ElevateForAMinute => {
                session.elevate_for(AssuranceLevel::AAL3, Duration::from_secs(60));
            }
            Self::StepDown => session.step_down(),
            Self::Act(who) => session.impersonate(who),
            Self::Return => session.end_impersonation(),
            Self::Renew => session.renew(),
            Self::Logout => session.logout(),
            Self::Put => session.insert(&K, &owner()).unwrap(),
            Self::PutCarried => session.insert(&CARRIED, &owner()).unwrap(),
            Self::Remove => session.remove(&K),
        }
    }

    /// Whether it takes effect, by how the handler ends.
    fn counts(self, end: End) -> bool {
        let lowers = matches!(self, Self::Logout | Self::StepDown);
        match end {
            End::Answers(status) if status < 500 => true,
            End::Answers(_) => lowers || self == Self::Renew,
            End::Errs | End::Panics => lowers,
        }
    }

    /// Whether it replaces the token of a user without grace.
    const fn retires(self) -> bool {
        matches!(
            self,
            Self::Login(_)
                | Self::Elevate
                | Self::ElevateForAMinute
                | Self::StepDown
                | Self::Logout
        )
    }
}

/// The highest level that anything proved to the one who acts, or has returned, after a request of whoever came.
fn proved(came: &Known, says: &[Say], end: End) -> u8 {
    let (who, acted) = (came.who(), came.acts());
    let acts = |say: &Say| matches!(say, Say::Act(other) if *other != who);
    let counted = says.iter().filter(|say| say.counts(end));
    let levels = |say: &Say| match say {
        Say::Elevate => 2,
        Say::ElevateForAMinute => 3,
        _ => 0,
    };
    let (mut most, mut is_own) = (came.most, !acted);
    for say in counted {
        if !acted && acts(say) {
            break;
        }
        is_own |= *say == Say::Return;
        if is_own {
            most = most.max(levels(say));
        }
    }
    most
}

thread_local! {
    static SCRIPT: RefCell<Vec<Say>> = const { RefCell::new(Vec::new()) };
}

const SCRIPTED: Op = op(
    "scripted",
    |session| SCRIPT.with_borrow(|script| script.iter().for_each(|say| say.to(session))),
    false,
);

/// Whom a proxy vouches for, if it does.
type Vouched = Option<&'static str>;

#[derive(Clone, Debug)]
enum Step {
    /// The browser sends its cookies.
    Browse(Vec<Say>, End, Vouched),
    /// A thief sends a session token and a guest token that he once saw.
    Steal(Index, Index, Vec<Say>, End, Vouched),
    Wait(Duration),
    Revoke(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let say = prop_oneof![
        3 => select(vec![Say::Login("alice"), Say::Login("bob")]),
        3 => select(vec![Say::Elevate, Say::ElevateForAMinute, Say::StepDown]),
        3 => select(vec![Say::Act("alice"), Say::Act("bob"), Say::Return]),
        2 => Just(Say::Renew),
        1 => Just(Say::Logout),
        3 => select(vec![Say::Put, Say::PutCarried, Say::Remove]),
    ];
    let says = || vec(say.clone(), 0..4);
    let end = || {
        let ends = [200, 200, 200, 302, 404, 500].map(End::Answers);
        select([&ends[..], &[End::Errs]].concat())
    };
    let vouched = || select(vec![None, None, Some("alice"), Some("bob")]);
    prop_oneof![
        8 => (says(), end(), vouched()).prop_map(|(says, end, by)| Step::Browse(says, end, by)),
        4 => (any::<Index>(), any::<Index>(), says(), end(), vouched())
            .prop_map(|(session, guest, says, end, by)| Step::Steal(session, guest, says, end, by)),
        3 => select(vec![1, 9, 11, 61, 2400, 3601]).prop_map(|s| Step::Wait(Duration::from_secs(s))),
        1 => select(vec!["alice", "bob"]).prop_map(Step::Revoke),
    ]
}

/// A token that was issued once.
#[derive(Clone, Debug)]
struct Known {
    cookies: Cookies,
    /// Whom it opened, as `alice@2`, when it was issued.
    opened: String,
    /// The highest level that its user had when it was issued; of one who acts, as themselves.
    most: u8,
    /// Why it may never open anything again.
    dead: Option<&'static str>,
}

impl Known {
    /// What a login at arrival makes of a request.
    fn of_arrival(came: &str) -> Self {
        Self {
            cookies: Cookies::default(),
            opened: came.to_owned(),
            most: level(came).1,
            dead: None,
        }
    }

    fn who(&self) -> &str {
        level(&self.opened).0
    }

    fn acts(&self) -> bool {
        self.who().contains('/')
    }
}

struct Life {
    world: World,
    jar: Cookies,
    known: Vec<Known>,
    stored: bool,
    behind_a_proxy: bool,
}

impl Life {
    fn new(stored: bool, behind_a_proxy: bool) -> Self {
        Self {
            world: World::with(
                stored.then(|| Arc::new(MemoryStore::new()) as _),
                |settings| {
                    if behind_a_proxy {
                        World::behind_a_proxy(settings);
                    }
                },
            ),
            jar: Cookies::default(),
            known: Vec::new(),
            stored,
            behind_a_proxy,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Browse(says, end, by) => {
                let sent = self.jar.clone();
                let answer = self.ask(&sent, says, *end, *by);
                self.jar.take(&answer);
                let lives = sent.session.is_none() || level(answer.came()).1 > 0;
                if answer.status < 500 && lives {
                    let holds = self.world.probe(&self.jar);
                    assert_eq!(
                        level(&holds),
                        level(answer.left()),
                        "what the browser holds"
                    );
                }
            }
            Step::Steal(session, guest, says, end, by) => {
                let of = |guest: bool, index: &Index| {
                    let all = self.known.iter().map(|known| &known.cookies);
                    let all: Vec<_> = all
                        .filter_map(|cookies| {
                            if guest {
                                cookies.guest.clone()
                            } else {
                                cookies.session.clone()
                            }
                        })
                        .collect();
                    // Sometimes none.
                    all.get(index.index(all.len() + 1)).cloned()
                };
                let sent = Cookies {
                    session: of(false, session),
                    guest: of(true, guest),
                    ..Cookies::default()
                };
                self.ask(&sent, says, *end, *by);
            }
            Step::Wait(time) => self.world.advance(*time),
            Step::Revoke(who) => {
                self.world.revoke(who);
                for known in self
                    .known
                    .iter_mut()
                    .filter(|known| is_of(&known.opened, who))
                {
                    known.dead = Some("revoked");
                }
            }
        }
    }

    /// One request, and all that must hold of it.
    fn ask(&mut self, sent: &Cookies, says: &[Say], end: End, by: Vouched) -> Answer {
        let presented: Vec<_> = (0..self.known.len())
            .filter(|at| {
                let Cookies { session, guest, .. } = &self.known[*at].cookies;
                session.is_some() && *session == sent.session
                    || guest.is_some() && *guest == sent.guest
            })
            .collect();
        let held = self.held_beside(sent, says, by);
        let came = self.world.probe(sent);
        self.check_came(&came, sent, &presented);
        let opener = presented.iter().map(|at| &self.known[*at]);
        let opener = opener
            .clone()
            .find(|known| known.cookies.session == sent.session && known.who() == level(&came).0);
        let opener = opener.cloned();
        let forgotten: Vec<_> = presented.iter().map(|at| self.is_forgotten(*at)).collect();
        SCRIPT.replace(says.to_vec());
        let op = SCRIPTED.ending(end).vouched(by);
        let by = by.filter(|_| self.behind_a_proxy);
        let answer = self.world.ask(op, sent);
        // A handler's own error leaves no word of what it saw.
        let (is_told, user_came) = (end != End::Errs, level(&came).1 > 0);
        let arrived = match by {
            Some(_) if user_came => false,
            // Nothing came that could be of a session that goes on.
            Some(_) if sent.session.is_none() => true,
            // What opens nothing may be of one.
            Some(_) => is_told && answer.came() != came,
            None => false,
        };
        match by.filter(|_| arrived) {
            Some(who) if is_told => {
                assert_eq!(level(answer.came()), (who, 1), "over {came}");
                check_data(answer.came());
            }
            _ if is_told => assert_eq!(answer.came(), came),
            _ => {}
        }
        if is_told {
            check_data(answer.left());
        }
        if let Some(held) = held {
            assert_eq!(level(&self.world.probe(&self.jar)), level(&held));
        }
        let switched = end != End::Errs
            && answer.status < 500
            && level(answer.left()).0.contains('/') != acts_in(&came);
        for (at, is_forgotten) in presented.into_iter().zip(forgotten) {
            if is_forgotten {
                continue;
            }
            self.check_presented(at, says, end, user_came);
            let known = &mut self.known[at];
            let is_guests = known.cookies.guest.is_some();
            if arrived && is_guests || switched && !is_guests {
                assert_eq!(self.world.probe(&known.cookies), "nobody", "after {says:?}");
                known.dead = Some("retired");
            }
        }
        let came = if is_told { answer.came() } else { &came };
        let opener = if arrived {
            Some(Known::of_arrival(came))
        } else {
            opener
        };
        let proved = opener.map(|opener| (opener.acts(), proved(&opener, says, end)));
        let logs_in = |say: &Say| matches!(say, Say::Login(_)) && say.counts(end);
        self.learn(
            &answer,
            end,
            came,
            proved.filter(|_| !says.iter().any(logs_in)),
        );
        answer
    }

    /// Whom the browser's cookies open, where another's request marks nothing: a login at arrival ends no user's session,
    /// whatever token comes.
    fn held_beside(&self, sent: &Cookies, says: &[Say], by: Vouched) -> Option<String> {
        if by.is_none() || !says.is_empty() || *sent == self.jar {
            return None;
        }
        // What a token brings about that is used again comes first.
        self.world.probe(sent);
        let held = self.world.probe(&self.jar);
        (level(&held).1 > 0).then_some(held)
    }

    /// Whether a guest's token without a store opens nothing, but may again once the list has forgotten it (S04): a
    /// request that finds it so has nothing to end.
    fn is_forgotten(&self, at: usize) -> bool {
        let cookies = &self.known[at].cookies;
        let is_listed = self.world.store.is_none() && cookies.guest.is_some();
        is_listed && self.world.probe(cookies) == "nobody"
    }

    /// What a token that a request came with may open afterwards.
    fn check_presented(&mut self, at: usize, says: &[Say], end: End, user_came: bool) {
        let known = &mut self.known[at];
        let is_users = known.cookies.session.is_some();
        let opens = self.world.probe(&known.cookies);
        if known.dead.is_none() && level(&opens).0 == "nobody" && is_users {
            known.dead = Some("opened nothing once");
        }
        let counted = says.iter().filter(|say| say.counts(end));
        let counted: Vec<_> = counted.copied().collect();
        let ends = |say: &Say| matches!(say, Say::Logout | Say::Login(_));
        let retires = is_users && user_came && end != End::Errs;
        if counted
            .iter()
            .any(|say| ends(say) || retires && say.retires())
        {
            assert_eq!(opens, "nobody", "retired by {counted:?}");
            known.dead = Some("retired");
        }
        // A step-down whose new token nobody receives: the login's own level is left at most.
        if counted.contains(&Say::StepDown) {
            assert!(level(&opens).1 <= 1, "{opens} after {counted:?}");
        }
    }

    fn check_came(&self, came: &str, sent: &Cookies, presented: &[usize]) {
        check_data(came);
        let (who, at) = level(came);
        if at == 0 {
            return;
        }
        let opener = presented
            .iter()
            .map(|at| &self.known[*at])
            .find(|known| known.cookies.session == sent.session)
            .expect("a token of ours");
        assert_eq!(opener.dead, None, "a dead token opens {came}");
        let (was, most) = level(&opener.opened);
        assert!(
            who == was && at <= most,
            "{came} by a token of {}",
            opener.opened
        );
    }

    /// Takes note of the tokens that were issued, which open what the handler left and no more.
    ///
    /// `proved` says of whoever came whether they acted, and the highest level that they had as themselves.
    fn learn(&mut self, answer: &Answer, end: End, came: &str, proved: Option<(bool, u8)>) {
        let issued = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let session = issued(&answer.session).map(|token| Cookies::session(&token));
        let guest = issued(&answer.guest).map(|token| Cookies::guest(&token));
        for cookies in session.into_iter().chain(guest) {
            let opens = self.world.probe(&cookies);
            let (who, at) = level(&opens);
            if matches!(end, End::Answers(status) if status < 500) {
                assert_eq!((who, at), level(answer.left()), "what was issued");
            } else {
                let (was, most) = level(came);
                assert!(
                    who == was && at <= most,
                    "{opens} by a failed answer to {came}"
                );
            }
            assert_eq!(
                cookies.session.is_some(),
                at > 0,
                "a cookie of the other kind"
            );
            let acts = acts_in(&opens);
            assert!(!acts || proved.is_some(), "{opens} from nobody's session");
            let most = match proved {
                Some((acted, most)) if acts || acted => {
                    assert!(at <= most, "{opens}, where the actor had {most}");
                    most
                }
                _ => at,
            };
            // A token that is signed again is the same.
            self.known.retain(|known| known.cookies != cookies);
            self.known.push(Known {
                cookies,
                opened: opens,
                most,
                dead: None,
            });
        }
    }

    /// Whatever came before: what is dead is dead, what lives opens no more than when it was issued.
    fn finish(&self) {
        let records = self.stored.then(|| self.world.records());
        let mut alive = 0;
        for known in self.known.iter().rev() {
            let opens = self.world.probe(&known.cookies);
            let (who, at) = level(&opens);
            alive += u64::from(at > 0);
            assert!(at == 0 || known.dead.is_none(), "{known:?} opens {opens}");
            assert!(
                at == 0 || who == known.who() && at <= level(&known.opened).1,
                "{known:?} opens {opens}"
            );
            check_data(&opens);
        }
        // Each session has a live token, and perhaps one in its grace time.
        assert!(records.is_none_or(|records| alive <= 2 * records));
    }
}

fn acts_in(text: &str) -> bool {
    level(text).0.contains('/')
}

/// No value is seen by anybody but its owner, or by who logged in where a guest had left it.
fn check_data(seen: &str) {
    let who = level(seen).0;
    for entry in seen.split(' ').skip(1) {
        let (name, owner) = entry.split_once('=').unwrap();
        assert!(owner == who || name == "c" && owner == "nobody", "{seen}");
    }
}

/// A thousand, or more where `PROPTEST_CASES` says so.
fn lives() -> Config {
    let default = Config::default();
    Config {
        failure_persistence: None,
        cases: default.cases.max(1000),
        ..default
    }
}

proptest! {
    #![proptest_config(lives())]

    /// R01–R05, R07, R08, R10, R12, R19, R67, A01, A18–A22, A26, A28, A36.
    #[test]
    fn no_life_of_a_browser_and_a_thief_breaks_a_rule(steps in vec(step(), 1..25)) {
        for (stored, behind_a_proxy) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut life = Life::new(stored, behind_a_proxy);
            for step in &steps {
                life.take(step);
            }
            life.finish();
        }
    }
}
