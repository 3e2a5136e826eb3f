//! The file that findings point to in a SARIF log.

use std::env;
use std::path::Path;

/// What was named; else the description; else, on GitHub, the workflow that holds the flags.
pub(crate) fn find(named: Option<String>, config: Option<&Path>) -> Option<String> {
    named
        .or_else(|| config.map(relative))
        .or_else(|| workflow(&env::var("GITHUB_WORKFLOW_REF").ok()?))
}

/// A path below the root of the sources, where it is there: services take no other.
fn relative(file: &Path) -> String {
    let root = env::var_os("GITHUB_WORKSPACE").map(Into::into);
    let root = root.or_else(|| env::current_dir().ok());
    let inside = root
        .as_deref()
        .and_then(|root| file.strip_prefix(root).ok());
    inside.unwrap_or(file).to_string_lossy().into_owned()
}

/// `owner/name/.github/workflows/audit.yml@refs/heads/main`
fn workflow(reference: &str) -> Option<String> {
    let (path, _) = reference.split_once('@')?;
    let path = path.splitn(3, '/').nth(2)?;
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{find, relative, workflow};

    #[test]
    fn the_file_is_named_relative_to_the_sources() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(relative(&here.join("ci/audit.toml")), "ci/audit.toml");
        assert_eq!(relative(Path::new("ci/audit.toml")), "ci/audit.toml");
        assert_eq!(
            find(Some("x".to_owned()), Some(Path::new("y"))).as_deref(),
            Some("x")
        );
        let reference = "o/n/.github/workflows/audit.yml@refs/heads/main";
        assert_eq!(
            workflow(reference).as_deref(),
            Some(".github/workflows/audit.yml")
        );
        assert_eq!(workflow("odd"), None);
    }
}
