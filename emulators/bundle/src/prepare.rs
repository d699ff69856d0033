//! Steps that a project wants run before its functions can work, e.g. training a model.

use crate::builder::Builder;
use crate::digest::Digest;
use crate::inputs::Inputs;
use crate::python::Requirements;
use crate::shelf::{blocking, disk, hold};
use crate::tool::{Heard, Steps, Tool};
use mlemu_core::build::Progress;
use mlemu_core::declare::Prepare;
use mlemu_core::{BuildFailure, Clock};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files of an input folder whose age is looked at.
const MOST_FILES: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The outputs are there, and none is older than an input.
    UpToDate,
    /// It had to run; `duration` is its own time, without installing.
    Ran { duration: Duration },
}

/// The project around a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surrounding<'a> {
    /// Its `requirements.txt` or `pyproject.toml`.
    pub requirements: Option<&'a Path>,
    /// The version of Python that its functions declare, e.g. `3.12`: what a step makes is often read by the
    /// same versions only.
    pub python: Option<&'a str>,
}

impl Builder {
    /// Runs a step if its outputs are missing or older than its inputs, with the packages of the project and
    /// its own importable and `python` being theirs. Of many processes that ask at once, one runs it.
    pub async fn prepare(
        &self,
        step: &Prepare,
        project: Surrounding<'_>,
        clock: &dyn Clock,
        progress: Progress,
    ) -> Result<Prepared, BuildFailure> {
        let steps = Steps::new(progress, "prepare");
        if reason_to_run(step).await?.is_none() {
            return Ok(Prepared::UpToDate);
        }
        let identity = [vec![step.folder.display().to_string()], step.run.clone()].concat();
        let name = Digest::of_parts(identity.iter().map(String::as_str)).short();
        let lock = self.cache.join("prepare").join(name).with_extension("lock");
        let held = hold(&lock, &steps, "the same outputs").await?;
        let Some(reason) = reason_to_run(step).await? else { return Ok(Prepared::UpToDate) };
        let tool = self.tool_of(step, project, &steps).await?;
        steps.say(&format!("{} ({reason})", step.run.join(" ")));
        let begun = clock.elapsed();
        tool.run(&steps, |_| Heard::Output).await.map_err(|failure| {
            failure.into_build_failure(&format!("preparing the project ({})", place(step)), None)
        })?;
        let duration = clock.elapsed().saturating_sub(begun);
        let missing = missing(step).await?;
        drop(held);
        match missing {
            None => Ok(Prepared::Ran { duration }),
            Some(output) => Err(BuildFailure {
                why: format!(
                    "`{}` succeeded and did not make `{}` ({})",
                    step.run.join(" "),
                    output.display(),
                    place(step)
                ),
                hint: Some("correct `outputs`, or what the command writes".into()),
            }),
        }
    }

    /// The step's command in the step's environment.
    async fn tool_of(
        &self,
        step: &Prepare,
        project: Surrounding<'_>,
        steps: &Steps,
    ) -> Result<Tool, BuildFailure> {
        let Some((program, arguments)) = step.run.split_first() else {
            return Err(BuildFailure {
                why: format!("there is no command to prepare the project with ({})", place(step)),
                hint: Some("write one, e.g. `run = [\"python\", \"train.py\"]`".into()),
            });
        };
        let python = match project.python {
            Some(version) => self.python.pythons.choose(version).await?,
            None => self.python.pythons.choose_any().await?,
        };
        if let Some(warning) = &python.warning {
            steps.say(warning);
        }
        let file = project.requirements.map(Path::to_owned);
        let folder = step.folder.clone();
        let requirements = blocking(move || {
            Ok(match file {
                Some(file) => Requirements::of_file(&file, &mut Inputs::default()),
                None => Ok(Requirements::of_packages([])),
            })
        });
        let requirements = requirements.await.map_err(|error| disk(&folder, &error))??;
        let venv =
            self.python.developers(&python.interpreter, requirements.and(&step.requirements), steps).await?;
        // Found by name in the environment first, also where the system searches another `PATH`.
        let own = venv.bin().join(program);
        let program = if own.exists() { own.into_os_string() } else { program.into() };
        let path = std::env::var_os("PATH");
        Ok(Tool::new(program)
            .args(arguments)
            .path_first(&venv.bin(), path.as_deref())
            .env("VIRTUAL_ENV", venv.root())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .without_env("PYTHONHOME")
            .folder(&step.folder))
    }
}

fn place(step: &Prepare) -> String {
    format!("{}:{}", step.from.file.display(), step.from.line)
}

/// Why the step has to run, for people; nothing when it has not.
async fn reason_to_run(step: &Prepare) -> Result<Option<String>, BuildFailure> {
    let step = step.clone();
    let folder = step.folder.clone();
    blocking(move || Ok(judge(&step))).await.map_err(|error| disk(&folder, &error))?
}

async fn missing(step: &Prepare) -> Result<Option<PathBuf>, BuildFailure> {
    let (folder, outputs) = (step.folder.clone(), step.outputs.clone());
    let gone = blocking({
        let folder = folder.clone();
        move || Ok(outputs.into_iter().find(|output| !folder.join(output).exists()))
    });
    gone.await.map_err(|error| disk(&folder, &error))
}

fn judge(step: &Prepare) -> Result<Option<String>, BuildFailure> {
    let mut newest: Option<(SystemTime, &PathBuf)> = None;
    for input in &step.inputs {
        let age = newest_in(&step.folder.join(input)).ok_or_else(|| BuildFailure {
            why: format!("the input `{}` does not exist ({})", input.display(), place(step)),
            hint: Some(format!("it is looked for in `{}`", step.folder.display())),
        })?;
        newest = newest.max(Some((age, input)));
    }
    for output in &step.outputs {
        let place = step.folder.join(output);
        let Ok(age) = fs::metadata(place).and_then(|meta| meta.modified()) else {
            return Ok(Some(format!("{} is missing", output.display())));
        };
        if let Some((newer, input)) = newest
            && newer > age
        {
            return Ok(Some(format!("{} is newer than {}", input.display(), output.display())));
        }
    }
    Ok(None)
}

/// When a file, or anything in a folder, was last written.
fn newest_in(path: &Path) -> Option<SystemTime> {
    let own = fs::metadata(path).ok()?.modified().ok()?;
    let below = ignore::WalkBuilder::new(path).standard_filters(false).build().take(MOST_FILES);
    let times = below.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    Some(times.fold(own, SystemTime::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::{Boxed, Timestamp};
    use std::sync::Arc;

    /// A clock on which each look takes a second.
    #[derive(Default)]
    struct Ticking(std::sync::atomic::AtomicU64);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
        }
        fn sleep(&self, _: Duration) -> Boxed<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    struct Project {
        root: tempfile::TempDir,
        builder: Builder,
        step: Prepare,
    }

    impl Project {
        fn running(command: &[&str]) -> Self {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("project");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("in.txt"), "1").unwrap();
            let step = Prepare {
                run: command.iter().map(|&word| word.to_owned()).collect(),
                requirements: Vec::new(),
                inputs: vec!["in.txt".into()],
                outputs: vec!["out.txt".into()],
                folder,
                from: mlemu_core::declare::Provenance { file: "mlemu.toml".into(), line: 7 },
            };
            let builder = Builder::new(root.path().join("cache"), true);
            Self { root, builder, step }
        }

        async fn prepare(&self) -> Result<Prepared, BuildFailure> {
            let clock = Ticking::default();
            self.builder.prepare(&self.step, Surrounding::default(), &clock, Arc::new(|_| {})).await
        }
    }

    async fn no_python(builder: &Builder) -> bool {
        let none = builder.interpreters().await.iter().all(|found| found.language != "python");
        if none {
            eprintln!("skipped: no python on this machine");
        }
        none
    }

    #[tokio::test]
    async fn it_runs_when_outputs_are_missing_or_old_and_not_else() {
        let program = "import sys; open('out.txt', 'a').write(sys.prefix + '\\n')";
        let project = Project::running(&["python", "-c", program]);
        if no_python(&project.builder).await {
            return;
        }
        let ran = Ok(Prepared::Ran { duration: Duration::from_secs(1) });
        assert_eq!(project.prepare().await, ran);
        assert_eq!(project.prepare().await, Ok(Prepared::UpToDate));
        let output = project.step.folder.join("out.txt");
        let prefix = fs::read_to_string(&output).unwrap();
        assert!(prefix.starts_with(&project.root.path().display().to_string()), "ran in {prefix}");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(&output).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(project.prepare().await, ran, "its input is newer");
    }

    #[tokio::test]
    async fn asked_for_twice_at_once_it_runs_once() {
        let project = Project::running(&["python", "-c", "open('out.txt', 'a').write('ran')"]);
        if no_python(&project.builder).await {
            return;
        }
        let (first, second) = tokio::join!(project.prepare(), project.prepare());
        let results = [first.unwrap(), second.unwrap()];
        assert!(results.contains(&Prepared::UpToDate), "{results:?}");
        assert_eq!(fs::read_to_string(project.step.folder.join("out.txt")).unwrap(), "ran");
    }

    #[tokio::test]
    async fn failures_say_what_and_where() {
        let project = Project::running(&["python", "-c", "raise SystemExit('no data today')"]);
        if no_python(&project.builder).await {
            return;
        }
        let why = project.prepare().await.unwrap_err().why;
        assert!(why.contains("mlemu.toml:7") && why.contains("no data today"), "{why}");
        let idle = Project::running(&["python", "-c", "pass"]);
        let why = idle.prepare().await.unwrap_err().why;
        assert!(why.contains("did not make `out.txt`"), "{why}");
        let mut lost = Project::running(&["python", "-c", "pass"]);
        lost.step.inputs.push("gone.csv".into());
        let why = lost.prepare().await.unwrap_err().why;
        assert!(why.contains("`gone.csv` does not exist"), "{why}");
        let why = Project::running(&[]).prepare().await.unwrap_err().why;
        assert!(why.contains("no command"), "{why}");
    }

    #[test]
    fn a_folder_is_as_new_as_its_newest_file() {
        let project = Project::running(&["x"]);
        fs::create_dir(project.step.folder.join("data")).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        fs::write(project.step.folder.join("data/row.csv"), "1").unwrap();
        fs::write(project.step.folder.join("out.txt"), "1").unwrap();
        let out = fs::File::options().write(true).open(project.step.folder.join("out.txt")).unwrap();
        out.set_modified(old).unwrap();
        let step = Prepare { inputs: vec!["data".into()], ..project.step.clone() };
        assert_eq!(judge(&step).unwrap().unwrap(), "data is newer than out.txt");
    }
}
