//! [`field`]: what `Debug` shows of one field.

/// The value of the first field of this name in the outermost struct that has one.
pub(crate) fn field(shown: &str, name: &str) -> String {
    let begin = format!("{name}: ");
    let at = shown
        .match_indices(&begin)
        .find(|(at, _)| shown[..*at].ends_with("{ ") || shown[..*at].ends_with(", "));
    let (at, _) = at.unwrap_or_else(|| panic!("no field {name} in {shown}"));
    let value = &shown[at + begin.len()..];
    let mut depth = 0;
    let end = value.find(|c| match c {
        '{' | '(' | '[' => {
            depth += 1;
            false
        }
        '}' | ')' | ']' if depth > 0 => {
            depth -= 1;
            false
        }
        ',' | '}' => depth == 0,
        _ => false,
    });
    value[..end.unwrap_or(value.len())].trim_end().to_owned()
}
