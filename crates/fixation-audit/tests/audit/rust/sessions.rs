//! The store, and what a login, an elevation and a logout do to it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::rngs::SysRng;
use rand::{Rng as _, rand_core::UnwrapErr};

use super::cookie::{GUEST, SESSION};
use super::{Faults, Spelling};

#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) subject: Option<String>,
    pub(crate) level: u8,
    pub(crate) data: String,
    pub(crate) csrf: String,
}

pub(crate) struct Sessions {
    pub(crate) faults: Faults,
    pub(crate) spelling: Spelling,
    pub(crate) records: Mutex<HashMap<String, Record>>,
    pub(crate) key: [u8; 32],
    issued: AtomicU32,
}

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

pub(crate) fn random() -> String {
    format!("{:032x}", u128::from_ne_bytes(bytes()))
}

impl Sessions {
    pub(crate) fn new(faults: Faults, spelling: Spelling) -> Self {
        Self {
            faults,
            spelling,
            records: Mutex::default(),
            key: bytes(),
            issued: AtomicU32::new(1_000),
        }
    }

    /// Before the login another cookie than after it, unless that is the fault.
    pub(crate) fn guest_name(&self) -> &'static str {
        match (self.shares_name(), self.faults.bare_cookie) {
            (true, _) => self.session_name(),
            (false, true) => "visitor",
            (false, false) => GUEST,
        }
    }

    pub(crate) fn session_name(&self) -> &'static str {
        if self.faults.bare_cookie {
            "id"
        } else {
            SESSION
        }
    }

    fn shares_name(&self) -> bool {
        let Faults {
            never_rotates,
            respells,
            one_name_for_all,
            adopts_unknown,
            query_to_cookie,
            ..
        } = self.faults;
        never_rotates || respells || one_name_for_all || adopts_unknown || query_to_cookie
    }

    pub(crate) fn load(&self, id: Option<&str>) -> Option<(String, Record)> {
        let id = id?;
        let record = self.records.lock().unwrap().get(id)?.clone();
        Some((id.to_owned(), record))
    }

    pub(crate) fn fresh_id(&self) -> String {
        if self.faults.counts {
            return format!("{:06}", self.issued.fetch_add(1, Ordering::Relaxed));
        }
        random()
    }

    /// A guest's session under a new id, or under the client's own where that is the fault.
    pub(crate) fn start(&self, presented: Option<&str>) -> (String, Record) {
        let adopted =
            presented.filter(|_| self.faults.adopts_unknown || self.faults.query_to_cookie);
        let id = adopted.map_or_else(|| self.fresh_id(), ToOwned::to_owned);
        let record = Record {
            csrf: random(),
            ..Record::default()
        };
        self.save(&id, record.clone());
        (id, record)
    }

    pub(crate) fn save(&self, id: &str, record: Record) {
        self.records.lock().unwrap().insert(id.to_owned(), record);
    }

    /// Changes what is there and creates nothing, unless that is the fault.
    pub(crate) fn update(&self, id: &str, record: Record) {
        if self.faults.saves_blindly || self.records.lock().unwrap().contains_key(id) {
            self.save(id, record);
        }
    }

    pub(crate) fn end(&self, id: &str) {
        self.records.lock().unwrap().remove(id);
    }

    pub(crate) fn log_in(
        &self,
        old: Option<(String, Record)>,
        presented: Option<&str>,
        user: &str,
    ) -> String {
        let faults = self.faults;
        let same_user = old
            .as_ref()
            .is_some_and(|(_, old)| old.subject.as_deref() == Some(user));
        let adopted = presented.filter(|_| faults.adopts_unknown && old.is_none());
        let keeps =
            faults.never_rotates || faults.respells || (faults.keeps_at_reauth && same_user);
        let id = match (&old, adopted) {
            (Some((id, _)), _) if keeps => id.clone(),
            (_, Some(chosen)) => chosen.to_owned(),
            _ => self.fresh_id(),
        };
        let (data, csrf) = match &old {
            Some((_, old)) if faults.carries_data || keeps => (old.data.clone(), old.csrf.clone()),
            _ => (String::new(), random()),
        };
        self.save(
            &id,
            Record {
                subject: Some(user.to_owned()),
                level: 1,
                data,
                csrf,
            },
        );
        if let Some((old, _)) = old
            && old != id
        {
            self.end(&old);
        }
        id
    }

    pub(crate) fn elevate(&self, id: &str, record: Record) -> String {
        let faults = self.faults;
        let raised = Record { level: 2, ..record };
        if faults.never_rotates || faults.respells || faults.keeps_at_elevation {
            self.save(id, raised);
            return id.to_owned();
        }
        let new = self.fresh_id();
        self.save(&new, raised);
        if !faults.leaves_old_at_elevation {
            self.end(id);
        }
        new
    }

    pub(crate) fn log_out(&self, id: &str) {
        if !self.faults.logout_in_browser_only {
            self.end(id);
        }
    }
}
