//! Who may import whom.

use super::sources::root;

/// A crate's folder, the crates of ours that it may import, and crates that it may not.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("emulators/core", &[], &["tokio", "axum", "hyper", "notify", "tempfile"]),
    ("emulators/engine", &["mlemu-core"], &["axum", "hyper", "hyper-util", "tonic"]),
    ("emulators/sandbox", &["mlemu-core"], &["axum", "hyper", "hyper-util", "tonic"]),
    ("emulators/bundle", &["mlemu-core"], &["axum", "hyper", "hyper-util", "tonic"]),
    ("emulators/onnx", &[], &["tokio", "axum", "hyper", "hyper-util", "tonic"]),
    ("emulators/aws", &["mlemu-core", "mlemu-engine"], &["mlemu-sandbox", "mlemu-bundle", "notify"]),
    ("emulators/gcp", &["mlemu-core", "mlemu-engine"], &["mlemu-sandbox", "mlemu-bundle", "notify"]),
    ("emulators/azure", &["mlemu-core", "mlemu-engine"], &["mlemu-sandbox", "mlemu-bundle", "notify"]),
    ("event-fixtures", &[], &["tokio", "axum", "hyper"]),
];

pub fn broken() -> Vec<String> {
    let mut broken: Vec<String> = TABLE
        .iter()
        .flat_map(|(folder, may, never)| {
            let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml"));
            check(folder, &manifest.expect("a manifest"), may, never)
        })
        .collect();
    for entry in std::fs::read_dir(root().join("emulators")).expect("emulators").filter_map(Result::ok) {
        let folder = format!("emulators/{}", entry.file_name().to_string_lossy());
        if !TABLE.iter().any(|(known, ..)| *known == folder) {
            broken.push(format!("{folder}: not in the import table of tests/tidy/imports.rs"));
        }
    }
    broken
}

/// The manifest's own dependencies; what tests alone use is not looked at.
fn check(folder: &str, manifest: &str, may: &[&str], never: &[&str]) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest that parses");
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = dependencies.into_iter().flat_map(|table| table.keys());
    names
        .filter(|name| {
            never.contains(&name.as_str()) || (name.starts_with("mlemu") && !may.contains(&name.as_str()))
        })
        .map(|name| format!("{folder} may not import {name}"))
        .collect()
}

#[test]
fn the_rule_finds_what_breaks_it() {
    let manifest = "[dependencies]\nmlemu-aws = \"1\"\nserde = \"1\"\naxum.workspace = true\n[dev-dependencies]\nmlemu-gcp = \"1\"";
    let broken = check("emulators/engine", manifest, &["mlemu-core"], &["axum"]);
    assert_eq!(broken.len(), 2, "{broken:?}");
}
