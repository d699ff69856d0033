//! Small files that a cloud gives to the runtime clients of its instances.

use std::io;
use std::path::{Path, PathBuf};

/// Sees to it that `folder` holds a file of this name and content, and gives its path. It is written at once,
/// so that nobody ever reads half of it, and only when it is not there as it should be.
///
/// # Errors
/// When the folder cannot be made or written.
pub async fn keep(folder: &Path, name: &str, content: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    if tokio::fs::read(&path).await.is_ok_and(|found| found == content.as_bytes()) {
        return Ok(path);
    }
    tokio::fs::create_dir_all(folder).await?;
    let fresh = folder.join(format!("{name}-{}.tmp", crate::ids::unguessable()));
    tokio::fs::write(&fresh, content).await?;
    tokio::fs::rename(&fresh, &path).await?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn what_is_missing_or_spoiled_is_written_and_nothing_else_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("clients");
        let path = keep(&folder, "a.cjs", "one").await.unwrap();
        fs::write(&path, "on").unwrap();
        assert_eq!(keep(&folder, "a.cjs", "one").await.unwrap(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
