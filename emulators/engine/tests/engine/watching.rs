//! Real files, the real clock: what an editor, a terminal and a version control system do to a source.

use crate::fake::{Lab, id};
use mlemu_core::{FunctionId, Source, What};
use mlemu_engine::Draft;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

const GENEROUS: Duration = Duration::from_secs(20);
/// A change is acted on within this time, however often the source changed before.
const LONGEST_REST: Duration = Duration::from_millis(1200);

/// A watched source, and a second function beside it whose reload proves that all earlier changes were seen.
struct Desk {
    lab: Lab,
    source: TempDir,
    marker: TempDir,
}

/// One at the start and one at the end of changes that began then and end now, and four a second between: a
/// slow machine may need long.
fn most_reloads(began: Instant) -> usize {
    2 + began.elapsed().as_millis() as usize / 250
}

fn marker_id() -> FunctionId {
    FunctionId { name: "marker".into(), ..id() }
}

impl Desk {
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let (source, marker) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        prepare(source.path());
        let lab = Lab::new();
        for (id, folder) in [(id(), &source), (marker_id(), &marker)] {
            let source = Source::Folder(folder.path().to_owned());
            lab.engine.publish(Draft { id, source, watch: true, ..lab.draft("") });
        }
        Self { lab, source, marker }
    }

    /// Ready to be changed: the watch is on.
    async fn watching(prepare: impl FnOnce(&Path)) -> Self {
        let desk = Self::new(prepare);
        // The watch begins a moment after the publication: knock until it answers.
        let marker = marker_id();
        while desk.reloads(&marker) == 0 {
            fs::write(desk.marker.path().join("mark"), "0").expect("written");
            let knock = desk.until_reloaded(&marker, 1);
            let _ = tokio::time::timeout(Duration::from_millis(100), knock).await;
        }
        desk.settled().await;
        desk
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.source.path().join(name), text).expect("written");
    }

    fn reloads(&self, of: &FunctionId) -> usize {
        let records = self.lab.records();
        let reload = |what: &What| matches!(what, What::Published { reload: true, .. });
        records
            .iter()
            .filter(|record| record.subject.function.as_ref() == Some(of) && reload(&record.what))
            .count()
    }

    async fn until_reloaded(&self, of: &FunctionId, times: usize) {
        let mut live = self.lab.journal.follow(u64::MAX);
        let wait = async {
            while self.reloads(of) < times {
                live.recv().await.expect("a follower that keeps up");
            }
        };
        tokio::time::timeout(GENEROUS, wait).await.unwrap_or_else(|_| panic!("no reload {times} of {of}"));
    }

    /// Completes when everything that was changed before has been seen and acted on.
    async fn mark(&self, text: &str) {
        let before = self.reloads(&marker_id());
        fs::write(self.marker.path().join("mark"), text).expect("written");
        self.until_reloaded(&marker_id(), before + 1).await;
    }

    /// How often the source was reloaded, once no change waits.
    async fn settled(&self) -> usize {
        self.mark("1").await;
        loop {
            let (id, reloads) = (id(), self.reloads(&id()));
            let next = self.until_reloaded(&id, reloads + 1);
            if tokio::time::timeout(LONGEST_REST, next).await.is_err() {
                return reloads;
            }
        }
    }
}

#[tokio::test]
async fn a_saved_file_is_a_new_revision() {
    let desk = Desk::watching(|_| {}).await;
    desk.write("app.py", "one");
    desk.until_reloaded(&id(), 1).await;
    assert_eq!(desk.lab.view().latest.number, 2);
    assert_eq!(desk.settled().await, 1);
    desk.write("app.py", "two");
    desk.until_reloaded(&id(), 2).await;
    desk.lab.finish().await;
}

#[tokio::test]
async fn a_file_renamed_into_place_is_seen() {
    let desk = Desk::watching(|root| fs::write(root.join("app.py"), "old").expect("written")).await;
    for round in 1..=3 {
        desk.write(".app.py.tmp", "new");
        fs::rename(desk.source.path().join(".app.py.tmp"), desk.source.path().join("app.py")).expect("moved");
        desk.until_reloaded(&id(), round).await;
    }
    assert_eq!(desk.settled().await, 3);
    desk.lab.finish().await;
}

#[tokio::test]
async fn a_deleted_file_is_a_change() {
    let desk = Desk::watching(|root| fs::write(root.join("app.py"), "old").expect("written")).await;
    fs::remove_file(desk.source.path().join("app.py")).expect("removed");
    desk.until_reloaded(&id(), 1).await;
    desk.lab.finish().await;
}

#[tokio::test]
async fn a_source_that_is_replaced_as_a_whole_is_watched_on() {
    let desk = Desk::watching(|root| fs::create_dir(root.join("dist")).expect("made")).await;
    let dist = desk.source.path().join("dist");
    let source = Source::Folder(dist.clone());
    desk.lab.engine.publish(Draft { source, watch: true, ..desk.lab.draft("") });
    desk.settled().await;
    for replace in [false, true] {
        if replace {
            fs::rename(&dist, desk.source.path().join("old")).expect("moved");
        } else {
            fs::remove_dir_all(&dist).expect("removed");
        }
        fs::create_dir(&dist).expect("made");
        let seen = desk.settled().await;
        fs::write(dist.join("app.js"), "new").expect("written");
        desk.until_reloaded(&id(), seen + 1).await;
    }
    desk.lab.finish().await;
}

#[tokio::test]
async fn new_folders_are_watched_however_deep() {
    let desk = Desk::watching(|_| {}).await;
    fs::create_dir_all(desk.source.path().join("a/b/c")).expect("made");
    desk.until_reloaded(&id(), 1).await;
    let seen = desk.settled().await;
    desk.write("a/b/c/app.py", "one");
    desk.until_reloaded(&id(), seen + 1).await;
    let seen = desk.settled().await;
    fs::remove_dir_all(desk.source.path().join("a")).expect("removed");
    desk.until_reloaded(&id(), seen + 1).await;
    fs::create_dir(desk.source.path().join("a")).expect("made");
    let seen = desk.settled().await;
    desk.write("a/app.py", "one");
    desk.until_reloaded(&id(), seen + 1).await;
    desk.lab.finish().await;
}

#[tokio::test]
async fn a_checkout_of_many_files_is_one_or_two_reloads() {
    let many = |root: &Path, text: &str| {
        for number in 0..400 {
            let folder = root.join(format!("package{}", number % 20));
            fs::create_dir_all(&folder).expect("made");
            let file = folder.join(format!("module{number}.py"));
            let _ = fs::remove_file(&file);
            fs::write(file, text).expect("written");
        }
    };
    let desk = Desk::watching(|root| many(root, "main")).await;
    let began = Instant::now();
    many(desk.source.path(), "branch");
    let most = most_reloads(began);
    desk.until_reloaded(&id(), 1).await;
    let reloads = desk.settled().await;
    assert!(reloads <= most, "{reloads} reloads, {most} are enough");
    desk.lab.finish().await;
}

#[tokio::test]
async fn ignored_files_are_no_change() {
    let desk = Desk::watching(|root| {
        fs::write(root.join(".gitignore"), "data/\n*.log\n").expect("written");
        for folder in ["data", "node_modules/x", "__pycache__", ".venv/lib", ".git"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
    })
    .await;
    for name in [
        "data/rows.csv",
        "out.log",
        "node_modules/x/index.js",
        "__pycache__/app.pyc",
        ".venv/lib/a.py",
        ".git/HEAD",
        ".app.py.swp",
        "app.py~",
    ] {
        desk.write(name, "x");
    }
    fs::create_dir(desk.source.path().join("venv")).expect("made");
    desk.write("venv/a.py", "x");
    fs::remove_dir_all(desk.source.path().join("__pycache__")).expect("removed");
    let _ = fs::read(desk.source.path().join(".gitignore")).expect("read");
    assert_eq!(desk.settled().await, 0);
    desk.lab.finish().await;
}

#[tokio::test]
async fn the_ignore_rules_of_now_count() {
    let desk = Desk::watching(|_| {}).await;
    desk.write(".gitignore", "*.csv\n");
    desk.until_reloaded(&id(), 1).await;
    let seen = desk.settled().await;
    desk.write("rows.csv", "x");
    assert_eq!(desk.settled().await, seen);
    desk.lab.finish().await;
}

#[tokio::test]
async fn saves_without_a_pause_are_a_few_reloads() {
    let desk = Desk::watching(|_| {}).await;
    let began = Instant::now();
    for number in 0..500 {
        desk.write("app.py", &number.to_string());
        tokio::task::yield_now().await;
    }
    let most = most_reloads(began);
    desk.until_reloaded(&id(), 1).await;
    let reloads = desk.settled().await;
    assert!(reloads <= most, "{reloads} reloads, {most} are enough");
    desk.lab.finish().await;
}

#[tokio::test]
async fn only_the_touched_function_is_reloaded_and_a_deleted_one_rests() {
    let desk = Desk::watching(|_| {}).await;
    assert_eq!(desk.reloads(&id()), 0, "the marker is another function");
    desk.lab.engine.delete(&id());
    desk.write("app.py", "one");
    assert_eq!(desk.settled().await, 0);
    desk.lab.finish().await;
}
