//! [`packages`]: what `cargo metadata` says of the members of the workspace.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) json: Value,
}

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) requirement: String,
    kind: Option<String>,
}

impl Dependency {
    pub(crate) fn is_development(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Package {
    pub(crate) fn is_published(&self) -> bool {
        self.json["publish"].is_null()
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        let text = self.json[key].as_str();
        text.unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    pub(crate) fn texts(&self, key: &str) -> Vec<&str> {
        let texts = self.json[key].as_array().unwrap().iter();
        texts.map(|text| text.as_str().unwrap()).collect()
    }

    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let dependencies = self.json["dependencies"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let dependency = |json: &Value| Dependency {
            name: text(&json["name"]).unwrap(),
            requirement: text(&json["req"]).unwrap(),
            kind: text(&json["kind"]),
        };
        dependencies.map(dependency).collect()
    }

    /// The paths of what the published package holds.
    pub(crate) fn files(&self) -> Vec<String> {
        let listed = cargo(&["package", "--list", "--allow-dirty", "-p", &self.name]);
        listed.lines().map(|path| path.replace('\\', "/")).collect()
    }
}

pub(crate) fn packages() -> Vec<Package> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let package = |json: &Value| Package {
        name: json["name"].as_str().unwrap().to_owned(),
        folder: Path::new(json["manifest_path"].as_str().unwrap())
            .parent()
            .unwrap()
            .to_owned(),
        json: json.clone(),
    };
    packages.map(package).collect()
}

pub(crate) fn published() -> Vec<Package> {
    let mut packages = packages();
    packages.retain(Package::is_published);
    packages
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
