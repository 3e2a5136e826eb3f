//! What a developer got wrong, said when a request meets it: in the log, and in debug builds as the answer's body.

use std::{any::Any, fmt};

use bytes::Bytes;

/// That there is no session layer around what needs one, and where to put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissingLayer {
    /// The name of the type that needs it.
    pub(crate) needing: &'static str,
    /// Its parameter, of one that has one.
    pub(crate) level: Option<u8>,
}

impl MissingLayer {
    pub(crate) const fn around(needing: &'static str) -> Self {
        Self {
            needing,
            level: None,
        }
    }
}

/// Where a session layer has to stand.
pub(crate) const WHERE_TO_PUT_THE_LAYER: &str = "write `.layer(sessions)` after the route and after its guards, since axum applies \
    a layer to the routes added before it, and a later layer lies further out (in a ServiceBuilder, the first one does)";

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}", self.needing)?;
        if let Some(level) = self.level {
            write!(f, "<{level}>")?;
        }
        write!(
            f,
            "` needs a `SessionLayer` around it, and there is none: {WHERE_TO_PUT_THE_LAYER}"
        )
    }
}

/// Says it in the log. Called once an answer.
#[cold]
pub(crate) fn tell(what: &dyn fmt::Display) {
    tracing::error!(target: "tower_session_guard", "{what}");
}

/// The body of an answer that a mistake of the application brought about: what to write instead in debug builds,
/// nothing in release builds.
#[cold]
pub(crate) fn body<B>(what: &dyn fmt::Display) -> B
where
    B: Default + 'static,
{
    let mut body = B::default();
    if cfg!(debug_assertions) {
        let text = format!("{what}\n");
        let _ = BODIES.iter().any(|fill| fill(&mut body, &text));
    }
    body
}

/// Fill a body with a text if they know its type.
const BODIES: &[fn(&mut dyn Any, &str) -> bool] = &[
    #[cfg(feature = "axum")]
    |body, text| fill(body, || axum_core::body::Body::from(text.to_owned())),
    |body, text| fill(body, || text.to_owned()),
    |body, text| fill(body, || text.as_bytes().to_vec()),
    |body, text| fill(body, || Bytes::copy_from_slice(text.as_bytes())),
];

fn fill<T>(body: &mut dyn Any, with: impl FnOnce() -> T) -> bool
where
    T: 'static,
{
    let known = body.downcast_mut::<T>();
    known.map(|body| *body = with()).is_some()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{MissingLayer, body};

    /// S19: a body of a known type says it; another one stays as it is.
    #[test]
    fn a_mistake_is_said_in_the_body_of_a_debug_build() {
        let what = MissingLayer {
            level: Some(2),
            ..MissingLayer::around("AuthenticatedAt")
        };
        let said = if cfg!(debug_assertions) {
            format!("{what}\n")
        } else {
            String::new()
        };
        assert_eq!(body::<String>(&what), said);
        assert_eq!(body::<Vec<u8>>(&what), said.as_bytes());
        assert_eq!(body::<Bytes>(&what), said.as_bytes());
        assert_eq!(body::<u64>(&what), 0);
        assert!(
            what.to_string()
                .starts_with("`AuthenticatedAt<2>` needs a `SessionLayer` around it")
        );
    }
}
