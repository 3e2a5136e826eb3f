//! What an outer router took off a request's path.

use http::{Extensions, Uri};

use crate::device::paths::Paths;

/// What an outer router took off a request's path, such as `/app`; empty if nothing.
///
/// None if a browser would not read it as it is written: then nothing below it can be named to browsers.
pub(super) fn prefix_of(uri: &Uri, extensions: &Extensions) -> Option<String> {
    let original = ORIGINALS.iter().find_map(|original| original(extensions));
    let Some(original) = original else {
        return Some(String::new());
    };
    let prefix = original.path().strip_suffix(uri.path()).or_else(|| {
        // The root of a nested router may be asked for without the slash at its end.
        (uri.path() == "/").then(|| original.path())
    })?;
    if !prefix.is_empty() {
        Paths::below(prefix).ok()?;
    }
    Some(prefix.to_owned())
}

/// Routers that keep the URI that the browser asked for.
const ORIGINALS: &[fn(&Extensions) -> Option<&Uri>] = &[
    #[cfg(feature = "axum")]
    |extensions| {
        let original = extensions.get::<axum::extract::OriginalUri>();
        original.map(|original| &original.0)
    },
];
