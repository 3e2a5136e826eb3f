//! What an outer router took off a request's path.

use http::{Extensions, Uri};

use crate::{device::paths::Paths, original_uri::original_uri};

/// What an outer router took off a request's path, such as `/app`; empty if nothing.
///
/// None if a browser would not read it as it is written: then nothing below it can be named to browsers.
pub(super) fn prefix_of(uri: &Uri, extensions: &Extensions) -> Option<String> {
    let Some(original) = original_uri(extensions) else {
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
