//! What a project asks to be installed, as one text: `requirements.txt` with what it includes, or the
//! dependencies of `pyproject.toml`.
//!
//! Formats: <https://pip.pypa.io/en/stable/reference/requirements-file-format/>,
//! <https://packaging.python.org/en/latest/specifications/pyproject-toml/>.

use crate::inputs::Inputs;
use mlemu_core::BuildFailure;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// More files included by one another than anybody has.
const MOST_FILES: usize = 64;

/// Requirements and constraints without comments and includes: the same text means the same packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirements {
    pub lines: Vec<String>,
    pub constraints: Vec<String>,
    /// Where relative paths in it start.
    pub folder: PathBuf,
    /// Name of the file, for people.
    pub file: String,
    pub warnings: Vec<String>,
}

impl Requirements {
    /// Of the manifest in a source folder; nothing when there is none.
    pub fn of_folder(folder: &Path, inputs: &mut Inputs) -> Result<Self, BuildFailure> {
        let file = folder.join("requirements.txt");
        inputs.watch(&file);
        if file.exists() {
            return Self::of_file(&file, inputs);
        }
        let file = folder.join("pyproject.toml");
        match inputs.read(&file) {
            Ok(Some(text)) => of_pyproject(&text, &file),
            Ok(None) => Ok(Self::default()),
            Err(error) => Err(unreadable(&file, &error)),
        }
    }

    /// Of a requirements file or a `pyproject.toml`, wherever it is.
    pub fn of_file(file: &Path, inputs: &mut Inputs) -> Result<Self, BuildFailure> {
        if file.extension().is_some_and(|ending| ending == "toml") {
            let text = inputs.read(file).map_err(|error| unreadable(file, &error))?;
            return of_pyproject(&text.unwrap_or_default(), file);
        }
        let mut requirements = Self {
            folder: file.parent().unwrap_or(Path::new(".")).to_owned(),
            file: name_of(file),
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        requirements.include(file, false, inputs, &mut seen)?;
        if requirements.lines.iter().any(|line| is_local(line)) {
            let warning = format!(
                "{} installs from a folder: its build may write there, and later changes in it are not seen",
                requirements.file
            );
            requirements.warnings.push(warning);
        }
        Ok(requirements)
    }

    /// Of packages alone, e.g. `joblib==1.5`.
    pub fn of_packages<'a>(packages: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = packages.into_iter().map(str::to_owned).collect();
        Self { lines, file: "packages".into(), ..Self::default() }
    }

    /// With more packages beside those of the file.
    pub fn and(mut self, packages: &[String]) -> Self {
        self.lines.extend(packages.iter().cloned());
        self
    }

    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.starts_with('-') && !is_local(line))
    }

    /// The names of the packages, normalized.
    pub fn names(&self) -> BTreeSet<String> {
        self.lines.iter().filter(|line| !line.starts_with('-')).map(|line| name_in(line)).collect()
    }

    /// What decides which packages are installed, in parts.
    pub fn identity(&self) -> Vec<String> {
        let mut parts = vec![self.lines.join("\n"), self.constraints.join("\n")];
        if self.lines.iter().any(|line| is_local(line)) {
            parts.push(self.folder.display().to_string());
        }
        parts
    }

    fn include(
        &mut self,
        file: &Path,
        constraints: bool,
        inputs: &mut Inputs,
        seen: &mut BTreeSet<(PathBuf, bool)>,
    ) -> Result<(), BuildFailure> {
        // Two spellings of one path are one file.
        let place = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        if !seen.insert((place, constraints)) {
            return Ok(());
        }
        if seen.len() > MOST_FILES {
            return Err(BuildFailure {
                why: format!("{} includes more than {MOST_FILES} files", self.file),
                hint: None,
            });
        }
        let text = inputs.read(file).map_err(|error| unreadable(file, &error))?;
        let text = text.ok_or_else(|| BuildFailure {
            why: format!("`{}` is included by {} and does not exist", file.display(), self.file),
            hint: None,
        })?;
        for line in logical_lines(&text) {
            match included(&line) {
                Some((name, binds)) if !name.contains("://") => {
                    let next = file.parent().unwrap_or(Path::new(".")).join(name);
                    self.include(&next, constraints || binds, inputs, seen)?;
                }
                _ if constraints => self.constraints.push(line),
                _ => self.lines.push(line),
            }
        }
        Ok(())
    }
}

/// A package's name as indexes compare them: lower case, runs of `-`, `_`, `.` as one `-`.
pub(crate) fn normalized(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if plain.ends_with('-') => {}
            '-' | '_' | '.' => plain.push('-'),
            _ => plain.extend(c.to_lowercase()),
        }
    }
    plain
}

/// The normalized name in front of a requirement's extras, version and markers.
pub(crate) fn name_in(requirement: &str) -> String {
    let end = requirement.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
    normalized(&requirement[..end.unwrap_or(requirement.len())])
}

/// Lines with their continuations joined and comments gone.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        if let Some(more) = line.strip_suffix('\\') {
            open.push_str(more);
            continue;
        }
        open.push_str(line);
        let line = std::mem::take(&mut open);
        let comment = if line.trim_start().starts_with('#') { Some(0) } else { line.find(" #") };
        let line = line[..comment.unwrap_or(line.len())].trim();
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines.extend(Some(open.trim().to_owned()).filter(|rest| !rest.is_empty()));
    lines
}

/// The file that a line includes, and whether it only constrains.
fn included(line: &str) -> Option<(&str, bool)> {
    const OPTIONS: [(&str, bool); 4] =
        [("--requirement", false), ("--constraint", true), ("-r", false), ("-c", true)];
    OPTIONS.iter().find_map(|(option, binds)| {
        let rest = line.strip_prefix(option)?;
        // `--requirements-x` is another option, `-rfile` is this one.
        let separated = rest.starts_with([' ', '\t', '=']) || !option.starts_with("--");
        let name = rest.trim_start_matches(['=', ' ', '\t']);
        (separated && !name.is_empty()).then_some((name, *binds))
    })
}

/// Whether a line installs from a folder of the developer's.
fn is_local(line: &str) -> bool {
    line.starts_with("-e") || line.starts_with("--editable") || line.starts_with(['.', '/'])
}

fn of_pyproject(text: &str, file: &Path) -> Result<Requirements, BuildFailure> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| BuildFailure {
        why: format!("{}: {}", file.display(), error.to_string().trim_end()),
        hint: None,
    })?;
    let project = table.get("project").and_then(toml::Value::as_table);
    let declared = project.and_then(|project| project.get("dependencies")).and_then(toml::Value::as_array);
    let lines: Vec<String> =
        declared.into_iter().flatten().filter_map(|line| Some(line.as_str()?.trim().to_owned())).collect();
    let mut warnings = Vec::new();
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    if lines.is_empty() && poetry.is_some_and(|poetry| poetry.get("dependencies").is_some()) {
        warnings.push(
            "pyproject.toml has Poetry's own table of dependencies only, which is not read: run \
             `poetry export -o requirements.txt`"
                .to_owned(),
        );
    }
    Ok(Requirements {
        lines,
        folder: file.parent().unwrap_or(Path::new(".")).to_owned(),
        file: name_of(file),
        warnings,
        ..Requirements::default()
    })
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unreadable(file: &Path, error: &std::io::Error) -> BuildFailure {
    BuildFailure { why: format!("cannot read `{}`: {error}", file.display()), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let place = folder.path().join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        folder
    }

    fn read(files: &[(&str, &str)]) -> Result<Requirements, BuildFailure> {
        Requirements::of_folder(project(files).path(), &mut Inputs::default())
    }

    #[test]
    fn comments_continuations_and_includes_are_resolved() {
        let requirements = read(&[
            ("requirements.txt", "\u{feff}# models\nnumpy>=2 # fast\r\n\nsix==1.16 \\\n  --hash=sha256:ab\n-r more/base.txt\n-cpins.txt"),
            ("more/base.txt", "joblib\n--requirement=../requirements.txt\n--constraint ../pins.txt"),
            ("pins.txt", "joblib==1.5"),
        ])
        .unwrap();
        assert_eq!(requirements.lines, ["numpy>=2", "six==1.16   --hash=sha256:ab", "joblib"]);
        assert_eq!(requirements.constraints, ["joblib==1.5"]);
        assert_eq!(requirements.names().into_iter().collect::<Vec<_>>(), ["joblib", "numpy", "six"]);
        assert!(!requirements.is_empty());
    }

    #[test]
    fn comments_do_not_change_the_identity_and_versions_do() {
        let of = |text| read(&[("requirements.txt", text)]).unwrap().identity();
        assert_eq!(of("six==1.16"), of("# note\n\nsix==1.16  # pinned\n"));
        assert_ne!(of("six==1.16"), of("six==1.17"));
        assert_ne!(of("-e ."), of("-e ."), "a folder's packages are that folder's");
    }

    #[test]
    fn a_missing_include_names_itself() {
        let failure = read(&[("requirements.txt", "-r gone.txt")]).unwrap_err();
        assert!(failure.why.contains("gone.txt"), "{}", failure.why);
    }

    #[test]
    fn options_alone_install_nothing() {
        let requirements =
            read(&[("requirements.txt", "--extra-index-url x\n-r https://a.example/r.txt")]).unwrap();
        assert!(requirements.is_empty());
        assert_eq!(requirements.lines.len(), 2);
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn pyproject_serves_when_there_is_no_requirements_file() {
        let toml =
            "[project]\nname = 'x'\ndependencies = ['numpy>=2', 'Scikit_Learn[x] ; python_version > \"3\"']";
        let requirements = read(&[("pyproject.toml", toml)]).unwrap();
        assert_eq!(requirements.names().into_iter().collect::<Vec<_>>(), ["numpy", "scikit-learn"]);
        let both = read(&[("pyproject.toml", toml), ("requirements.txt", "six")]).unwrap();
        assert_eq!(both.lines, ["six"]);
        let broken = read(&[("pyproject.toml", "[project\n")]).unwrap_err();
        assert!(broken.why.contains("pyproject.toml"), "{}", broken.why);
        let poetry = read(&[("pyproject.toml", "[tool.poetry.dependencies]\nnumpy = '*'")]).unwrap();
        assert!(poetry.warnings[0].contains("poetry export"));
    }

    #[test]
    fn names_are_compared_as_indexes_do() {
        assert_eq!(normalized("Foo__Bar.baz"), "foo-bar-baz");
        assert_eq!(name_in("six"), "six");
        assert_eq!(name_in("uvicorn[standard]>=0.1"), "uvicorn");
        assert_eq!(name_in("pkg @ https://a.example/pkg.whl"), "pkg");
        assert_eq!(name_in("a~=1.0"), "a");
    }
}
