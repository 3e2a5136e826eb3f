//! What a person recognises a browser by.

use axum::http::{HeaderMap, header};

/// "Firefox on Linux", from what the browser says of itself.
pub(crate) fn label(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
    let first = |words: &[(&str, &'static str)], or: &'static str| {
        let word = words.iter().find(|(word, _)| agent.contains(word));
        word.map_or(or, |(_, name)| name)
    };
    let browsers = [
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let browser = first(&browsers, "A browser");
    format!("{browser} on {}", first(&systems, "an unknown system"))
}
