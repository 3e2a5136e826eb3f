//! [`Node`]: a node's copies, its lease and its connection.

use std::collections::VecDeque;

use tower_session_guard::{
    Record,
    store::{Revision, Stored},
    testing::RecordBuilder,
};

use super::{
    super::{A, MILLISECOND, NOW},
    Kind,
    action::Mutant,
};
use crate::{
    clock::Moment,
    copies::{Noted, SessionCopies},
    lease::{EpochLease, SentFence},
    options::CacheOptions,
};

/// How long a tick is.
pub(super) const TICK: u32 = 100;

pub(super) fn at(tick: u64) -> Moment {
    Moment::at(MILLISECOND * TICK * u32::try_from(tick).unwrap())
}

/// Which of the session's tokens is the present one; it has ended if there is none.
pub(super) type Token = u8;

/// What a node asks the server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Fence,
    Read,
}

/// What the server sends to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Message {
    Fenced,
    Read(Option<Token>),
    Forget,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Option<Kind>,
    /// `None` while there is no epoch.
    pub(super) epoch: Option<Epoch>,
    /// What the mutant keeps of the epoch before.
    kept: Option<SessionCopies>,
    pub(super) fences_left: u8,
    pub(super) fills_left: u8,
    /// What it wrote itself last.
    pub(super) wrote: Token,
}

#[derive(Clone, Debug)]
pub(super) struct Epoch {
    copies: SessionCopies,
    lease: EpochLease,
    pub(super) is_cut: bool,
    pub(super) asked: VecDeque<Question>,
    pub(super) told: VecDeque<Message>,
    pub(super) fence: Option<SentFence>,
    /// The fence has reached the server, over another connection.
    pub(super) is_fenced_elsewhere: bool,
    fill: Option<Noted>,
    /// What was read, and is still to be kept by whoever asked.
    pub(super) read: Option<Option<Token>>,
    /// What another task is to apply.
    pub(super) late: u8,
}

fn record() -> Record {
    RecordBuilder::new(NOW).build()
}

fn stored(token: Token) -> Stored {
    Stored::new(record(), Revision::new(token.into()))
}

impl Node {
    pub(super) const fn new(kind: Option<Kind>, fences_left: u8, fills_left: u8) -> Self {
        Self {
            kind,
            epoch: None,
            kept: None,
            fences_left,
            fills_left,
            wrote: 0,
        }
    }

    pub(super) fn open(&mut self, kind: Kind) {
        let new = || SessionCopies::new(CacheOptions::new().with_max_entries(4));
        let time = MILLISECOND * TICK * u32::try_from(kind.ticks).unwrap();
        self.epoch = Some(Epoch {
            copies: self.kept.take().unwrap_or_else(new),
            lease: EpochLease::new(time),
            is_cut: false,
            asked: VecDeque::new(),
            told: VecDeque::new(),
            fence: None,
            is_fenced_elsewhere: false,
            fill: None,
            read: None,
            late: 0,
        });
    }

    /// Opens a feed whose first fence was answered at the beginning, with a copy of the first token if asked for.
    pub(super) fn begin(&mut self, kind: Kind, has_copy: bool) {
        self.open(kind);
        if let Some(epoch) = &self.epoch {
            assert!(epoch.lease.answered(EpochLease::sending(at(0))));
            if has_copy {
                epoch.keep(0);
            }
        }
    }

    /// The connection is known to be lost.
    pub(super) fn end(&mut self, mutant: Option<Mutant>) {
        let Some(epoch) = self.epoch.take() else {
            return;
        };
        epoch.lease.end();
        if mutant == Some(Mutant::EntriesKeptOverAReconnect) {
            self.kept = Some(epoch.copies);
        } else {
            epoch.copies.forget_all();
        }
    }

    /// An own write was answered.
    pub(super) fn wrote(&mut self, token: Token, has_ended: bool, mutant: Option<Mutant>) {
        self.wrote = token;
        let Some(epoch) = &self.epoch else {
            return;
        };
        if mutant == Some(Mutant::EntryUpdatedAfterAnOwnWrite) && !has_ended {
            epoch.keep(token);
        } else {
            epoch.copies.forget(&A);
        }
    }

    /// Nothing that is still to come at this node can be seen: it has no lease, no fence on its way and none left. Its
    /// copies, and what is on its connection, matter no more.
    pub(super) fn is_spent(&self, now: u64) -> bool {
        let lives = |epoch: &Epoch| epoch.fence.is_some() || epoch.lease.is_live(at(now));
        self.fences_left == 0 && !self.epoch.as_ref().is_some_and(lives)
    }

    /// The token that a copy admits now.
    pub(super) fn admits(&self, now: u64) -> Option<Token> {
        let epoch = self.epoch.as_ref()?;
        let trusted = epoch.lease.trusted();
        let token = Token::try_from(epoch.copies.revision(&A)?).unwrap();
        trusted.holds(at(now)).then_some(token)
    }
}

impl Epoch {
    pub(super) fn may_read(&self, now: u64) -> bool {
        self.fill.is_none() && self.lease.is_live(at(now)) && self.copies.revision(&A).is_none()
    }

    pub(super) fn send_read(&mut self) {
        self.fill = Some(self.copies.note(&A));
        self.asked.push_back(Question::Read);
    }

    pub(super) fn send_fence(&mut self, now: u64) {
        self.fence = Some(EpochLease::sending(at(now)));
    }

    /// A fence was answered.
    pub(super) fn fenced(&mut self, now: u64, mutant: Option<Mutant>) {
        let Some(mut sent) = self.fence.take() else {
            return;
        };
        if mutant == Some(Mutant::LeaseFromTheAnswer) {
            sent = EpochLease::sending(at(now));
        }
        assert!(self.lease.answered(sent));
    }

    pub(super) fn receive(&mut self, message: Message, now: u64, mutant: Option<Mutant>) {
        match message {
            Message::Fenced => self.fenced(now, mutant),
            Message::Forget if mutant == Some(Mutant::InvalidationsByAnotherTask) => self.late += 1,
            Message::Forget => self.copies.forget(&A),
            Message::Read(token) => self.read = Some(token),
        }
    }

    /// Whoever asked has the answer. The connection may have been read further meanwhile.
    pub(super) fn keep_what_was_read(&mut self, mutant: Option<Mutant>) {
        let (Some(noted), Some(Some(token))) = (self.fill.take(), self.read.take()) else {
            return;
        };
        if mutant == Some(Mutant::NoFillGuard) {
            self.keep(token);
        } else {
            self.copies.insert_if(noted, &A, &stored(token));
        }
    }

    pub(super) fn apply_late(&mut self) {
        self.late -= 1;
        self.copies.forget(&A);
    }

    /// Keeps a copy without a guard.
    fn keep(&self, token: Token) {
        self.copies
            .insert_if(self.copies.note(&A), &A, &stored(token));
    }

    /// What tells two epochs apart.
    pub(super) fn view(&self, now: u64) -> EpochView {
        EpochView {
            copy: self.copies.revision(&A),
            left: self.lease.left(at(now)).as_millis(),
            is_cut: self.is_cut,
            asked: self.asked.iter().copied().collect(),
            told: self.told.iter().copied().collect(),
            fence: self.fence,
            is_fenced_elsewhere: self.is_fenced_elsewhere,
            fill: self.fill.map(|noted| noted == self.copies.note(&A)),
            read: self.read,
            late: self.late,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EpochView {
    copy: Option<u64>,
    left: u128,
    is_cut: bool,
    asked: Vec<Question>,
    told: Vec<Message>,
    fence: Option<SentFence>,
    is_fenced_elsewhere: bool,
    fill: Option<bool>,
    read: Option<Option<Token>>,
    late: u8,
}

pub(super) type NodeView = Option<NodeParts>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NodeParts {
    epoch: Option<EpochView>,
    kept: Option<Option<u64>>,
    left: (u8, u8),
    wrote: Token,
}

impl Node {
    /// `None` of a node that is spent: those differ in nothing that counts.
    pub(super) fn view(&self, now: u64) -> NodeView {
        let copy = |copies: &SessionCopies| copies.revision(&A);
        (!self.is_spent(now)).then(|| NodeParts {
            epoch: self.epoch.as_ref().map(|epoch| epoch.view(now)),
            kept: self.kept.as_ref().map(copy),
            left: (self.fences_left, self.fills_left),
            wrote: self.wrote,
        })
    }
}
