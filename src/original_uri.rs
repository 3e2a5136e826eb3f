//! The URI of a request before a router took a prefix off it.

use http::{Extensions, Uri};

/// The URI that the browser asked for, if a router has taken a prefix off and kept it.
pub(crate) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    ORIGINALS.iter().find_map(|original| original(extensions))
}

/// Routers that keep the URI that the browser asked for.
const ORIGINALS: &[fn(&Extensions) -> Option<&Uri>] = &[
    #[cfg(feature = "axum")]
    |extensions| {
        let original = extensions.get::<axum::extract::OriginalUri>();
        original.map(|original| &original.0)
    },
];
