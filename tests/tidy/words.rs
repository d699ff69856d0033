//! Words that have a home, and words that have none.

use super::sources::{Source, files, root};

const EMPTY_NAMES: [&str; 9] =
    ["utils", "util", "helpers", "helper", "common", "misc", "state", "types", "manager"];

/// Tokens of one vendor's vocabulary.
const CLOUD_WORDS: [&str; 12] =
    ["lambda", "s3", "sqs", "sns", "aws", "amazon", "pubsub", "gcs", "gcp", "azure", "google", "microsoft"];

/// What may be called where: the call, and the places that may.
const HOMES: &[(&str, &[&str])] = &[
    ("SystemTime::now", &["emulators/engine/src/clock.rs"]),
    ("Instant::now", &["emulators/engine/src/clock.rs", "emulators/engine/src/clock/paused.rs"]),
    ("Uuid::new_v", &["emulators/engine/src/ids.rs"]),
    ("getrandom", &["emulators/engine/src/ids.rs"]),
    ("rand::", &["emulators/engine/src/ids.rs"]),
    ("std::process::Command", &["emulators/sandbox/", "emulators/bundle/"]),
    ("tokio::process", &["emulators/sandbox/", "emulators/bundle/"]),
    ("Command::new(", &["emulators/sandbox/", "emulators/bundle/"]),
    ("libc::", &["emulators/sandbox/"]),
    ("unsafe {", &["emulators/sandbox/"]),
];

pub fn undocumented(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let says = first.starts_with("//!") && first.len() > "//! words".len();
    if says { Vec::new() } else { vec![format!("{}:1: begin with `//!` and what it is for", source.path)] }
}

pub fn empty_names(source: &Source) -> Vec<String> {
    let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let folder = source.path.split('/').any(|part| EMPTY_NAMES.contains(&part));
    // Handlebars calls its functions helpers: there it is the field's own word.
    let allowed = source.path.starts_with("event-fixtures/src/helpers");
    if (EMPTY_NAMES.contains(&stem) || folder) && !allowed {
        return vec![format!("{}: a name that says nothing", source.path)];
    }
    Vec::new()
}

pub fn cloud_words(source: &Source) -> Vec<String> {
    let below = ["emulators/core/", "emulators/engine/", "emulators/sandbox/"];
    if !below.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let line = line.to_lowercase();
        let words = line.split(|c: char| !c.is_ascii_alphanumeric());
        // core/declare.rs names the clouds once, as the values of a project's `cloud`.
        let said = words
            .filter(|word| CLOUD_WORDS.contains(word))
            .find(|_| !line.contains("`aws`, `gcp` or `azure`"));
        if let Some(word) = said
            && !line.contains("the vendor's spelling, e.g.")
        {
            broken.push(format!("{}:{}: `{word}` is a cloud's word", source.path, index + 1));
        }
    }
    broken
}

pub fn homeless(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (line, text) in source.body() {
        for (call, homes) in HOMES {
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            if code(text).contains(call) && !at_home {
                broken.push(format!("{source}:{line}: `{call}` belongs to {homes:?}", source = source.path));
            }
        }
    }
    broken
}

pub fn undone(source: &Source) -> Vec<String> {
    if source.path.starts_with("tests/tidy") {
        return Vec::new();
    }
    let library = source.path.starts_with("emulators/") && !source.is_test();
    let mut broken = Vec::new();
    for (line, text) in source.body() {
        let marks = ["todo!(", "unimplemented!(", "TODO", "FIXME", "HACK", "#[allow("];
        let prints = ["println!(", "eprintln!(", "print!(", "dbg!("];
        let said = marks.iter().find(|mark| text.contains(**mark));
        let said = said.or_else(|| prints.iter().find(|mark| library && code(text).contains(**mark)));
        let hollow = ["anyhow", "Box<dyn Error", "Box<dyn std::error::Error", "Result<_, String>"];
        let said = said.or_else(|| hollow.iter().find(|mark| library && code(text).contains(**mark)));
        if let Some(said) = said {
            broken.push(format!("{}:{line}: `{said}`", source.path));
        }
    }
    broken
}

/// Where somebody would only hope that enough time has passed: our tests with the functions under test in them, the
/// examples, and the front ends that tests are written with.
fn is_watched(source: &Source) -> bool {
    let scripts = ["examples/", "src/harness/python/", "src/harness/node/"];
    let read = source.is_test() || scripts.iter().any(|folder| source.path.starts_with(folder));
    // Benchmarks measure times and so may wait for them.
    read && !source.path.starts_with("tests/tidy") && !source.path.starts_with("benches/")
}

pub fn sleepy(source: &Source) -> Vec<String> {
    if !is_watched(source) {
        return Vec::new();
    }
    // Paused time passes without waiting, and numbers.rs measures starts at given distances.
    let none = source.text.contains("start_paused = true") || source.path.ends_with("/processes/numbers.rs");
    let naps = [
        "thread::sleep(",
        "tokio::time::sleep(",
        "time.sleep(",
        "asyncio.sleep(",
        "setTimeout(",
        "setInterval(",
        "timers/promises",
        "Atomics.wait(",
        "WaiterConfig",
    ];
    // A loop that asks again and again, and a shell's nap.
    // Elsewhere the fake functions of the engine are told `sleep 10`, in paused time.
    let real = ["tests/", "examples/", "src/harness/"].iter().any(|folder| source.path.starts_with(folder));
    let loops = ["while !", "while not ", "while [ ", "until [ ", "sleep 0", "sleep 1", "\"sleep\","];
    let bad = |line: &str| {
        // A test's own Clock has to sleep: that is what clocks do.
        let clock = none || line.contains("Box::pin(tokio::time");
        let naps = naps.iter().filter(|nap| !(clock && nap.contains("::sleep(")));
        naps.chain(loops.iter().filter(|_| real)).any(|word| line.contains(word))
    };
    let lines = source.text.lines().enumerate().filter(|(_, line)| bad(line));
    lines.map(|(index, _)| format!("{}:{}: await the event instead", source.path, index + 1)).collect()
}

/// Crates and folders that the map leaves out.
pub fn unmapped(text: &str) -> Vec<String> {
    let mut places: Vec<String> =
        ["src", "event-fixtures", "examples", "tests", "docs", "benches"].map(Into::into).into();
    for entry in std::fs::read_dir(root().join("emulators")).expect("emulators").filter_map(Result::ok) {
        places.push(format!("emulators/{}", entry.file_name().to_string_lossy()));
    }
    places.retain(|place| !text.contains(&format!("`{place}")));
    places.into_iter().map(|place| format!("ARCHITECTURE.md does not name `{place}`")).collect()
}

/// Paths of somebody's machine and addresses of registries.
pub fn machine_traces() -> Vec<String> {
    let traces = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("registry.", "npmjs"),
        concat!("files.python", "hosted"),
        concat!("index.crates", ".io"),
    ];
    let endings = ["rs", "md", "toml", "py", "json", "yaml", "mjs", "cjs", "js", "hbs", "sh"];
    let mut broken = Vec::new();
    for source in endings.iter().flat_map(|ending| files(ending)) {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(trace) = traces.iter().find(|trace| line.contains(**trace)) {
                broken.push(format!("{}:{}: `{trace}` is of one machine", source.path, index + 1));
            }
        }
    }
    broken
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn the_rules_find_what_breaks_them() {
    let bad = |path: &str, text: &str, rule: fn(&Source) -> Vec<String>| rule(&Source::new(path, text)).len();
    assert_eq!(bad("src/a.rs", "fn x() {}", undocumented), 1);
    assert_eq!(bad("src/a.rs", "//! What a does.", undocumented), 0);
    assert_eq!(bad("src/utils.rs", "", empty_names), 1);
    assert_eq!(bad("src/helpers/a.rs", "", empty_names), 1);
    assert_eq!(bad("emulators/engine/src/a.rs", "// like an S3 bucket", cloud_words), 1);
    assert_eq!(bad("emulators/engine/src/a.rs", "// a bucket", cloud_words), 0);
    assert_eq!(bad("emulators/aws/src/a.rs", "// like an S3 bucket", cloud_words), 0);
    assert_eq!(bad("emulators/engine/src/a.rs", "let t = Instant::now();", homeless), 1);
    assert_eq!(bad("emulators/engine/src/clock.rs", "let t = Instant::now();", homeless), 0);
    assert_eq!(bad("emulators/aws/src/a.rs", "let id = uuid::Uuid::new_v4();", homeless), 1);
    assert_eq!(bad("emulators/engine/src/ids.rs", "Id(Uuid::new_v4())", homeless), 0);
    assert_eq!(bad("src/a.rs", "std::process::Command::new(x)", homeless), 2);
    assert_eq!(bad("src/a.rs", "    todo!(\"later\")", undone), 1);
    assert_eq!(bad("emulators/aws/src/a.rs", "println!(\"x\")", undone), 1);
    assert_eq!(bad("tests/e2e/a.rs", "std::thread::sleep(x);", sleepy), 1);
    assert_eq!(bad("tests/e2e/clients/a.py", "    time.sleep(0.1)", sleepy), 1);
    assert_eq!(bad("tests/e2e/a.rs", "    while !there() {}", sleepy), 1);
    assert_eq!(bad("tests/e2e/a.rs", "    while let Some(line) = lines.next() {}", sleepy), 0);
    assert_eq!(bad("tests/e2e/clients/a.mjs", "setTimeout(done, 10);", sleepy), 1);
    assert_eq!(bad("examples/a/tests/a.py", "    while not done():", sleepy), 1);
    assert_eq!(bad("examples/a/run.sh", "sleep 1", sleepy), 1);
    assert_eq!(bad("src/harness/node/a.js", "setInterval(ask, 10);", sleepy), 1);
    assert_eq!(bad("src/daemon/a.rs", "tokio::time::sleep(x).await;", sleepy), 0);
    assert!(unmapped("").len() > 6);
}
