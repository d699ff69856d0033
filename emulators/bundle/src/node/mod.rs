//! Making Node functions startable: the runtime client's packages, the developer's, those that the vendor's
//! image has, and a view of the source in which all of them are found.

mod manifest;
mod stage;

use crate::digest::Digest;
use crate::inputs::{Inputs, gather};
use crate::interpreter::{Node, Nodes};
use crate::mentions;
use crate::shelf::{Make, Shelf, Wanted, blocking, disk, hold};
use crate::surroundings::Surroundings;
use crate::tool::{Heard, Steps, Tool, ToolFailure};
use manifest::Manifest;
use mlemu_core::build::Progress;
use mlemu_core::{BuildFailure, Built, Environment, Needs};
use serde_json::Value;
use stage::View;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Installs packages and makes views. Clones share all of it.
#[derive(Clone)]
pub(crate) struct Workshop {
    surroundings: Arc<Surroundings>,
    pub nodes: Arc<Nodes>,
    packages: Shelf,
    stages: PathBuf,
}

/// What has to be installed together.
#[derive(Clone)]
struct Order {
    manifest: Manifest,
    /// Beside what the manifest asks for, e.g. `left-pad@1.3.0`.
    packages: Vec<String>,
    /// For people: `the packages of package.json`.
    title: String,
    /// Native packages of the developer's fetch or build their binaries in scripts.
    scripts: bool,
}

/// What has to be installed for one function, and what must be told.
struct Declared {
    own: Option<Order>,
    provided: Option<Order>,
    warnings: Vec<String>,
}

impl Workshop {
    pub fn new(cache: &Path, offline: bool, surroundings: Arc<Surroundings>) -> Self {
        Self {
            nodes: Arc::new(Nodes::new(surroundings.clone(), cache)),
            surroundings,
            packages: Shelf::new(cache.join("node"), offline),
            stages: cache.join("stage"),
        }
    }

    /// Everything that a function needs, from the cache or installed now.
    pub async fn build(
        &self,
        version: &str,
        needs: Needs,
        progress: Progress,
    ) -> Result<(Built, Inputs), BuildFailure> {
        let choice = self.nodes.choose(version).await?;
        let node = choice.interpreter;
        let steps = Steps::new(progress, node.title());
        let source = needs.source.clone();
        let client = (!needs.client_packages.is_empty())
            .then(|| Order::of_packages(needs.client_packages.clone(), "the runtime client"));
        let (declared, inputs) = gather(needs, read_declared).await?;
        let (client, own, provided) = tokio::try_join!(
            self.install_if_any(&node, client, &steps),
            self.install_if_any(&node, declared.own, &steps),
            self.install_if_any(&node, declared.provided, &steps),
        )?;
        let staged = own.is_some() || provided.is_some();
        let code = if staged { self.stage(source, own, provided, &steps).await? } else { source };
        let arguments: &[&str] =
            if staged { &["--preserve-symlinks", "--preserve-symlinks-main"] } else { &[] };
        let built = Built {
            code,
            program: node.program,
            version: node.version,
            client,
            env: Environment::new(),
            program_args: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            warnings: choice.warning.into_iter().chain(declared.warnings).collect(),
        };
        Ok((built, inputs))
    }

    /// Where the packages are that the source declares or brings along, from the cache or installed now.
    /// `None`: it has none.
    pub async fn packages(
        &self,
        version: &str,
        needs: Needs,
        progress: Progress,
    ) -> Result<Option<PathBuf>, BuildFailure> {
        let choice = self.nodes.choose(version).await?;
        let steps = Steps::new(progress, choice.interpreter.title());
        choice.warning.iter().for_each(|warning| steps.say(warning));
        let modules = needs.source.join("node_modules");
        let (declared, _) = gather(needs, read_declared).await?;
        let own = self.install_if_any(&choice.interpreter, declared.own, &steps).await?;
        Ok(own.or_else(|| modules.is_dir().then_some(modules)))
    }

    /// The `node_modules` with what is ordered.
    async fn install_if_any(
        &self,
        node: &Node,
        order: Option<Order>,
        steps: &Steps,
    ) -> Result<Option<PathBuf>, BuildFailure> {
        let Some(order) = order else { return Ok(None) };
        let parts = [node.platform.clone()].into_iter().chain(order.manifest.identity());
        let parts: Vec<String> = parts.chain(order.packages.iter().cloned()).collect();
        let wanted = Wanted {
            key: format!("{}-{}", node.major(), Digest::of_parts(parts.iter().map(String::as_str)).short()),
            title: format!("{} for {}", order.title, node.title()),
            online: true,
            steps: steps.clone(),
        };
        let make: Make = Box::new({
            let (workshop, node, steps) = (self.clone(), node.clone(), steps.clone());
            move |folder| Box::pin(async move { workshop.install(&node, order, &folder, &steps).await })
        });
        Ok(Some(self.packages.take(wanted, make).await?.join("node_modules")))
    }

    async fn install(
        &self,
        node: &Node,
        order: Order,
        folder: &Path,
        steps: &Steps,
    ) -> Result<(), BuildFailure> {
        let npm = self.nodes.npm_of(node).ok_or_else(|| BuildFailure {
            why: format!("{} cannot be installed: there is no npm", order.title),
            hint: Some("install npm (e.g. `apt install npm`); it comes with most packages of node".into()),
        })?;
        let written = {
            let (manifest, folder) = (order.manifest.clone(), folder.to_owned());
            blocking(move || manifest.write_into(&folder)).await
        };
        written.map_err(|error| disk(folder, &error))?;
        steps.say(&format!("installing {}", order.title));
        let verb = if order.manifest.lock.is_some() { "ci" } else { "install" };
        let tool = Tool::new(npm)
            .arg(verb)
            .args(["--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=http"])
            .args(if order.scripts { None } else { Some("--ignore-scripts") })
            .args(&order.packages)
            .env("npm_config_yes", "true")
            .folder(folder);
        let bin = node.program.parent().unwrap_or(Path::new("/"));
        let tool = tool.path_first(bin, self.surroundings.path());
        tool.run(steps, sort).await.map_err(|failure| explain(failure, &order, node))?;
        let modules = folder.join("node_modules");
        // Without a single package npm makes none.
        blocking(move || fs::create_dir_all(modules)).await.map_err(|error| disk(folder, &error))
    }

    /// The folder in which the function finds its code and all packages.
    async fn stage(
        &self,
        source: PathBuf,
        own: Option<PathBuf>,
        provided: Option<PathBuf>,
        steps: &Steps,
    ) -> Result<PathBuf, BuildFailure> {
        let shown = |path: &Option<PathBuf>| path.as_ref().map_or(String::new(), |p| p.display().to_string());
        let parts = [source.display().to_string(), shown(&own), shown(&provided)];
        let home = self.stages.join(Digest::of_parts(parts.iter().map(String::as_str)).short());
        let lock = hold(&home.with_extension("lock"), steps, "a view of this folder").await?;
        let refreshed = blocking({
            let home = home.clone();
            move || {
                let view = View { source: &source, packages: own.as_deref(), provided: provided.as_deref() };
                view.refresh(&home)
            }
        })
        .await;
        drop(lock);
        refreshed.map_err(|error| disk(&home, &error))
    }
}

impl Order {
    fn of_packages(packages: Vec<String>, title: &str) -> Self {
        let title = format!("{title} ({})", packages.join(", "));
        Self { manifest: Manifest::of_nothing(), packages, title, scripts: false }
    }
}

impl Manifest {
    fn write_into(&self, folder: &Path) -> std::io::Result<()> {
        fs::write(folder.join("package.json"), Value::Object(self.package.clone()).to_string())?;
        if let Some((name, text)) = &self.lock {
            fs::write(folder.join(name), text)?;
        }
        self.settings.as_ref().map_or(Ok(()), |text| fs::write(folder.join(".npmrc"), text))
    }
}

/// Reads the manifest and looks for packages that the vendor's image would provide.
fn read_declared(needs: &Needs, inputs: &mut Inputs) -> Result<Declared, BuildFailure> {
    // A view shows the entries of the folder: a new one must be seen.
    inputs.watch(&needs.source);
    let manifest = Manifest::of_folder(&needs.source, inputs)?;
    let modules = needs.source.join("node_modules");
    inputs.watch(&modules);
    let has_own = needs.self_contained || modules.is_dir();
    let mut warnings = Vec::new();
    let provided = provided(needs, &manifest, has_own, inputs, &mut warnings);
    if has_own || !manifest.wants_packages() {
        return Ok(Declared { own: None, provided, warnings });
    }
    if let Some((name, version)) = manifest.local_dependency() {
        return Err(BuildFailure {
            why: format!(
                "`{}` asks for `{name}` at `{version}`, which is only found from that folder",
                needs.source.join("package.json").display()
            ),
            hint: Some("run `npm install` in that folder: its node_modules is used as it is".into()),
        });
    }
    warnings.extend(manifest.warnings.iter().cloned());
    let title = "the packages of package.json".to_owned();
    let own = Order { manifest, packages: Vec::new(), title, scripts: true };
    Ok(Declared { own: Some(own), provided, warnings })
}

/// What the source imports of the vendor's packages and does not have.
fn provided(
    needs: &Needs,
    manifest: &Manifest,
    has_own: bool,
    inputs: &mut Inputs,
    warnings: &mut Vec<String>,
) -> Option<Order> {
    let prefixes: Vec<&str> = needs.provided_packages.iter().map(|(prefix, _)| prefix.as_str()).collect();
    if prefixes.is_empty() {
        return None;
    }
    let mut packages = Vec::new();
    for name in mentions::in_javascript(&needs.source, &prefixes, inputs) {
        let installed = needs.source.join("node_modules").join(&name).exists();
        if installed || (!has_own && manifest.declares(&name)) {
            continue;
        }
        let version = manifest.development_version(&name).map(|version| format!("{name}@{version}"));
        packages.push(version.unwrap_or_else(|| package_for(&name, &needs.provided_packages)));
    }
    if packages.is_empty() {
        return None;
    }
    if needs.source.join("node_modules/.pnpm").exists() {
        warnings.push(format!(
            "{} is imported and not in node_modules: add it, a node_modules of pnpm cannot be completed",
            packages.join(", ")
        ));
        return None;
    }
    packages.sort();
    packages.dedup();
    Some(Order::of_packages(packages, "what the vendor's image has"))
}

/// The package to install for an imported one: a `*` in the rule stands for what follows the prefix, and a
/// rule that ends in `/` for the imported name itself.
fn package_for(name: &str, rules: &[(String, String)]) -> String {
    let rule = rules.iter().find_map(|(prefix, package)| Some((name.strip_prefix(&**prefix)?, package)));
    match rule {
        Some((rest, package)) if package.contains('*') => package.replace('*', rest),
        Some((_, package)) if !package.is_empty() && !package.ends_with('/') => package.clone(),
        _ => name.to_owned(),
    }
}

/// npm tells what it fetches; everything else it says is about a failure.
fn sort(line: &str) -> Heard {
    match line.strip_prefix("npm http ") {
        Some(rest) => {
            let address = rest.split_whitespace().find(|word| word.contains("://")).unwrap_or(rest);
            let name = address.rsplit('/').next().unwrap_or(address);
            Heard::Step(format!("fetching {}", name.replace("%2f", "/")))
        }
        None => Heard::Words,
    }
}

fn explain(failure: ToolFailure, order: &Order, node: &Node) -> BuildFailure {
    let words = failure.last_words.join("\n");
    let says = |any: &[&str]| any.iter().any(|text| words.contains(text));
    let hint = if says(&["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET"]) {
        Some(
            "the registry cannot be reached: check the network and the proxy; what was installed before works \
              with --offline",
        )
    } else if says(&["in sync"]) {
        Some("package.json and its lock file disagree: run `npm install` in the project once")
    } else if says(&["E404", "ETARGET"]) {
        Some("there is no such package or version")
    } else {
        None
    };
    failure
        .into_build_failure(&format!("{}: installing {}", node.title(), order.title), hint.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::Language;

    fn needs(source: &Path) -> Needs {
        Needs {
            source: source.into(),
            language: Language::Node { version: "20".into() },
            client_packages: Vec::new(),
            client_for_newer: false,
            provided_packages: vec![("@aws-sdk/".into(), "@aws-sdk/*@3".into())],
            self_contained: false,
        }
    }

    fn read(source: &Path) -> Result<Declared, BuildFailure> {
        read_declared(&needs(source), &mut Inputs::default())
    }

    #[test]
    fn provided_packages_come_when_they_are_imported_and_not_there() {
        let source = tempfile::tempdir().unwrap();
        let place = |name: &str| source.path().join(name);
        assert!(read(source.path()).unwrap().provided.is_none());
        fs::write(place("index.mjs"), "import { S3 } from '@aws-sdk/client-s3'").unwrap();
        let declared = read(source.path()).unwrap();
        assert!(declared.own.is_none());
        assert_eq!(declared.provided.unwrap().packages, ["@aws-sdk/client-s3@3"]);
        fs::write(place("package.json"), r#"{"devDependencies":{"@aws-sdk/client-s3":"3.7.0"}}"#).unwrap();
        assert_eq!(read(source.path()).unwrap().provided.unwrap().packages, ["@aws-sdk/client-s3@3.7.0"]);
        fs::write(place("package.json"), r#"{"dependencies":{"@aws-sdk/client-s3":"3.7.0"}}"#).unwrap();
        let declared = read(source.path()).unwrap();
        assert!(declared.provided.is_none() && declared.own.is_some());
        fs::create_dir_all(place("node_modules/@aws-sdk/client-s3")).unwrap();
        let declared = read(source.path()).unwrap();
        assert!(declared.provided.is_none() && declared.own.is_none(), "its own node_modules are enough");
    }

    #[test]
    fn rules_name_packages() {
        let rules = |package: &str| vec![("@aws-sdk/".to_owned(), package.to_owned())];
        assert_eq!(package_for("@aws-sdk/x", &rules("@aws-sdk/*@3")), "@aws-sdk/x@3");
        assert_eq!(package_for("@aws-sdk/x", &rules("@aws-sdk/")), "@aws-sdk/x");
        assert_eq!(package_for("@aws-sdk/x", &rules("aws-sdk@2")), "aws-sdk@2");
    }

    #[test]
    fn folders_as_dependencies_are_explained() {
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("package.json"), r#"{"dependencies":{"x":"file:../x"}}"#).unwrap();
        let failure = read(source.path()).err().unwrap();
        assert!(failure.hint.unwrap().contains("npm install"));
    }

    #[test]
    fn fetches_are_shown_by_name() {
        let line = "npm http fetch GET 200 https://registry.example/@aws-sdk%2fclient-s3 300ms (cache miss)";
        assert!(matches!(sort(line), Heard::Step(step) if step == "fetching @aws-sdk/client-s3"));
        assert!(matches!(sort("npm error code E404"), Heard::Words));
    }
}
