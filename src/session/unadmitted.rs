//! [`Unadmitted`]: a session before its token is admitted, and what it is made of.

use std::{
    fmt,
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use super::{
    authentication::Subject,
    csrf::CsrfToken,
    device::Presence,
    device_notes::DeviceNotes,
    draft::Draft,
    ended::{EndCause, Ended},
    event::SessionEvent,
    id::{Lineage, SessionId},
    later::Later,
    live::{Live, Signature},
    look::Looks,
    mark::Mark,
    policy::SessionPolicy,
    state::State,
    time::Timestamp,
};

/// What a session needs from the layer around it.
pub(crate) trait Environment: Send + Sync {
    fn now(&self) -> Timestamp;
    fn observe(&self, event: &SessionEvent);
    fn policy(&self) -> &SessionPolicy;
    /// The name of the session's cookie.
    fn cookie_name(&self) -> &str;
    /// How many bytes of entries a session may hold.
    fn data_budget(&self) -> usize;
    /// How many cut-offs this process has written by now.
    fn endings_seen(&self) -> u64;
    /// A CSRF token for this lineage; none if the operating system gives no random bytes.
    fn csrf_token(&self, lineage: Lineage, subject: Option<&Subject>) -> Option<CsrfToken>;
    fn csrf_holds(&self, lineage: Lineage, subject: Option<&Subject>, token: &[u8]) -> bool;
    /// The wait for the end of this session, which the layer notes at once.
    fn ended(&self, live: &Live) -> Ended;
}

/// What the handles of one session share.
pub(super) struct Inner<L: ?Sized> {
    pub(super) environment: Arc<dyn Environment>,
    pub(super) admitted_at: Timestamp,
    /// How many cut-offs came before the request.
    pub(super) endings_seen: AtomicU64,
    pub(super) looks: Looks,
    pub(super) pending: Mutex<Pending>,
    /// There if the session is loaded when somebody first looks; `live` is empty then.
    pub(super) later: Option<Arc<dyn Later>>,
    /// What the request holds: one or none, so that an anonymous request takes no room for it.
    pub(super) live: L,
}

impl<L> Inner<L> {
    // Always: it is made where it stays.
    #[inline(always)]
    pub(super) fn make(
        environment: Arc<dyn Environment>,
        admitted_at: Timestamp,
        live: L,
        later: Option<Arc<dyn Later>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            endings_seen: AtomicU64::new(environment.endings_seen()),
            environment,
            admitted_at,
            looks: Looks::default(),
            pending: Mutex::default(),
            later,
            live,
        })
    }
}

#[derive(Default)]
pub(super) struct Pending {
    pub(super) marks: Vec<(Timestamp, Mark)>,
    /// Boxed, since most requests mark nothing.
    pub(super) draft: Option<Box<Draft>>,
    pub(super) closed: bool,
    /// Whether the draft was begun before the session was loaded.
    pub(super) unloaded: bool,
    /// Why the logged-in session is over whose token came.
    pub(super) why_ended: Option<EndCause>,
    /// Boxed, since most layers bind no devices.
    pub(super) device: Option<Box<DeviceNotes>>,
}

/// A session whose token is not admitted yet: no handler has it, so it may still change.
pub(crate) struct Unadmitted(pub(super) Arc<Inner<[Live; 1]>>);

impl Unadmitted {
    /// A session of this id, whose state is yet to be read to where it stays: it is too large to be handed
    /// around.
    #[inline]
    pub(crate) fn new(
        id: SessionId,
        lineage: Lineage,
        signature: Signature,
        environment: Arc<dyn Environment>,
        admitted_at: Timestamp,
    ) -> Self {
        let live = Live {
            id,
            state: State::default(),
            standing: None,
            signature,
            lineage,
            suspended: false,
            rebind: false,
            presence: Presence::Unbound,
        };
        Self(Inner::make(environment, admitted_at, [live], None))
    }

    pub(crate) fn live(&self) -> &Live {
        let [live] = &self.0.live;
        live
    }

    pub(crate) fn live_mut(&mut self) -> &mut Live {
        match Arc::get_mut(&mut self.0) {
            Some(Inner { live: [live], .. }) => live,
            // No stable type of the standard library says that an `Arc` has one owner.
            None => unreachable!("it has no clone"),
        }
    }
}

impl fmt::Debug for Unadmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unadmitted")
            .field("id", &self.live().id)
            .finish_non_exhaustive()
    }
}
