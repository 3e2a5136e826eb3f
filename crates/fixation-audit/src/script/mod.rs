//! How the audited application is used: steps, what to pick from answers, and who is logged in.

mod account;
mod flow;
mod html;
mod pick;
mod probe;
mod step;

pub use account::Account;
pub use flow::Flow;
pub use pick::Pick;
pub use probe::Probe;
pub use step::Step;

pub(super) use step::Body;

/// Values that steps refer to as `{name}`.
pub(super) type Variables = std::collections::BTreeMap<String, String>;

/// Replaces every `{name}` that is known; others, and lone braces, stay.
pub(super) fn substitute(text: &str, variables: &Variables) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest
            .find('}')
            .and_then(|end| Some((end, variables.get(&rest[1..end])?)));
        match known {
            Some((end, value)) => {
                out.push_str(value);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{Variables, substitute};

    #[test]
    fn only_known_names_are_replaced() {
        let variables = Variables::from([("user".to_owned(), "al{x}ice".to_owned())]);
        assert_eq!(
            substitute("{user}/{x}/{/}{user}", &variables),
            "al{x}ice/{x}/{/}al{x}ice"
        );
    }
}
