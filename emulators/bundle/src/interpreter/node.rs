//! Nodes: in the environment's overrides, on `PATH`, in the folders of nvm, fnm, volta and the system.

use super::{Choice, Interpreter, Probes, nearest_first, unknown_version};
use crate::surroundings::{Surroundings, is_program, versions_in};
use mlemu_core::BuildFailure;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Older ones do not run today's clients.
const OLDEST: u32 = 18;
/// What is asked for first where any will do.
const NEWEST: &str = "24";

const QUESTION: &str = "console.log(JSON.stringify({version: process.versions.node, \
     program: process.execPath, platform: `${process.platform}-${process.arch}`}))";

/// A Node that answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Node {
    /// E.g. `20.20.2`.
    pub version: String,
    pub program: PathBuf,
    /// What native packages are built for, besides the major version.
    pub platform: String,
}

impl Node {
    pub fn major(&self) -> u32 {
        major_of(&self.version).unwrap_or(0)
    }

    /// `node 20`, for people.
    pub fn title(&self) -> String {
        format!("node {}", self.major())
    }
}

/// The Nodes of this machine.
pub(crate) struct Nodes {
    surroundings: Arc<Surroundings>,
    probes: Probes,
}

impl Nodes {
    pub fn new(surroundings: Arc<Surroundings>, cache: &Path) -> Self {
        Self { surroundings, probes: Probes::new(cache) }
    }

    /// The one to run what declares `version`, e.g. `20`: that major version, else the nearest. Empty
    /// leaves the choice to this machine.
    pub async fn choose(&self, version: &str) -> Result<Choice<Node>, BuildFailure> {
        if version.is_empty() {
            let any = self.choose_major(NEWEST).await;
            return any.map(|choice| Choice { warning: None, ..choice });
        }
        self.choose_major(version).await
    }

    async fn choose_major(&self, version: &str) -> Result<Choice<Node>, BuildFailure> {
        let declared = major_of(version).ok_or_else(|| unknown_version("node", version, "22"))?;
        let mut found = Vec::new();
        for candidate in self.candidates(declared) {
            match self.probe(&candidate).await {
                Some(other) if other.major() < OLDEST => {}
                Some(interpreter) if interpreter.major() == declared => {
                    return Ok(Choice { interpreter, warning: None });
                }
                Some(other) => found.push(other),
                None => {}
            }
        }
        let nearest = nearest_first(declared, found.iter().map(Node::major)).first().copied();
        match found.into_iter().find(|node| Some(node.major()) == nearest) {
            Some(interpreter) => {
                let warning =
                    format!("node {version} is not installed: node {} runs it", interpreter.version);
                Ok(Choice { interpreter, warning: Some(warning) })
            }
            None => Err(BuildFailure {
                why: format!("node {version} is needed, and no node from {OLDEST} on was found"),
                hint: Some(format!(
                    "install one (e.g. `nvm install {declared}`) or name it in {}",
                    variable_of(declared)
                )),
            }),
        }
    }

    pub async fn all(&self) -> Vec<Interpreter> {
        let mut found: Vec<Interpreter> = Vec::new();
        for candidate in self.candidates(0) {
            if let Some(node) = self.probe(&candidate).await
                && !found.iter().any(|other| other.program == node.program)
            {
                found.push(Interpreter { language: "node", version: node.version, program: node.program });
            }
        }
        found
    }

    /// The npm that belongs to a Node, else any.
    pub fn npm_of(&self, node: &Node) -> Option<PathBuf> {
        let own = node.program.parent().map(|folder| folder.join("npm")).filter(|npm| is_program(npm));
        own.or_else(|| self.surroundings.which("npm"))
    }

    fn candidates(&self, major: u32) -> Vec<PathBuf> {
        let around = &self.surroundings;
        let named = [variable_of(major), "MLEMU_NODE".into()];
        let mut places: Vec<PathBuf> =
            named.iter().filter_map(|name| around.variable(name)).map(PathBuf::from).collect();
        places.extend(around.program_folders().map(|folder| folder.join("node")));
        let switchers = [
            (around.folder("NVM_DIR", ".nvm"), "versions/node", "bin/node"),
            (around.folder("FNM_DIR", ".local/share/fnm"), "node-versions", "installation/bin/node"),
            (around.folder("VOLTA_HOME", ".volta"), "tools/image/node", "bin/node"),
        ];
        for (root, versions, program) in switchers {
            let versions = root.map(|root| versions_in(&root.join(versions))).unwrap_or_default();
            places.extend(versions.into_iter().map(|version| version.join(program)));
        }
        for folder in around.system_folders() {
            places.push(folder.join("node"));
            places.push(folder.join(format!("../opt/node@{major}/bin/node")));
        }
        places.extend(around.shim_folders().map(|folder| folder.join("node")));
        places
    }

    async fn probe(&self, program: &Path) -> Option<Node> {
        if !is_program(program) {
            return None;
        }
        serde_json::from_str(self.probes.ask(program, &["-e", QUESTION]).await?.trim()).ok()
    }
}

/// 20 of `20`, `20.x` and `20.1.0`.
fn major_of(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// The variable that names the interpreter for a major version.
fn variable_of(major: u32) -> String {
    format!("MLEMU_NODE_{major}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn fake(place: &Path, version: &str) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let answer =
            format!(r#"{{"version":"{version}","program":"{}","platform":"test"}}"#, place.display());
        fs::write(place, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn the_declared_major_version_else_the_nearest() {
        let root = tempfile::tempdir().unwrap();
        fake(&root.path().join("bin/node"), "24.1.0");
        fake(&root.path().join("nvm/versions/node/v20.9.0/bin/node"), "20.9.0");
        fake(&root.path().join("nvm/versions/node/v12.0.0/bin/node"), "12.0.0");
        let (path, nvm) = (root.path().join("bin"), root.path().join("nvm"));
        let nodes =
            Nodes::new(Arc::new(Surroundings::of(&[("PATH", &path), ("NVM_DIR", &nvm)])), root.path());
        let exact = nodes.choose("20").await.unwrap();
        assert_eq!((exact.interpreter.version.as_str(), exact.warning), ("20.9.0", None));
        let near = nodes.choose("12.x").await.unwrap();
        assert_eq!(near.interpreter.version, "20.9.0", "too old a one is not taken");
        let near = nodes.choose("22").await.unwrap();
        assert_eq!(near.interpreter.version, "24.1.0");
        assert_eq!(near.warning.unwrap(), "node 22 is not installed: node 24.1.0 runs it");
        let any = nodes.choose("").await.unwrap();
        assert_eq!((any.interpreter.version.as_str(), any.warning), ("24.1.0", None));
        assert!(nodes.choose("lts").await.is_err());
        assert_eq!(nodes.all().await.len(), 3);
    }

    #[tokio::test]
    async fn none_at_all_is_explained() {
        let nodes = Nodes::new(Arc::new(Surroundings::default()), Path::new("/nowhere"));
        let failure = nodes.choose("22").await.unwrap_err();
        assert!(failure.hint.unwrap().contains("MLEMU_NODE_22"));
    }
}
