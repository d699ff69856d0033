//! What a function weighs as a deployment package: its own files and every installed package, as they are
//! and zipped.
//!
//! Nothing is estimated: all of it is compressed, to nowhere. Installed packages never change where they
//! lie, so that their weight is kept in the cache.

use crate::builder::Builder;
use crate::digest::Digest;
use crate::inputs::Stamp;
use crate::measure::files;
use crate::shelf::{blocking, disk};
use crate::tool::Steps;
use mlemu_core::build::Progress;
use mlemu_core::{BuildFailure, Language, Needs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Changes when the same files would weigh something else.
const FORM: &str = "1";
/// Models are part of a function also where git ignores them, because a step of the project makes them.
const MODELS: [&str; 9] = ["onnx", "joblib", "pkl", "pt", "pth", "safetensors", "tflite", "h5", "keras"];

/// A deployment package in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The developer's own files.
    pub source: Share,
    /// Installed packages, the largest first.
    pub packages: Vec<Share>,
}

/// One part of a deployment package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub name: String,
    /// Bytes of its files.
    pub unzipped: u64,
    /// Bytes that it takes in a zip archive, deflated.
    pub zipped: u64,
}

/// What was weighed before.
#[derive(Serialize, Deserialize)]
struct Kept {
    form: String,
    of: Option<Stamp>,
    packages: Vec<Share>,
}

impl Weight {
    fn sum(&self, part: impl Fn(&Share) -> u64) -> u64 {
        part(&self.source) + self.packages.iter().map(part).sum::<u64>()
    }

    /// Bytes of all files.
    pub fn unzipped(&self) -> u64 {
        self.sum(|share| share.unzipped)
    }

    /// Bytes of one archive with all of it.
    pub fn zipped(&self) -> u64 {
        self.sum(|share| share.zipped)
    }
}

impl Builder {
    /// Weighs what would be uploaded, with the developer's packages installed. A vendor's own runtime client
    /// is not among them: the cloud brings it.
    pub async fn weigh(&self, needs: Needs, progress: Progress) -> Result<Weight, BuildFailure> {
        let source = needs.source.clone();
        let steps = Steps::new(progress.clone(), "package");
        let packages = match needs.language.clone() {
            Language::Python { version } => self.python.packages(&version, needs, progress).await?,
            Language::Node { version } => self.node.packages(&version, needs, progress).await?,
            Language::Executable { .. } | Language::Program { .. } | Language::Model => None,
        };
        let kept = self.cache.join("weights");
        let work = {
            let source = source.clone();
            move || {
                let packages = packages.map(|folder| weigh_packages(&folder, &kept, &steps)).transpose()?;
                Ok(Weight { source: weigh_source(&source)?, packages: packages.unwrap_or_default() })
            }
        };
        blocking(work).await.map_err(|error| disk(&source, &error))
    }
}

fn weigh_source(folder: &Path) -> io::Result<Share> {
    let is_model = |path: &Path| path.extension().is_some_and(|end| MODELS.iter().any(|model| end == *model));
    let modules = folder.join("node_modules");
    let mut all: BTreeMap<PathBuf, u64> = files(folder, true).collect();
    all.extend(files(folder, false).filter(|(path, _)| is_model(path)));
    all.retain(|path, _| !path.starts_with(&modules));
    share("source", folder, &all.into_keys().collect::<Vec<_>>())
}

fn weigh_packages(folder: &Path, kept: &Path, steps: &Steps) -> io::Result<Vec<Share>> {
    let name = Digest::of_parts([folder.display().to_string().as_str()]).short();
    let note = kept.join(name).with_extension("json");
    let of = Stamp::of(folder);
    if let Ok(text) = fs::read(&note)
        && let Ok(before) = serde_json::from_slice::<Kept>(&text)
        && (before.form.as_str(), before.of) == (FORM, of)
    {
        return Ok(before.packages);
    }
    steps.say("weighing the installed packages");
    let owners = owners(folder);
    let mut parts: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, _) in files(folder, false) {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let owner = owners.get(relative).cloned().unwrap_or_else(|| top_level(relative));
        parts.entry(owner).or_default().push(path);
    }
    let mut packages = shares(folder, parts.into_iter().collect())?;
    packages.sort_by(|a, b| b.unzipped.cmp(&a.unzipped).then_with(|| a.name.cmp(&b.name)));
    let text = serde_json::to_vec(&Kept { form: FORM.into(), of, packages: packages.clone() })?;
    // Who cannot keep it weighs again.
    let _ = keep(&note, &text);
    Ok(packages)
}

fn keep(note: &Path, text: &[u8]) -> io::Result<()> {
    let folder = note.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(text)?;
    fresh.persist(note).map(drop).map_err(|error| error.error)
}

/// Weighs parts on as many threads as there are cores.
fn shares(folder: &Path, parts: Vec<(String, Vec<PathBuf>)>) -> io::Result<Vec<Share>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, paths)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let share = share(name, folder, paths);
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(share);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_iter().collect()
}

fn share(name: &str, folder: &Path, paths: &[PathBuf]) -> io::Result<Share> {
    let mut archive = ZipWriter::new_stream(Scales::default());
    let mut unzipped = 0;
    for path in paths {
        let inside = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
        let length = fs::metadata(path)?.len();
        let options = SimpleFileOptions::default().large_file(length > u64::from(u32::MAX));
        archive.start_file(inside, options)?;
        unzipped += io::copy(&mut File::open(path)?, &mut archive)?;
    }
    let zipped = archive.finish()?.into_inner().0;
    Ok(Share { name: name.to_owned(), unzipped, zipped })
}

/// Takes everything and knows how much it was.
#[derive(Default)]
struct Scales(u64);

impl Write for Scales {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Which Python package each file belongs to, as the packages' own records say.
///
/// <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>
fn owners(folder: &Path) -> HashMap<PathBuf, String> {
    let mut owners = HashMap::new();
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file_name = item.file_name().to_string_lossy().into_owned();
        let Some((name, version)) = file_name.strip_suffix(".dist-info").and_then(|n| n.split_once('-'))
        else {
            continue;
        };
        let record = fs::read(item.path().join("RECORD")).unwrap_or_default();
        for line in String::from_utf8_lossy(&record).lines() {
            // Path, hash and size; a path with a comma in it is quoted.
            let path = line.rsplitn(3, ',').last().unwrap_or(line).trim_matches('"');
            owners.insert(PathBuf::from(path), format!("{name} {version}"));
        }
    }
    owners
}

/// The entry of the folder that a file is in; of Node's scoped packages, the package.
fn top_level(relative: &Path) -> String {
    let mut parts = relative.iter().map(|part| part.to_string_lossy());
    let first = parts.next().unwrap_or_default().into_owned();
    match parts.next() {
        Some(second) if first.starts_with('@') => format!("{first}/{second}"),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn write(folder: &Path, name: &str, size: usize) {
        let place = folder.join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, vec![b'x'; size]).unwrap();
    }

    fn weighed(folder: &Path, kept: &Path) -> Vec<(String, u64)> {
        let steps = Steps::new(Arc::new(|_| {}), "test");
        let packages = weigh_packages(folder, kept, &steps).unwrap();
        packages.into_iter().map(|share| (share.name, share.unzipped)).collect()
    }

    #[test]
    fn files_belong_to_the_package_that_recorded_them() {
        let (site, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(site.path(), "numpy/core.so", 5000);
        write(site.path(), "numpy.libs/blas.so", 4000);
        write(site.path(), "numpy/__pycache__/core.pyc", 9999);
        write(site.path(), "six.py", 30);
        write(site.path(), "stray.py", 7);
        let record = "numpy/core.so,sha256=x,5000\nnumpy.libs/blas.so,sha256=x,4000\n\"a,b.py\",,\n";
        fs::create_dir(site.path().join("numpy-2.1.dist-info")).unwrap();
        fs::write(site.path().join("numpy-2.1.dist-info/RECORD"), record).unwrap();
        let found = weighed(site.path(), kept.path());
        let expected = [
            ("numpy 2.1".to_owned(), 9000),
            ("numpy-2.1.dist-info".to_owned(), record.len() as u64),
            ("six.py".to_owned(), 30),
            ("stray.py".to_owned(), 7),
        ];
        assert_eq!(found, expected);
        assert!(owners(site.path()).contains_key(Path::new("a,b.py")));
    }

    #[test]
    fn scoped_packages_of_node_stay_apart() {
        let (modules, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(modules.path(), "@aws/a/index.js", 20);
        write(modules.path(), "@aws/b/index.js", 10);
        let expected = [("@aws/a".to_owned(), 20), ("@aws/b".to_owned(), 10)];
        assert_eq!(weighed(modules.path(), kept.path()), expected);
        fs::remove_dir_all(modules.path().join("@aws/a")).unwrap();
        assert_eq!(weighed(modules.path(), kept.path()), expected, "kept, since the folder is as it was");
        write(modules.path(), "new.js", 1);
        assert_eq!(weighed(modules.path(), kept.path()), [expected[1].clone(), ("new.js".to_owned(), 1)]);
    }

    #[test]
    fn zipped_is_what_an_archive_would_be() {
        let source = tempfile::tempdir().unwrap();
        write(source.path(), "app.py", 100_000);
        let weight = weigh_source(source.path()).unwrap();
        let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
        archive.start_file("app.py", SimpleFileOptions::default()).unwrap();
        archive.write_all(&vec![b'x'; 100_000]).unwrap();
        let real = archive.finish().unwrap().into_inner().len() as u64;
        assert_eq!(weight.unzipped, 100_000);
        assert!(weight.zipped.abs_diff(real) <= 32, "{} against {real}", weight.zipped);
    }

    #[test]
    fn models_count_where_git_ignores_them_and_modules_apart() {
        let source = tempfile::tempdir().unwrap();
        let rules = "*.onnx\n*.csv\n";
        fs::write(source.path().join(".gitignore"), rules).unwrap();
        write(source.path(), "model.onnx", 1000);
        write(source.path(), "big.csv", 9999);
        write(source.path(), "node_modules/a/index.js", 9999);
        write(source.path(), ".venv/lib/model.onnx", 9999);
        assert_eq!(weigh_source(source.path()).unwrap().unzipped, 1000 + rules.len() as u64);
    }
}
