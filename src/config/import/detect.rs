//! Finds the templates of a project.

use super::template::Template;
use crate::config::error::ConfigError;
use ignore::WalkBuilder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// In the vendor's own order: the first one of a folder is its template.
const NAMES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];
/// Folders below the start that are looked into.
const DEPTH: usize = 4;
const SKIPPED: [&str; 7] =
    ["node_modules", ".venv", "venv", ".git", "__pycache__", "site-packages", ".aws-sam"];

/// The templates under `root`, at most one a folder, outermost first.
pub fn templates(root: &Path) -> Result<Vec<Template>, ConfigError> {
    let mut folders: BTreeMap<(usize, PathBuf), Vec<usize>> = BTreeMap::new();
    let walk = WalkBuilder::new(root)
        .max_depth(Some(DEPTH))
        .require_git(false)
        .git_global(false)
        .filter_entry(|entry| !is_skipped(entry.path()))
        .build();
    // A folder that cannot be read has nothing for us.
    for entry in walk.filter_map(Result::ok).filter(|entry| entry.path().is_file()) {
        let rank = NAMES.iter().position(|name| entry.file_name() == *name);
        if let (Some(rank), Some(folder)) = (rank, entry.path().parent()) {
            folders.entry((entry.depth(), folder.to_owned())).or_default().push(rank);
        }
    }
    let mut found = Vec::new();
    for ((_, folder), mut ranks) in folders {
        ranks.sort_unstable();
        for rank in ranks {
            if let Some(template) = Template::read(&folder.join(NAMES[rank]))? {
                found.push(template);
                break;
            }
        }
    }
    Ok(found)
}

fn is_skipped(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let in_cdk_out = path.parent().is_some_and(|parent| parent.ends_with("cdk.out"));
    SKIPPED.contains(&name) || (in_cdk_out && name.starts_with("asset."))
}
