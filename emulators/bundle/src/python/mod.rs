//! Making Python functions startable.
//!
//! Three environments stand on one another: the developer's packages, keyed by what is required; the runtime
//! client's packages, keyed likewise; and a thin one over both, in which the function starts. The developer's
//! come first, so that their versions win, and a new client does not install gigabytes again.

mod install;
mod requirements;
mod venv;

pub(crate) use requirements::Requirements;
pub(crate) use venv::Venv;

use self::install::{Builds, Installer, install};
use self::requirements::name_in;
use crate::digest::Digest;
use crate::inputs::{Inputs, gather};
use crate::interpreter::{Python, Pythons};
use crate::mentions;
use crate::shelf::{Make, Shelf, Wanted, blocking, disk};
use crate::surroundings::Surroundings;
use crate::tool::{Steps, Tool};
use mlemu_core::build::Progress;
use mlemu_core::{BuildFailure, Built, Environment, Needs};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Makes environments. Clones share all of it.
#[derive(Clone)]
pub(crate) struct Workshop {
    surroundings: Arc<Surroundings>,
    pub pythons: Arc<Pythons>,
    environments: Shelf,
    overlays: Shelf,
}

/// What has to be installed for one function.
struct Declared {
    requirements: Requirements,
    client: Requirements,
    client_builds: Builds,
}

impl Workshop {
    pub fn new(cache: &Path, offline: bool, surroundings: Arc<Surroundings>) -> Self {
        Self {
            pythons: Arc::new(Pythons::new(surroundings.clone(), cache)),
            surroundings,
            environments: Shelf::new(cache.join("python"), offline),
            overlays: Shelf::new(cache.join("overlay"), offline),
        }
    }

    /// Everything that a function needs, from the cache or installed now.
    pub async fn build(
        &self,
        version: &str,
        needs: Needs,
        progress: Progress,
    ) -> Result<(Built, Inputs), BuildFailure> {
        let choice = self.pythons.choose(version).await?;
        let python = choice.interpreter;
        let source = needs.source.clone();
        let (declared, inputs) = gather(needs, read_declared).await?;
        let steps = Steps::new(progress, python.title());
        let mut warnings: Vec<String> = choice.warning.into_iter().collect();
        warnings.extend(declared.requirements.warnings.iter().cloned());
        let (own, client) = tokio::try_join!(
            self.environment_if_any(&python, declared.requirements, Builds::Allowed, &steps),
            self.environment_if_any(&python, declared.client, declared.client_builds, &steps),
        )?;
        let layers: Vec<PathBuf> = own.iter().chain(&client).map(Venv::site_packages).collect();
        let overlay = self.overlay(&python, layers, &steps).await?;
        let built = Built {
            code: source,
            program: overlay.python(),
            version: python.version,
            client: client.map(|venv| venv.site_packages()),
            // Never write into the developer's folder; the clouds' code folders are read-only, too.
            env: Environment::from([("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]),
            program_args: Vec::new(),
            warnings,
        };
        Ok((built, inputs))
    }

    /// Where the packages are that the source declares, from the cache or installed now. `None`: it has none.
    pub async fn packages(
        &self,
        version: &str,
        needs: Needs,
        progress: Progress,
    ) -> Result<Option<PathBuf>, BuildFailure> {
        let choice = self.pythons.choose(version).await?;
        let steps = Steps::new(progress, choice.interpreter.title());
        choice.warning.iter().for_each(|warning| steps.say(warning));
        let (declared, _) = gather(needs, read_declared).await?;
        let own =
            self.environment_if_any(&choice.interpreter, declared.requirements, Builds::Allowed, &steps);
        Ok(own.await?.map(|venv| venv.site_packages()))
    }

    async fn environment_if_any(
        &self,
        python: &Python,
        requirements: Requirements,
        builds: Builds,
        steps: &Steps,
    ) -> Result<Option<Venv>, BuildFailure> {
        if requirements.is_empty() {
            return Ok(None);
        }
        self.environment(python, requirements, builds, steps).await.map(Some)
    }

    /// An environment with these packages of the developer's.
    pub async fn developers(
        &self,
        python: &Python,
        requirements: Requirements,
        steps: &Steps,
    ) -> Result<Venv, BuildFailure> {
        self.environment(python, requirements, Builds::Allowed, steps).await
    }

    async fn environment(
        &self,
        python: &Python,
        requirements: Requirements,
        builds: Builds,
        steps: &Steps,
    ) -> Result<Venv, BuildFailure> {
        let wanted = Wanted {
            key: key(python, requirements.identity()),
            title: format!("the packages of {} for {}", requirements.file, python.title()),
            online: !requirements.is_empty(),
            steps: steps.clone(),
        };
        let make: Make = Box::new({
            let (workshop, python, steps) = (self.clone(), python.clone(), steps.clone());
            move |folder| {
                Box::pin(async move {
                    let venv = make_venv(folder, &python, Vec::new()).await?;
                    if requirements.is_empty() {
                        return Ok(());
                    }
                    let installer = workshop.installer(&python, &requirements, builds).await?;
                    install(&installer, &venv, &python, &requirements, builds, &steps).await
                })
            }
        });
        Ok(Venv::at(self.environments.take(wanted, make).await?, python))
    }

    /// The thin environment over these layers.
    async fn overlay(
        &self,
        python: &Python,
        layers: Vec<PathBuf>,
        steps: &Steps,
    ) -> Result<Venv, BuildFailure> {
        let wanted = Wanted {
            key: key(python, layers.iter().map(|layer| layer.display().to_string())),
            title: "the environment of a function".into(),
            online: false,
            steps: steps.clone(),
        };
        let make: Make = Box::new({
            let python = python.clone();
            move |folder| Box::pin(async move { make_venv(folder, &python, layers).await.map(drop) })
        });
        Ok(Venv::at(self.overlays.take(wanted, make).await?, python))
    }

    async fn installer(
        &self,
        python: &Python,
        requirements: &Requirements,
        builds: Builds,
    ) -> Result<Installer, BuildFailure> {
        if builds == Builds::NeverForNewer
            && let Some(pip) = self.pythons.pip_for(python).await
        {
            return Ok(Installer::Pip(pip));
        }
        if let Some(uv) = self.surroundings.which("uv")
            && Tool::new(&uv).arg("--version").output(Duration::from_secs(20)).await.is_some()
        {
            return Ok(Installer::Uv(uv));
        }
        match self.pythons.pip_for(python).await {
            Some(pip) => Ok(Installer::Pip(pip)),
            None => Err(BuildFailure {
                why: format!(
                    "{} asks for packages, and there is neither uv nor any pip to install them with",
                    requirements.file
                ),
                hint: Some(
                    "`apt install python3-pip` (or your system's package of pip), or install uv".into(),
                ),
            }),
        }
    }
}

async fn make_venv(folder: PathBuf, python: &Python, layers: Vec<PathBuf>) -> Result<Venv, BuildFailure> {
    let venv = Venv::at(folder, python);
    let made = blocking({
        let (venv, python) = (venv.clone(), python.clone());
        move || venv.make(&python).and_then(|()| venv.lay(&layers))
    });
    made.await.map_err(|error| disk(venv.root(), &error)).map(|()| venv)
}

fn key(python: &Python, parts: impl IntoIterator<Item = String>) -> String {
    let program = python.program.display().to_string();
    let parts: Vec<String> = parts.into_iter().collect();
    let interpreter = [python.version.as_str(), python.platform.as_str(), program.as_str()];
    let digest = Digest::of_parts(interpreter.into_iter().chain(parts.iter().map(String::as_str)));
    format!("3.{}-{}", python.minor, digest.short())
}

/// Reads the manifests and looks for modules that the vendor's image would provide.
fn read_declared(needs: &Needs, inputs: &mut Inputs) -> Result<Declared, BuildFailure> {
    let requirements = if needs.self_contained {
        Requirements::default()
    } else {
        Requirements::of_folder(&needs.source, inputs)?
    };
    let provided = provided(needs, &requirements.names(), inputs);
    let client = Requirements::of_packages(needs.client_packages.iter().map(String::as_str));
    let client_builds = if needs.client_for_newer { Builds::NeverForNewer } else { Builds::Never };
    Ok(Declared { requirements, client: client.and(&provided), client_builds })
}

/// The provided packages that the source uses, does not declare and does not bring along.
fn provided(needs: &Needs, declared: &BTreeSet<String>, inputs: &mut Inputs) -> Vec<String> {
    let missing = |(module, package): &&(String, String)| {
        !declared.contains(&name_in(package)) && !needs.source.join(module).is_dir()
    };
    let open: Vec<&(String, String)> = needs.provided_packages.iter().filter(missing).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let modules: Vec<&str> = open.iter().map(|(module, _)| module.as_str()).collect();
    let mentioned = mentions::in_python(&needs.source, &modules, inputs);
    let used = open.iter().filter(|(module, _)| mentioned.contains(module));
    let packages: BTreeSet<&str> = used.map(|(_, package)| package.as_str()).collect();
    packages.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::Language;
    use std::fs;

    fn needs(source: &Path) -> Needs {
        Needs {
            source: source.into(),
            language: Language::Python { version: "3.12".into() },
            client_packages: vec!["client==1".into()],
            client_for_newer: false,
            provided_packages: vec![
                ("boto3".into(), "boto3==1.40".into()),
                ("botocore".into(), "boto3==1.40".into()),
            ],
            self_contained: false,
        }
    }

    fn client_of(needs: &Needs) -> Vec<String> {
        read_declared(needs, &mut Inputs::default()).unwrap().client.lines
    }

    #[test]
    fn provided_packages_come_when_they_are_used_and_not_declared() {
        let source = tempfile::tempdir().unwrap();
        let needs = needs(source.path());
        assert_eq!(client_of(&needs), ["client==1"]);
        fs::write(source.path().join("app.py"), "import botocore, boto3\n").unwrap();
        assert_eq!(client_of(&needs), ["client==1", "boto3==1.40"]);
        fs::write(source.path().join("requirements.txt"), "Boto3<2\n").unwrap();
        assert_eq!(client_of(&needs), ["client==1"]);
    }

    #[test]
    fn an_uploaded_package_brings_its_own() {
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("app.py"), "import boto3\n").unwrap();
        fs::write(source.path().join("requirements.txt"), "six\n").unwrap();
        let uploaded = Needs { self_contained: true, ..needs(source.path()) };
        let declared = read_declared(&uploaded, &mut Inputs::default()).unwrap();
        assert!(declared.requirements.is_empty());
        assert_eq!(declared.client.lines, ["client==1", "boto3==1.40"]);
        fs::create_dir(source.path().join("boto3")).unwrap();
        assert_eq!(client_of(&uploaded), ["client==1"]);
    }

    #[test]
    fn the_key_depends_on_all_that_decides() {
        let python = Python {
            version: "3.11.7".into(),
            minor: 11,
            program: "/a/python".into(),
            platform: "cpython-linux".into(),
        };
        let first = key(&python, ["six".to_owned()]);
        assert!(first.starts_with("3.11-"));
        assert_eq!(first, key(&python.clone(), ["six".to_owned()]));
        let others = [
            key(&python, ["six==1".to_owned()]),
            key(&Python { version: "3.11.8".into(), ..python.clone() }, ["six".to_owned()]),
            key(&Python { program: "/b/python".into(), ..python.clone() }, ["six".to_owned()]),
            key(&Python { platform: "cpython-mac".into(), ..python }, ["six".to_owned()]),
        ];
        assert!(others.iter().all(|other| *other != first), "{others:?}");
    }
}
