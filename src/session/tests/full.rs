//! A record of which every part is there.

use std::time::Duration;

use crate::session::{
    authentication::{AssuranceLevel, Authentication, Elevation},
    device::{BoundDevice, Device, DeviceKey},
    entries::{Entries, Entry, Keep},
    extra::{Extra, Limits},
    id::{Lineage, Secret},
    index::TagDigest,
    methods::Methods,
    own_session::OwnSession,
    policy::SessionPolicy,
    record::Record,
    secrets::Secrets,
    state::State,
    time::Timestamp,
};

pub(in crate::session) const SECRETS: [Secret; 4] = [
    Secret::from_bytes([1; 16]),
    Secret::from_bytes([2; 16]),
    Secret::from_bytes([3; 16]),
    Secret::from_bytes([4; 16]),
];

pub(in crate::session) const fn at(second: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000 + second)
}

pub(in crate::session) fn secrets() -> Secrets {
    let mut secrets = Secrets::new(SECRETS[0].digest());
    secrets.supersede(SECRETS[1].digest(), at(1));
    secrets.renew(SECRETS[2].digest(), at(2), at(12));
    secrets
}

fn own_session() -> OwnSession {
    let entry = Entry {
        name: "own",
        value: b"\"mine\"",
        keep: Keep::Subject,
    };
    OwnSession {
        level: AssuranceLevel::AAL1,
        authenticated_at: at(1),
        elevation: Some(Elevation {
            level: AssuranceLevel::AAL3,
            until: Some(at(400)),
        }),
        absolute_expiry: at(90_000),
        persistent: true,
        methods: Methods::of_login(&["password".into()], at(1)),
        acr: Some("phr".into()),
        entries: Entries::default().with(entry, at(0)),
    }
}

fn extra() -> Extra {
    let mut tags = ["sid-1", "sid-2"].map(|tag| TagDigest::of("shop", tag));
    tags.sort();
    Extra {
        limits: Limits {
            idle: Some(Duration::from_secs(1800)),
            absolute: Some(Duration::from_secs(43_200)),
        },
        tags: tags.into(),
        audience: "shop".into(),
        actor: Some("support".into()),
        own_session: Some(Box::new(own_session())),
        device: Some(Device::Bound(BoundDevice {
            sequence: 1,
            last_proof_at: at(8),
            ..BoundDevice::new(DeviceKey([6; 64]), at(3))
        })),
        ..Extra::default()
    }
}

pub(in crate::session) fn state() -> State {
    let entry = Entry {
        name: "k",
        value: b"\"v\"",
        keep: Keep::Carried,
    };
    State {
        authentication: Some(Authentication {
            subject: "alice".into(),
            level: AssuranceLevel::AAL1,
            authenticated_at: at(1),
            elevation: Some(Elevation {
                level: AssuranceLevel::AAL3,
                until: Some(at(300)),
            }),
        }),
        created_at: at(0),
        last_seen_at: at(9),
        rotated_at: at(2),
        absolute_expiry: at(86_400),
        persistent: true,
        label: Some("Firefox on Linux".into()),
        binding: [7; 32].into(),
        extra: Some(Box::new(extra())),
        entries: Entries::default().with(entry, at(0)),
    }
}

pub(in crate::session) fn record() -> Record {
    Record::of(state(), secrets(), Lineage([9; 8]), &SessionPolicy::aal2())
}
