//! Style sheet, scripts and icon: the same for everybody, outside the session layer.

use axum::{Router, http::header, routing::get};

/// What needs no session, and so waits for no proof of a device either.
pub(crate) const PATHS: [&str; 4] = ["/style.css", "/live.js", "/time-left.js", "/icon.svg"];

pub(crate) fn router() -> Router {
    let script = "text/javascript; charset=utf-8";
    let files = [
        (
            "text/css; charset=utf-8",
            include_str!("../../assets/style.css"),
        ),
        (script, include_str!("../../assets/live.js")),
        (script, include_str!("../../assets/time-left.js")),
        ("image/svg+xml", include_str!("../../assets/icon.svg")),
    ];
    let mut router = Router::new();
    for (path, (kind, text)) in PATHS.into_iter().zip(files) {
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "max-age=600"),
        ];
        router = router.route(path, get(async move || (headers, text)));
    }
    router
}
