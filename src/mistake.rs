//! What a developer got wrong, said when a request meets it: in the log, and in debug builds as the answer's body.

use std::{any::Any, fmt};

use bytes::Bytes;

/// What was used where no session layer is around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needing {
    Session,
    AuthenticatedSession,
    AuthenticatedSessionIfAny,
    AuthenticatedAt(u8),
    RequireAuthentication,
    CsrfLayer,
}

impl fmt::Display for Needing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session => f.write_str("Session"),
            Self::AuthenticatedSession => f.write_str("AuthenticatedSession"),
            Self::AuthenticatedSessionIfAny => f.write_str("Option<AuthenticatedSession>"),
            Self::AuthenticatedAt(level) => write!(f, "AuthenticatedAt<{level}>"),
            Self::RequireAuthentication => f.write_str("RequireAuthentication"),
            Self::CsrfLayer => f.write_str("CsrfLayer"),
        }
    }
}

/// That there is no session layer around what needs one, and where to put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissingLayer(pub(crate) Needing);

/// Where a session layer has to stand.
pub(crate) const WHERE_TO_PUT_THE_LAYER: &str = "write `.layer(sessions)` after the route and after its guards, since axum applies \
    a layer to the routes added before it, and a later layer lies further out (in a ServiceBuilder, the first one does)";

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(needing) = self;
        write!(
            f,
            "`{needing}` needs a `SessionLayer` around it, and there is none: {WHERE_TO_PUT_THE_LAYER}"
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

    use super::{MissingLayer, Needing, body};

    /// S19: a body of a known type says it; another one stays as it is.
    #[test]
    fn a_mistake_is_said_in_the_body_of_a_debug_build() {
        let what = MissingLayer(Needing::AuthenticatedAt(2));
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
