//! A folder of files that shall be the first objects of a bucket.

use std::io;
use std::path::{Path, PathBuf};

/// A file, and the object that it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The file's path from the folder, with `/` between its parts.
    pub key: String,
    pub file: PathBuf,
    /// The media type, where the name tells it.
    pub kind: Option<&'static str>,
}

/// Every file below `root`, in the order of the keys. Links are not followed.
pub async fn seeds(root: &Path) -> io::Result<Vec<Seed>> {
    let root = root.to_owned();
    tokio::task::spawn_blocking(move || below(&root)).await.map_err(io::Error::other)?
}

fn below(root: &Path) -> io::Result<Vec<Seed>> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (file, is) = (entry.path(), entry.file_type()?);
            if is.is_dir() {
                open.push(file);
            } else if let Ok(inside) = file.strip_prefix(root)
                && is.is_file()
            {
                let key = inside.to_string_lossy().replace('\\', "/");
                found.push(Seed { kind: kind(&key), key, file });
            }
        }
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// What the clouds' own tools take a file for by its name.
fn kind(key: &str) -> Option<&'static str> {
    Some(match key.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "txt" => "text/plain",
        "json" => "application/json",
        "csv" => "text/csv",
        "html" => "text/html",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "wav" => "audio/x-wav",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_of_all_folders_by_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("in/deep")).unwrap();
        for name in ["z", "in/b.PNG", "in/deep/a.csv"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let found = seeds(folder.path()).await.unwrap();
        let told: Vec<_> = found.iter().map(|seed| (seed.key.as_str(), seed.kind)).collect();
        assert_eq!(told, [("in/b.PNG", Some("image/png")), ("in/deep/a.csv", Some("text/csv")), ("z", None)]);
        assert!(found.iter().all(|seed| std::fs::read_to_string(&seed.file).unwrap() == seed.key));
        assert!(seeds(&folder.path().join("none")).await.is_err());
    }
}
