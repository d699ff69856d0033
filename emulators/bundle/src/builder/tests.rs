//! Real installs of tiny packages with the real tools; skipped, visibly, where they cannot work.

use super::*;
use crate::tool::Tool;
use mlemu_core::record::What;
use std::fs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);

struct Project {
    root: tempfile::TempDir,
    needs: Needs,
}

impl Project {
    fn new(language: Language, files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        fs::create_dir(&source).unwrap();
        for (name, text) in files {
            fs::write(source.join(name), text).unwrap();
        }
        let needs = Needs {
            source,
            language,
            client_packages: Vec::new(),
            client_for_newer: false,
            provided_packages: Vec::new(),
            self_contained: false,
        };
        Self { root, needs }
    }

    fn python(files: &[(&str, &str)]) -> Self {
        Self::new(Language::Python { version: "3.11".into() }, files)
    }

    fn node(files: &[(&str, &str)]) -> Self {
        Self::new(Language::Node { version: "20".into() }, files)
    }

    fn client(mut self, packages: &[&str]) -> Self {
        self.needs.client_packages = packages.iter().map(|&package| package.to_owned()).collect();
        self
    }

    fn provided(mut self, prefix: &str, package: &str) -> Self {
        self.needs.provided_packages.push((prefix.into(), package.into()));
        self
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.needs.source.join(name), text).unwrap();
    }

    fn builder(&self, offline: bool) -> Builder {
        Builder::new(self.root.path().join("cache"), offline)
    }

    async fn build(&self, builder: &Builder) -> Result<Arc<Built>, BuildFailure> {
        builder.build(self.needs.clone(), Arc::new(|_| {})).await
    }

    /// Builds, or says why this machine cannot.
    async fn build_or_skip(&self, builder: &Builder) -> Option<Arc<Built>> {
        match self.build(builder).await {
            Ok(built) => Some(built),
            Err(failure) if skippable(&failure) => {
                eprintln!("skipped: {failure}");
                None
            }
            Err(failure) => panic!("{failure}\nhint: {:?}", failure.hint),
        }
    }

    fn source_entries(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.needs.source).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn skippable(failure: &BuildFailure) -> bool {
    let hint = failure.hint.as_deref().unwrap_or("");
    hint.contains("cannot be reached")
        || hint.starts_with("install ")
        || hint.contains("apt install python3-pip")
}

/// Starts what was built on a few arguments, as an instance would be started.
async fn run(built: &Built, args: &[&str]) -> String {
    let mut tool = Tool::new(&built.program).args(&built.program_args).args(args).folder(&built.code);
    for (name, value) in &built.env {
        tool = tool.env(name, value);
    }
    tool.output(PATIENCE).await.expect("it runs").trim().to_owned()
}

#[tokio::test]
async fn python_finds_its_own_packages_before_the_clients() {
    let project = Project::python(&[("requirements.txt", "six==1.16.0"), ("app.py", "import six")])
        .client(&["six==1.17.0", "iniconfig==2.0.0"]);
    let builder = project.builder(false);
    let Some(built) = project.build_or_skip(&builder).await else { return };
    let program = "import app, iniconfig; print(app.six.__version__, iniconfig.__name__)";
    assert_eq!(run(&built, &["-c", program]).await, "1.16.0 iniconfig");
    assert!(built.client.as_ref().unwrap().join("iniconfig").is_dir());
    assert_eq!(project.source_entries(), ["app.py", "requirements.txt"], "nothing is written there");
    let compiled = built.client.as_ref().unwrap().join("iniconfig/__pycache__");
    assert!(fs::read_dir(compiled).unwrap().count() > 0, "compiled once and not at each cold start");
    let listing = built.client.as_ref().unwrap().join("../../../installed.txt");
    assert_eq!(fs::read_to_string(listing).unwrap(), "iniconfig==2.0.0\nsix==1.17.0\n");

    // Another process without a network has all of it.
    let again = project.build(&project.builder(true)).await.unwrap();
    assert_eq!(again, built);
    // And so has one whose cache was emptied, after it noticed.
    fs::remove_dir_all(project.root.path().join("cache")).unwrap();
    let rebuilt = project.build(&builder).await.unwrap();
    assert_eq!(run(&rebuilt, &["-c", program]).await, "1.16.0 iniconfig");
}

#[tokio::test]
async fn python_notices_that_its_requirements_changed() {
    let project = Project::python(&[("requirements.txt", "six==1.16.0")]);
    let builder = project.builder(false);
    let Some(first) = project.build_or_skip(&builder).await else { return };
    assert!(Arc::ptr_eq(&first, &project.build(&builder).await.unwrap()), "nothing changed");
    project.write("requirements.txt", "six==1.17.0");
    let second = project.build(&builder).await.unwrap();
    assert_eq!(run(&second, &["-c", "import six; print(six.__version__)"]).await, "1.17.0");
    assert_eq!(run(&first, &["-c", "import six; print(six.__version__)"]).await, "1.16.0");
}

#[tokio::test]
async fn python_gets_what_it_uses_of_the_vendors() {
    let project = Project::python(&[("app.py", "")]).provided("six", "six==1.17.0");
    let builder = project.builder(false);
    let Some(built) = project.build_or_skip(&builder).await else { return };
    assert_eq!(built.client, None);
    project.write("app.py", "import six\n");
    let Some(built) = project.build_or_skip(&builder).await else { return };
    assert_eq!(run(&built, &["-c", "import app; print(app.six.__version__)"]).await, "1.17.0");
}

#[tokio::test]
async fn python_says_what_cannot_be_installed() {
    let project = Project::python(&[("requirements.txt", "six==99.0")]);
    let failure = project.build(&project.builder(false)).await.unwrap_err();
    if skippable(&failure) {
        eprintln!("skipped: {failure}");
        return;
    }
    assert!(failure.why.contains("requirements.txt") && failure.why.contains("six"), "{failure}");
    assert!(failure.hint.unwrap().contains("pin another version"));
}

#[tokio::test]
async fn offline_without_a_cache_says_what_is_missing() {
    let python = Project::python(&[("requirements.txt", "six")]);
    let node = Project::node(&[("package.json", r#"{"dependencies":{"is-number":"7"}}"#)]);
    for project in [python, node] {
        let failure = project.build(&project.builder(true)).await.unwrap_err();
        if skippable(&failure) {
            eprintln!("skipped: {failure}");
            continue;
        }
        assert!(failure.why.contains("offline, and not in the cache: the packages of"), "{failure}");
        assert!(failure.hint.unwrap().contains("without --offline"));
    }
}

#[tokio::test]
async fn python_without_packages_needs_no_network() {
    let project = Project::python(&[("app.py", "print('hello')")]);
    let Some(built) = project.build_or_skip(&project.builder(true)).await else { return };
    assert_eq!(run(&built, &["app.py"]).await, "hello");
    assert_eq!(run(&built, &["-m", "app"]).await, "hello");
    assert_eq!(project.source_entries(), ["app.py"], "no __pycache__");
}

#[tokio::test]
async fn the_same_packages_for_many_at_once_are_installed_once() {
    let project = Project::python(&[("requirements.txt", "six==1.17.0")]);
    let (here, elsewhere) = (project.builder(false), project.builder(false));
    let installs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let builds = (0..6).map(|n| {
        let builder = if n % 2 == 0 { &here } else { &elsewhere };
        let installs = installs.clone();
        let progress: Progress = Arc::new(move |what| {
            if matches!(what, What::Building { step, .. } if step.contains("installing six")) {
                installs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        builder.build(project.needs.clone(), progress)
    });
    let results = futures_util::future::join_all(builds).await;
    match &results[0] {
        Err(failure) if skippable(failure) => eprintln!("skipped: {failure}"),
        first => {
            assert!(results.iter().all(|result| result == first), "{results:?}");
            assert_eq!(installs.load(std::sync::atomic::Ordering::SeqCst), 1);
        }
    }
}

#[tokio::test]
async fn node_finds_packages_from_both_kinds_of_modules() {
    let project = Project::node(&[
        ("package.json", r#"{"type":"module","dependencies":{"is-number":"7.0.0"}}"#),
        ("index.js", "import isNumber from 'is-number'; import './old.cjs'; console.log(isNumber(5));"),
        ("old.cjs", "console.log(require('is-number')('x'), require('is-odd')(3));"),
    ])
    .client(&["ms@2.1.3"])
    .provided("is-odd", "is-odd@3.0.1");
    let builder = project.builder(false);
    let Some(built) = project.build_or_skip(&builder).await else { return };
    assert_eq!(run(&built, &["index.js"]).await, "false true\ntrue");
    assert!(built.client.as_ref().unwrap().join("ms/package.json").exists());
    assert_eq!(project.source_entries(), ["index.js", "old.cjs", "package.json"]);
    // A new file is in the view, a gone one is not.
    project.write("new.js", "console.log('new')");
    fs::remove_file(project.needs.source.join("old.cjs")).unwrap();
    let built = project.build(&project.builder(true)).await.unwrap();
    assert_eq!(run(&built, &["new.js"]).await, "new");
    assert!(!built.code.join("old.cjs").exists());
}

#[tokio::test]
async fn node_uses_its_own_modules_and_needs_no_view_without_packages() {
    let project = Project::node(&[("index.mjs", "import { own } from 'own'; console.log(own);")]);
    let place = project.needs.source.join("node_modules/own");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("index.js"), "exports.own = 'mine'").unwrap();
    project.write("package.json", r#"{"dependencies":{"own":"1"}}"#);
    let Some(built) = project.build_or_skip(&project.builder(true)).await else { return };
    assert_eq!(built.code, project.needs.source);
    assert!(built.program_args.is_empty());
    assert_eq!(run(&built, &["index.mjs"]).await, "mine");
}

#[tokio::test]
async fn executables_packages_and_sizes_go_through_the_same_face() {
    let project = Project::new(Language::Executable { name: "bootstrap".into() }, &[("data", "12345")]);
    let builder = project.builder(true);
    assert!(project.build(&builder).await.unwrap_err().why.contains("bootstrap"));
    assert_eq!(builder.measure(project.needs.source.clone()).await, 5);
    let fault = builder.unpack(Bytes::from_static(b"no zip"), 100).await.unwrap_err();
    assert!(matches!(fault, PackageFault::NotAnArchive { .. }));
}

#[tokio::test]
async fn interpreters_are_listed_for_people() {
    let cache = tempfile::tempdir().unwrap();
    let found = Builder::new(cache.path().into(), true).interpreters().await;
    for interpreter in &found {
        assert!(interpreter.program.is_absolute() && interpreter.version.contains('.'), "{interpreter:?}");
    }
}
