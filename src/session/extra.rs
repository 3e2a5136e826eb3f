//! [`Extra`]: what a session has beyond the basic state, and its encoding as tagged blocks.

use std::time::Duration;

use smol_str::SmolStr;

use super::{
    authentication::Subject,
    codec::{Malformed, Reader, put_bytes, put_varint},
    device::{BoundDevice, Device, Thumbprint},
    id::SessionId,
    index::TagDigest,
    methods::Methods,
    own_session::OwnSession,
};

/// Set in a block's tag: a release that does not know the block must not read the session without it.
const MUST_UNDERSTAND: u8 = 1 << 7;

const LIMITS: u8 = 1;
const FAMILY: u8 = 2;
const TAGS: u8 = 3;
const AUDIENCE: u8 = 4 | MUST_UNDERSTAND;
const ACTOR: u8 = 5 | MUST_UNDERSTAND;
/// Without it a thief's request would be the device's.
const DEVICE: u8 = 6 | MUST_UNDERSTAND;
/// A release that does not know it binds no session.
const EXPECTED_DEVICE: u8 = 7;
const METHODS: u8 = 8;
const ACR: u8 = 9;
/// Without it nobody would return, and the actor's level would not hold down the one that acts.
const OWN_SESSION: u8 = 10 | MUST_UNDERSTAND;

/// How many tags a session may have.
pub(crate) const MAX_TAGS: usize = 8;

/// The longest name of an authentication context class, in bytes.
pub(crate) const MAX_ACR_LEN: usize = 64;

/// The longest audience, in bytes.
pub(crate) const MAX_AUDIENCE_LEN: usize = 255;

/// What a session has beyond the basic state; most sessions have nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) limits: Limits,
    /// The id of the login, where the session's own id is another by now.
    pub(crate) family: Option<SessionId>,
    /// Sorted, without duplicates.
    pub(crate) tags: Box<[TagDigest]>,
    /// The application that the session is for; empty in a token, whose MAC says it.
    pub(crate) audience: Box<str>,
    /// Who acts as the session's subject.
    pub(crate) actor: Option<Subject>,
    /// The device that the session belongs to.
    pub(crate) device: Option<Device>,
    pub(crate) methods: Methods,
    /// The authentication context class that an identity provider named.
    pub(crate) acr: Option<SmolStr>,
    /// What the actor's own session was, if somebody acts as the subject.
    pub(crate) own_session: Option<Box<OwnSession>>,
    /// Blocks of a later release that need not be understood, as they came: tags and contents, sorted.
    pub(super) unknown: Vec<(u8, Box<[u8]>)>,
}

/// The limits that a login asked for, in place of the policy's where they are stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
}

impl Limits {
    pub(crate) const NONE: Self = Self {
        idle: None,
        absolute: None,
    };
}

impl Extra {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a block of a later release.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn add_unknown(&mut self, tag: u8, content: &[u8]) {
        self.unknown.push((tag, content.into()));
    }

    /// Appends the blocks: how many, then each as its tag, its length and its content, by ascending tag.
    ///
    /// There is at least one: a session without extras has no blocks and no count of them.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        let known = [
            LIMITS,
            FAMILY,
            TAGS,
            AUDIENCE,
            ACTOR,
            DEVICE,
            EXPECTED_DEVICE,
            METHODS,
            ACR,
            OWN_SESSION,
        ];
        let known = known
            .into_iter()
            .filter_map(|tag| Some((tag, self.content(tag)?)));
        let later = self
            .unknown
            .iter()
            .map(|(tag, bytes)| (*tag, bytes.to_vec()));
        let mut blocks: Vec<_> = known.chain(later).collect();
        blocks.sort_by_key(|(tag, _)| order(*tag));
        put_varint(out, blocks.len() as u64);
        for (tag, content) in blocks {
            out.push(tag);
            put_bytes(out, &content);
        }
    }

    /// What a block holds, if the session has it.
    fn content(&self, tag: u8) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match tag {
            LIMITS if self.limits != Limits::NONE => {
                // Zero stands for none: a limit is at least a second.
                for limit in [self.limits.idle, self.limits.absolute] {
                    put_varint(&mut out, limit.map_or(0, |limit| limit.as_secs()));
                }
            }
            FAMILY => out.extend_from_slice(self.family?.as_bytes()),
            TAGS if !self.tags.is_empty() => {
                for tag in &self.tags {
                    out.extend_from_slice(&tag.0);
                }
            }
            AUDIENCE if !self.audience.is_empty() => {
                out.extend_from_slice(self.audience.as_bytes());
            }
            ACTOR => out.extend_from_slice(self.actor.as_ref()?.as_str().as_bytes()),
            DEVICE => match self.device.as_ref()? {
                Device::Bound(device) => device.encode_into(&mut out),
                Device::Expected(_) => return None,
            },
            EXPECTED_DEVICE => match self.device.as_ref()? {
                Device::Expected(thumbprint) => out.extend_from_slice(&thumbprint.0),
                Device::Bound(_) => return None,
            },
            METHODS if !self.methods.is_empty() => self.methods.encode_into(&mut out),
            ACR => out.extend_from_slice(self.acr.as_ref()?.as_bytes()),
            OWN_SESSION => self.own_session.as_ref()?.encode_into(&mut out),
            _ => return None,
        }
        Some(out)
    }

    /// The extras that the blocks say, in the one spelling that [`encode_into`](Self::encode_into) has.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut extra = Self::default();
        let count = reader.varint()?;
        if count == 0 {
            return Err(Malformed);
        }
        let mut last = None;
        for _ in 0..count {
            let tag = reader.byte()?;
            if last.is_some_and(|last| order(tag) <= last) {
                return Err(Malformed);
            }
            last = Some(order(tag));
            extra.read_block(tag, reader.bytes()?)?;
        }
        Ok(extra)
    }

    fn read_block(&mut self, tag: u8, content: &[u8]) -> Result<(), Malformed> {
        let text = || str::from_utf8(content).map_err(|_| Malformed);
        match tag {
            LIMITS => self.limits = Limits::read(content)?,
            FAMILY => {
                let id = content.try_into().map_err(|_| Malformed)?;
                self.family = Some(SessionId::from_bytes(id));
            }
            TAGS => self.tags = read_tags(content)?,
            AUDIENCE if !content.is_empty() && content.len() <= MAX_AUDIENCE_LEN => {
                self.audience = text()?.into();
            }
            ACTOR => {
                let actor = Subject::from(text()?);
                self.actor = Some(Some(actor).filter(Subject::is_valid).ok_or(Malformed)?);
            }
            DEVICE => self.device = Some(Device::Bound(BoundDevice::read(content)?)),
            EXPECTED_DEVICE if self.device.is_none() => {
                let thumbprint = content.try_into().map_err(|_| Malformed)?;
                self.device = Some(Device::Expected(Thumbprint(thumbprint)));
            }
            METHODS => self.methods = Methods::read(content)?,
            ACR if !content.is_empty() && content.len() <= MAX_ACR_LEN => {
                self.acr = Some(SmolStr::new(text()?));
            }
            OWN_SESSION if self.actor.is_some() => {
                let own = OwnSession::read(content)?;
                if own.acr.as_ref().is_some_and(|acr| acr.len() > MAX_ACR_LEN) {
                    return Err(Malformed);
                }
                self.own_session = Some(Box::new(own));
            }
            // A bound session expects no device any more.
            AUDIENCE | EXPECTED_DEVICE | ACR | OWN_SESSION => return Err(Malformed),
            _ if tag & MUST_UNDERSTAND != 0 => return Err(Malformed),
            _ => self.unknown.push((tag, content.into())),
        }
        Ok(())
    }
}

impl Limits {
    fn read(content: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content);
        let mut limit = || {
            let seconds = reader.varint()?;
            Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
        };
        let limits = Self {
            idle: limit()?,
            absolute: limit()?,
        };
        if limits == Self::NONE || !reader.is_empty() {
            return Err(Malformed);
        }
        Ok(limits)
    }
}

/// A block's place: its tag without the mark, so that a release may make a block one to be understood.
const fn order(tag: u8) -> u8 {
    tag & !MUST_UNDERSTAND
}

fn read_tags(content: &[u8]) -> Result<Box<[TagDigest]>, Malformed> {
    let (chunks, rest) = content.as_chunks();
    let tags: Box<[_]> = chunks.iter().map(|chunk| TagDigest(*chunk)).collect();
    if tags.is_empty()
        || tags.len() > MAX_TAGS
        || !rest.is_empty()
        || !tags.is_sorted_by(|a, b| a < b)
    {
        return Err(Malformed);
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Extra, Limits, MUST_UNDERSTAND, Methods};
    use crate::session::{
        authentication::{AssuranceLevel, Elevation},
        codec::{Malformed, Reader},
        device::{BoundDevice, Device, DeviceKey, Thumbprint},
        entries::Entries,
        id::SessionId,
        index::TagDigest,
        own_session::OwnSession,
        tests::full::at,
    };

    pub(crate) fn full() -> Extra {
        Extra {
            limits: Limits {
                idle: Some(Duration::from_secs(300)),
                absolute: Some(Duration::from_secs(3600)),
            },
            family: Some(SessionId::from_bytes([3; 16])),
            tags: [TagDigest([1; 16]), TagDigest([2; 16])].into(),
            audience: "shop".into(),
            actor: Some("support".into()),
            device: Some(Device::Bound(BoundDevice::new(DeviceKey([4; 64]), at(7)))),
            methods: Methods::of_login(&["password".into()], at(7)),
            acr: Some("phr".into()),
            own_session: Some(Box::new(own_session())),
            unknown: Vec::new(),
        }
    }

    fn own_session() -> OwnSession {
        OwnSession {
            level: AssuranceLevel::AAL1,
            authenticated_at: at(7),
            elevation: Some(Elevation {
                level: AssuranceLevel::AAL2,
                until: Some(at(300)),
            }),
            absolute_expiry: at(900),
            persistent: true,
            methods: Methods::of_login(&["passkey".into()], at(7)),
            acr: Some("phr".into()),
            entries: Entries::default(),
        }
    }

    fn read(bytes: &[u8]) -> Result<Extra, Malformed> {
        let mut reader = Reader::new(bytes);
        let extra = Extra::read(&mut reader)?;
        reader.is_empty().then_some(extra).ok_or(Malformed)
    }

    fn written(extra: &Extra) -> Vec<u8> {
        let mut out = Vec::new();
        extra.encode_into(&mut out);
        out
    }

    #[test]
    fn blocks_are_read_back_and_every_cut_is_malformed() {
        let bytes = written(&full());
        assert_eq!(read(&bytes), Ok(full()));
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), Err(Malformed), "{len}");
        }
    }

    #[test]
    fn a_later_releases_block_is_kept_or_refused_as_it_says() {
        let mut with = written(&full());
        with[0] += 1;
        with.extend_from_slice(&[100, 2, 7, 7]);
        let kept = read(&with).unwrap();
        assert_eq!(written(&kept), with);
        let at = with.len() - 4;
        with[at] |= MUST_UNDERSTAND;
        assert_eq!(read(&with), Err(Malformed));
    }

    #[test]
    fn a_session_is_bound_to_a_device_or_expects_one() {
        let expected = Extra {
            device: Some(Device::Expected(Thumbprint([5; 32]))),
            ..Extra::default()
        };
        let bytes = written(&expected);
        assert_eq!(bytes[..3], [1, 7, 32]);
        assert_eq!(read(&bytes), Ok(expected));
        for len in [31, 33] {
            let other = [&[1, 7, len][..], &vec![5; usize::from(len)]].concat();
            assert_eq!(read(&other), Err(Malformed));
        }
        let bound = Extra {
            device: full().device,
            ..Extra::default()
        };
        let mut both = written(&bound);
        // Only a release that knows the block may open the session.
        assert_eq!(both[..2], [1, 6 | MUST_UNDERSTAND]);
        both[0] += 1;
        both.extend_from_slice(&bytes[1..]);
        assert_eq!(read(&both), Err(Malformed));
    }

    #[test]
    fn what_an_actors_session_was_has_one_spelling_and_an_actor() {
        let plain = [&[1, 0x8A, 6, 0, 1, 0, 0, 0, 0][..]].concat();
        let actor = [0x85, 1, b'a'];
        let with = |content: &[u8]| {
            let head = [2, actor[0], actor[1], actor[2], 0x8A, content.len() as u8];
            read(&[&head[..], content].concat())
        };
        assert!(with(&plain[3..]).is_ok());
        assert_eq!(read(&plain), Err(Malformed), "nobody acts");
        for content in [
            // Too short, too long.
            &[][..],
            &[0, 1, 0, 0, 0],
            &[0, 1, 0, 0, 0, 0, 0],
            // A flag that is none, and a time of no elevation.
            &[8, 1, 0, 0, 0, 0],
            &[2, 1, 0, 0, 9, 0, 0],
            // No level, and no level of an elevation.
            &[0, 0, 0, 0, 0, 0],
            &[1, 1, 0, 0, 0, 0, 0],
            // A class that is too long.
            &[&[0, 1, 0, 0, 0, 65][..], &[b'x'; 65]].concat(),
        ] {
            assert_eq!(with(content), Err(Malformed), "{content:?}");
        }
    }

    #[test]
    fn blocks_have_one_spelling() {
        for bytes in [
            &[0][..],
            // Empty blocks, and limits that limit nothing.
            &[1, 1, 0],
            &[1, 1, 2, 0, 0],
            &[1, 3, 0],
            &[1, 0x84, 0],
            &[1, 0x85, 0],
            &[1, 0x86, 0],
            &[1, 7, 0],
            // Out of order, and twice.
            &[2, 9, 0, 8, 0],
            &[2, 9, 0, 9, 0],
            &[2, 9, 0, 9 | MUST_UNDERSTAND, 0],
            // A known tag with another mark is another block.
            &[1, 4, 1, b'a', 0],
        ] {
            assert_eq!(read(bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
