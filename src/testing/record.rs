//! [`RecordBuilder`] and [`claim_for`]: what a store is called with.

use std::time::Duration;

use smol_str::SmolStr;

use crate::session::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    device::{BoundDevice, Device, DeviceKey, Thumbprint},
    entries::{Entries, Entry, Keep},
    id::{Claim, Secret, SessionId},
    index::TagDigest,
    methods::Methods,
    own_session::OwnSession,
    record::{Fields, Record},
    secrets::Secrets,
    state::State,
    time::Timestamp,
};

/// A client's claim to hold the session of this id, as if it came in a cookie whose MAC held.
///
/// For tests of stores only: it lets a test look up any id, which no client can. The claim's secret opens
/// a record only if the record was built with the same [`secret`](RecordBuilder::secret).
#[must_use]
pub fn claim_for(id: &SessionId, secret: [u8; 16]) -> Claim {
    Claim::new(*id, Secret::from_bytes(secret))
}

/// Makes records for tests of stores.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{Timestamp, testing::RecordBuilder};
///
/// let now = Timestamp::from_unix_seconds(1_800_000_000);
/// let record = RecordBuilder::new(now).subject("42").entry("cart", b"[1,2]").build();
/// assert_eq!(record.subject().map(|subject| subject.as_str()), Some("42"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RecordBuilder(Record);

impl RecordBuilder {
    /// A guest session that begins at `now`, is empty and expires an hour later.
    pub fn new(now: Timestamp) -> Self {
        let expires_at = now.after(Duration::from_secs(3600));
        Self(Record::from(Fields {
            state: State {
                authentication: None,
                created_at: now,
                last_seen_at: now,
                rotated_at: now,
                absolute_expiry: expires_at,
                persistent: false,
                label: None,
                binding: Box::default(),
                extra: None,
                entries: Entries::default(),
            },
            secrets: Secrets::new(Secret::from_bytes([0; 16]).digest()),
            lineage: SessionId::from_bytes([0; 16]).lineage(),
            expires_at,
        }))
    }

    /// A record to begin from.
    pub fn of(record: &Record) -> Self {
        Self(record.clone())
    }

    /// Logs this subject in, at the level AAL1, when the session began.
    pub fn subject(mut self, subject: impl Into<Subject>) -> Self {
        self.0.fields.state.authentication = Some(Authentication {
            subject: subject.into(),
            level: AssuranceLevel::AAL1,
            authenticated_at: self.0.fields.state.created_at,
            elevation: None,
        });
        self
    }

    /// Elevates the session to this level until `until`; does nothing to a guest's.
    pub fn elevated(mut self, level: AssuranceLevel, until: Option<Timestamp>) -> Self {
        if let Some(who) = &mut self.0.fields.state.authentication {
            who.elevation = Some(Elevation { level, until });
        }
        self
    }

    /// Notes that the session was used at this time.
    pub fn used_at(mut self, at: Timestamp) -> Self {
        self.0.fields.state.last_seen_at = at;
        self
    }

    /// Sets when the record expires, by its idle and its absolute limit alike.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.0.fields.expires_at = at;
        self.0.fields.state.absolute_expiry = at;
        self
    }

    /// Sets the session's secret.
    pub fn secret(mut self, secret: [u8; 16]) -> Self {
        self.0.fields.secrets = Secrets::new(Secret::from_bytes(secret).digest());
        self
    }

    /// Renews the session's secret at `now`, with a grace time of ten seconds for the present one.
    pub fn renewed(mut self, secret: [u8; 16], now: Timestamp) -> Self {
        let digest = Secret::from_bytes(secret).digest();
        let grace_until = now.after(Duration::from_secs(10));
        self.0.fields.secrets.renew(digest, now, grace_until);
        self
    }

    /// Replaces the session's secret at `now`, as an elevation does.
    pub fn rotated(mut self, secret: [u8; 16], now: Timestamp) -> Self {
        let digest = Secret::from_bytes(secret).digest();
        self.0.fields.secrets.supersede(digest, now);
        self
    }

    /// Puts an entry into the session's data. A store is to keep any bytes, JSON or not.
    pub fn entry(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let entry = Entry {
            name,
            value: value.as_ref(),
            keep: Keep::Subject,
        };
        let state = &mut self.0.fields.state;
        state.entries = state.entries.with(entry, Timestamp::default());
        self
    }

    /// Sets the audience that the session is for.
    pub fn audience(mut self, audience: &str) -> Self {
        let state = &mut self.0.fields.state;
        state.with_extra(|extra| extra.audience = audience.into());
        self
    }

    /// Lets somebody act as the session's subject, as its second owner, with a session to return to that holds data.
    pub fn actor(mut self, actor: impl Into<Subject>) -> Self {
        let state = &mut self.0.fields.state;
        let entry = Entry {
            name: "own",
            // Bytes that are no text.
            value: &[0xFF, 0, 0xC3],
            keep: Keep::Subject,
        };
        let own = OwnSession {
            level: AssuranceLevel::AAL1,
            authenticated_at: state.created_at,
            elevation: None,
            absolute_expiry: state.absolute_expiry,
            persistent: false,
            methods: Methods::NONE,
            acr: None,
            entries: Entries::default().with(entry, Timestamp::default()),
        };
        state.with_extra(|extra| {
            (extra.actor, extra.own_session) = (Some(actor.into()), Some(Box::new(own)));
        });
        self
    }

    /// Names these tags, in the audience that the builder has so far.
    pub fn tags<'a>(mut self, tags: impl IntoIterator<Item = &'a str>) -> Self {
        let state = &mut self.0.fields.state;
        let audience = state.audience().to_owned();
        let mut tags: Vec<_> = tags
            .into_iter()
            .map(|tag| TagDigest::of(&audience, tag))
            .collect();
        tags.sort_unstable();
        tags.dedup();
        state.with_extra(|extra| extra.tags = tags.into());
        self
    }

    /// Binds the session to this key at `now`: a point of P-256 as its two coordinates, big-endian. Any bytes will do.
    pub fn bound_to_device(self, key: [u8; 64], now: Timestamp) -> Self {
        self.with_device(Device::Bound(BoundDevice::new(DeviceKey(key), now)))
    }

    /// Notes one more proof of the device, at `now`; does nothing to a session that is not bound.
    pub fn device_proved(self, now: Timestamp) -> Self {
        let Some(device) = self.0.fields.state.bound_device().copied() else {
            return self;
        };
        self.with_device(Device::Bound(BoundDevice {
            sequence: device.sequence.wrapping_add(1),
            last_proof_at: now,
            ..device
        }))
    }

    /// Lets only the key with this SHA-256 thumbprint (RFC 7638) be bound to the session.
    pub fn expecting_device(self, thumbprint: [u8; 32]) -> Self {
        self.with_device(Device::Expected(Thumbprint(thumbprint)))
    }

    fn with_device(mut self, device: Device) -> Self {
        let state = &mut self.0.fields.state;
        state.with_extra(|extra| extra.device = Some(device));
        self
    }

    /// Adds a part that only a later release understands, so that this one cannot read the record back.
    pub fn of_a_later_release(mut self) -> Self {
        let state = &mut self.0.fields.state;
        state.with_extra(|extra| extra.add_unknown(0xFF, b"later"));
        self
    }

    /// Labels the session.
    pub fn label(mut self, label: &str) -> Self {
        self.0.fields.state.label = Some(SmolStr::new(label));
        self
    }

    /// The record.
    #[must_use]
    pub fn build(self) -> Record {
        self.0
    }
}
