//! [`Session::update`] and [`Session::take`]: changes of a value that other requests' changes do not undo.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    change::Change,
    data::{DataError, DataKey},
    entries::Entries,
    handle::Session,
    mark::Mark,
    time::Timestamp,
};

/// How often an update runs because something else of the same request wrote the value meanwhile.
const RUNS: usize = 64;

impl Session {
    /// Changes the value under `key`, so that no other request's change is lost.
    ///
    /// `change` gets the value, or `None` where there is none, and returns the next one, or `None` to remove it. It runs
    /// at once, so that later reads of this request see what it made. If another request has changed the value by the
    /// time this one is settled, it runs again, on that value: with a store no change is lost. So it must be pure: it
    /// may run several times, also after the handler has returned; what it should know it captures; and it must not
    /// call methods of the session.
    ///
    /// With self-contained tokens each response carries the session's data as its request changed it, and the browser
    /// keeps the one that came last. Of requests at the same time, one change is kept.
    ///
    /// A guest session begins if there is none; it ends if its last value is removed.
    ///
    /// # Errors
    ///
    /// If what is there is not of the key's type, or the next value cannot be put in, for the reasons that
    /// [`insert`](Self::insert) names. Nothing is changed then. If it fails or panics when it runs again, nothing that the
    /// request has put into the session is kept, and the response becomes 503
    /// ([`DataConflict`](crate::SessionErrorKind::DataConflict)).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Session};
    ///
    /// const CART: DataKey<Vec<u32>> = DataKey::new("cart").carried();
    ///
    /// fn add_to_cart(session: &Session, item: u32) -> Result<(), DataError> {
    ///     session.update(&CART, move |cart| {
    ///         let mut cart = cart.unwrap_or_default();
    ///         cart.push(item);
    ///         Some(cart)
    ///     })
    /// }
    /// ```
    pub fn update<T, F>(&self, key: &DataKey<T>, change: F) -> Result<(), DataError>
    where
        T: Serialize + DeserializeOwned + 'static,
        F: Fn(Option<T>) -> Option<T> + Send + Sync + 'static,
    {
        let named = |error: DataError| error.under(key.name());
        let at = self.0.environment.now();
        let mut update = Change::of(key, at, change);
        let mut run_on = self.entries_for_marks().map_err(named)?;
        for _ in 0..RUNS {
            // Without the lock: it is the application's code.
            update.run(&run_on, at)?;
            match self.mark_update(&update, at).map_err(named)? {
                None => return Ok(()),
                Some(changed) => run_on = changed,
            }
        }
        Err(named(DataError::contended()))
    }

    /// Takes the value under `key` out of the session, if there is one.
    ///
    /// With a store, one of several requests at the same time gets it: where another has taken or changed the value by the
    /// time this one is settled, the response becomes 503 ([`DataConflict`](crate::SessionErrorKind::DataConflict)) and
    /// nothing that the request has put into the session is kept. With self-contained tokens each of them may get it, and so
    /// may whoever puts an older cookie back.
    ///
    /// A guest session ends if it was the last value.
    ///
    /// # Errors
    ///
    /// If what is there is not of the key's type, or if the response's head has left already. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Session};
    ///
    /// const NOTICE: DataKey<String> = DataKey::new("notice").once();
    ///
    /// fn notice(session: &Session) -> Result<String, DataError> {
    ///     Ok(session.take(&NOTICE)?.unwrap_or_default())
    /// }
    /// ```
    pub fn take<T>(&self, key: &DataKey<T>) -> Result<Option<T>, DataError>
    where
        T: Serialize + DeserializeOwned,
    {
        let named = |error: DataError| error.under(key.name());
        let at = self.0.environment.now();
        let mut entries = self.look(|_, entries| entries.clone());
        for _ in 0..RUNS {
            let Some(value) = entries.get(key.name(), at) else {
                return Ok(None);
            };
            let taken = DataKey::decode(value).map_err(named)?;
            let change = Change::taking(key.name(), value, key.keep(at));
            match self.mark_update(&change, at).map_err(named)? {
                None => return Ok(Some(taken)),
                Some(changed) => entries = changed,
            }
        }
        Err(named(DataError::contended()))
    }

    /// The data as the marks so far leave it.
    fn entries_for_marks(&self) -> Result<Entries, DataError> {
        let mut pending = self.pending();
        if self.is_late(&pending) {
            return Err(DataError::too_late());
        }
        Ok(self.draft(&mut pending).entries.clone())
    }

    /// Marks an update, unless it ran on another value than is there now: then that data.
    fn mark_update(&self, update: &Change, at: Timestamp) -> Result<Option<Entries>, DataError> {
        let mut pending = self.pending();
        if self.is_late(&pending) {
            return Err(DataError::too_late());
        }
        let draft = self.draft(&mut pending);
        if !update.fits(&draft.entries, at) {
            return Ok(Some(draft.entries.clone()));
        }
        let next = update.apply(&draft.entries, at);
        let len = next.map_or(0, |entries| entries.len());
        let room = self.0.environment.data_budget();
        if draft.reserved_len() + len > room && len > draft.entries.len() {
            return Err(DataError::too_large());
        }
        let mark = Mark::Update(update.clone());
        draft.apply(self.live(), &mark, at);
        pending.marks.push((at, mark));
        Ok(None)
    }
}
