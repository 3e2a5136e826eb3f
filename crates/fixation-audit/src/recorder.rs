//! Collects what the checks conclude.

use std::collections::BTreeMap;

use super::catalogue::{Id, checks};
use super::scene::Scene;
use super::{AuditError, Evidence, Finding, Outcome, Report, Severity, Trace, Verdict};

pub(super) struct Recorder<'a> {
    scene: &'a Scene,
    outcomes: BTreeMap<Id, Outcome>,
    stopped: Option<String>,
}

/// A finding in the making.
pub(super) struct Note {
    confirmed: bool,
    sent: String,
    seen: String,
}

impl Note {
    /// Confirmed by use.
    pub(super) fn confirmed(seen: impl Into<String>) -> Self {
        Self::new(seen.into(), true)
    }

    /// Seen, and not put to use.
    pub(super) fn observed(seen: impl Into<String>) -> Self {
        Self::new(seen.into(), false)
    }

    fn new(seen: String, confirmed: bool) -> Self {
        Self {
            confirmed,
            sent: String::new(),
            seen,
        }
    }

    pub(super) fn sent(mut self, sent: impl Into<String>) -> Self {
        self.sent = sent.into();
        self
    }
}

impl<'a> Recorder<'a> {
    pub(super) fn new(scene: &'a Scene) -> Self {
        Self {
            scene,
            outcomes: BTreeMap::new(),
            stopped: None,
        }
    }

    pub(super) fn progress(&self, what: &str) {
        if let Some(tell) = &self.scene.plan.progress {
            tell(what);
        }
    }

    pub(super) fn found(&mut self, id: Id, note: Note) {
        self.found_as(id, id.check().severity, note);
    }

    /// A finding less severe than the check's worst.
    pub(super) fn found_as(&mut self, id: Id, severity: Severity, note: Note) {
        let secrets = &self.scene.world.secrets;
        // What was only seen is not shown by the last request.
        let exchanges = if note.confirmed {
            self.scene.world.journal.last()
        } else {
            Vec::new()
        };
        let Note {
            confirmed,
            sent,
            seen,
        } = note;
        let evidence = Evidence {
            sent: secrets.scrub(&sent),
            seen: secrets.scrub(&seen),
            // An answer's own words may hold personal data, so a report quotes none.
            exchanges: exchanges
                .into_iter()
                .map(|trace| Trace {
                    request: secrets.scrub(&trace.request),
                    answer: secrets.scrub(&trace.answer),
                    excerpt: None,
                })
                .collect(),
        };
        let finding = Finding {
            severity,
            confirmed,
            evidence: vec![evidence],
        };
        let finding = match self.outcomes.remove(&id) {
            Some(Outcome::Found(earlier) | Outcome::Accepted(earlier, _)) => earlier.and(finding),
            _ => finding,
        };
        let outcome = match self.scene.plan.accepted.get(id.check().id) {
            Some(reason) => Outcome::Accepted(finding, secrets.scrub(reason)),
            None => Outcome::Found(finding),
        };
        self.outcomes.insert(id, outcome);
    }

    /// Nothing found. A finding made before stays.
    pub(super) fn passed(&mut self, id: Id) {
        self.outcomes.entry(id).or_insert(Outcome::Passed);
    }

    /// It could not be tried. A finding made before stays.
    pub(super) fn not_judged(&mut self, id: Id, reason: impl Into<String>) {
        let reason = self.scene.world.secrets.scrub(&reason.into());
        self.outcomes
            .entry(id)
            .or_insert(Outcome::NotJudged(reason));
    }

    pub(super) fn is_found(&self, id: Id) -> bool {
        matches!(
            self.outcomes.get(&id),
            Some(Outcome::Found(_) | Outcome::Accepted(..))
        )
    }

    /// A family of checks broke off. Says whether the audit can go on.
    pub(super) fn broke_off(&mut self, family: &[Id], error: &AuditError) -> bool {
        let reason = format!("broke off: {error}");
        for id in family {
            self.not_judged(*id, reason.clone());
        }
        self.stopped
            .get_or_insert_with(|| self.scene.world.secrets.scrub(&reason));
        !error.is_final()
    }

    pub(super) fn finish(mut self) -> Report {
        let verdicts = checks().iter().enumerate().map(|(at, check)| {
            let known = self
                .outcomes
                .iter()
                .find(|(id, _)| **id as usize == at)
                .map(|(id, _)| *id);
            let outcome = known.and_then(|id| self.outcomes.remove(&id));
            let not_reached = || Outcome::NotJudged("the audit ended before".to_owned());
            Verdict {
                check,
                outcome: outcome.unwrap_or_else(not_reached),
            }
        });
        let verdicts = verdicts.collect();
        let scene = self.scene;
        Report {
            target: scene.world.base.origin(),
            notes: scene
                .notes
                .iter()
                .cloned()
                .chain(scene.world.device_binding().map(ToOwned::to_owned))
                .collect(),
            name: scene
                .plan
                .name
                .clone()
                .unwrap_or_else(|| scene.world.base.host().to_owned()),
            framework: scene
                .plan
                .framework
                .or_else(|| scene.world.clues.framework()),
            session: scene.carriers(),
            took: scene.world.took(),
            requests: scene.world.requests(),
            fail_on: scene.plan.fail_on,
            verdicts,
            stopped: self.stopped,
        }
    }
}
