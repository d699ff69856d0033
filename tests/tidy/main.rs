//! The house rules, as tests: what ARCHITECTURE.md promises is checked here.
//!
//! Each rule is a function from the sources to the lines that break it, so that a broken rule names its
//! place. The rules themselves are tried on small samples, so that none of them can pass by sleeping.

mod imports;
mod sizes;
mod sources;
mod words;

use sources::{Source, rust_sources};

#[track_caller]
fn clean(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn each(rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let sources = rust_sources();
    assert!(sources.len() > 40, "only {} sources found: the walk is broken", sources.len());
    sources.iter().flat_map(rule).collect()
}

#[test]
fn crates_import_only_what_the_table_allows() {
    clean(imports::broken());
}

#[test]
fn files_and_functions_stay_small() {
    clean(each(sizes::broken));
}

#[test]
fn the_median_file_is_short() {
    clean(sizes::median_broken(&rust_sources()));
}

#[test]
fn every_module_says_what_it_is_for() {
    clean(each(words::undocumented));
}

#[test]
fn no_file_has_a_name_that_means_nothing() {
    clean(each(words::empty_names));
}

#[test]
fn no_cloud_is_named_below_the_clouds() {
    clean(each(words::cloud_words));
}

#[test]
fn time_and_processes_have_one_home() {
    clean(each(words::homeless));
}

#[test]
fn nothing_is_left_undone_or_printed_by_libraries() {
    clean(each(words::undone));
}

#[test]
fn tests_wait_for_events_and_never_sleep() {
    let scripts = ["py", "mjs", "cjs", "js", "ts", "sh", "yaml", "json"].into_iter().flat_map(sources::files);
    let scripts: Vec<_> = scripts.collect();
    assert!(scripts.iter().any(|script| script.path.starts_with("examples/")), "the walk is broken");
    let sleepy_scripts: Vec<_> = scripts.iter().flat_map(words::sleepy).collect();
    clean([each(words::sleepy), sleepy_scripts].concat());
}

#[test]
fn the_changelog_has_room_for_what_is_new() {
    let changelog = std::fs::read_to_string(sources::root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    assert!(changelog.contains("## Unreleased"));
}

#[test]
fn architecture_names_every_crate_and_top_level_folder() {
    let text = std::fs::read_to_string(sources::root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    clean(words::unmapped(&text));
}

#[test]
fn nothing_of_this_machine_is_committed() {
    clean(words::machine_traces());
}
