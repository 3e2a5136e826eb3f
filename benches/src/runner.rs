//! Drives subjects through scenarios, in turns.

use std::time::Instant;

use http::{Request, StatusCode};

use crate::browser::{Jar, request, request_of};
use crate::scenario::{LOGIN, READ, Scenario, WRITE};
use crate::subject::{Body, Keeps, Subject};

/// A subject with the cookies it gave out.
pub struct Runner {
    /// What is measured.
    pub subject: Box<dyn Subject>,
    member: Jar,
}

impl Runner {
    /// Logs in once and keeps the cookie.
    #[must_use]
    pub fn new(mut subject: Box<dyn Subject>) -> Self {
        let mut member = Jar::default();
        member.take(&subject.send(request(WRITE, None)));
        member.take(&subject.send(request(LOGIN, member.header())));
        Self { subject, member }
    }

    /// The requests of a scenario, each to be sent once.
    pub fn batch(&mut self, scenario: Scenario, size: usize) -> Vec<Request<Body>> {
        self.subject.rest();
        (0..size).map(|_| self.request(scenario)).collect()
    }

    fn request(&mut self, scenario: Scenario) -> Request<Body> {
        match scenario {
            // A login spends the session it comes from.
            Scenario::S4 => request_of(scenario, &self.guest()),
            Scenario::S7 => {
                let mut jar = self.guest();
                jar.take(&self.subject.send(request(LOGIN, jar.header())));
                request_of(scenario, &jar)
            }
            _ => request_of(scenario, &self.member),
        }
    }

    fn guest(&mut self) -> Jar {
        let mut jar = Jar::default();
        jar.take(&self.subject.send(request(WRITE, None)));
        jar
    }

    /// Nanoseconds a request, of a stack that has just been at work: whether the one before it in the round left its
    /// code in the processor's caches must not count.
    pub fn time(&mut self, scenario: Scenario, size: usize) -> f64 {
        let mut first = self.batch(scenario, size / 4);
        let mut batch = self.batch(scenario, size);
        self.subject.run(&mut first);
        let start = Instant::now();
        self.subject.run(&mut batch);
        start.elapsed().as_nanos() as f64 / size as f64
    }

    /// Fails when the subject does not do what the scenarios take for granted.
    ///
    /// # Panics
    ///
    /// When a scenario would measure something else than it says.
    pub fn check(&mut self) {
        if self.subject.label().keeps == Keeps::Nothing {
            return;
        }
        let name = self.subject.label().name;
        let status = |subject: &mut Box<dyn Subject>, request| subject.send(request).status();
        for (scenario, expected) in [
            (Scenario::S1, StatusCode::UNAUTHORIZED),
            (Scenario::S2, StatusCode::OK),
            (Scenario::S3, StatusCode::UNAUTHORIZED),
            (Scenario::S5, StatusCode::OK),
            (Scenario::S6, StatusCode::OK),
        ] {
            let request = self.request(scenario);
            assert_eq!(
                status(&mut self.subject, request),
                expected,
                "{name}: {scenario:?}"
            );
        }
        let mut jar = self.guest();
        assert!(
            !jar.is_empty(),
            "{name}: an anonymous request that wrote something gets a cookie"
        );
        let as_guest = request(READ, jar.header());
        assert_eq!(
            status(&mut self.subject, as_guest),
            StatusCode::UNAUTHORIZED,
            "{name}: guest"
        );
        let before = jar.header();
        jar.take(&self.subject.send(request(LOGIN, before.clone())));
        assert_ne!(jar.header(), before, "{name}: a login changes the cookie");
        let as_member = request(READ, jar.header());
        assert_eq!(
            status(&mut self.subject, as_member),
            StatusCode::OK,
            "{name}: after a login"
        );
    }
}
