//! Where a function's code is: a folder beside the template, or lines inside of it.

use super::Import;
use super::node::Node;
use super::properties::Properties;
use super::template::Resource;
use crate::config::error::ConfigError;
use crate::config::paths;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// The source folder. `None`: the code is not on this machine, a warning says so.
pub fn source(
    import: &Import<'_>,
    resource: &Resource<'_>,
    properties: &Properties<'_>,
    runtime: &str,
) -> Result<Option<PathBuf>, ConfigError> {
    let (name, inline) = match resource.kind {
        "AWS::Serverless::Function" => ("CodeUri", properties.text("InlineCode")),
        _ => ("Code", properties.inside("Code").and_then(|code| code.text("ZipFile"))),
    };
    if let Some(code) = inline {
        return write_inline(import, resource, properties, runtime, &code);
    }
    match properties.get(name) {
        None if name == "CodeUri" => {
            if let Some(file) = missing_handler(import, properties, runtime) {
                properties.warn(format!(
                    "function `{}` has no CodeUri, and its handler's {file} is not beside its template; \
                     name its folder as CodeUri",
                    resource.id,
                ));
            }
            Ok(Some(import.folder.clone()))
        }
        None => Err(properties.error(name, format!("function `{}` has no Code", resource.id))),
        Some(node) if node.as_map().is_some() => {
            let text =
                format!("function `{}` is left out: its code is in S3, not on this machine", resource.id);
            properties.resolver.warn(node.at, text);
            Ok(None)
        }
        Some(node) => match properties.identity(name)? {
            Some(text) => Ok(local(import, properties, resource, &node, &text)),
            None => Ok(Some(import.folder.clone())),
        },
    }
}

/// The file of the handler, if it should be in the template's folder and is not.
fn missing_handler(import: &Import<'_>, properties: &Properties<'_>, runtime: &str) -> Option<String> {
    let handler = properties.text("Handler")?;
    let (module, _) = handler.rsplit_once('.')?;
    let module = module.replace('.', "/");
    let forms: &[&str] = match runtime {
        _ if runtime.starts_with("python") => &[".py", "/__init__.py"],
        _ if runtime.starts_with("nodejs") => &[".js", ".mjs", ".cjs"],
        _ => return None,
    };
    let is_there =
        forms.iter().any(|form| paths::join(&import.folder, format!("{module}{form}").as_ref()).is_file());
    (!is_there).then(|| format!("{module}{}", forms[0]))
}

fn local(
    import: &Import<'_>,
    properties: &Properties<'_>,
    resource: &Resource<'_>,
    node: &Node,
    path: &str,
) -> Option<PathBuf> {
    let warn = |what: String| properties.resolver.warn(node.at, what);
    let id = resource.id;
    if path.contains("://") {
        warn(format!("function `{id}` is left out: its code is at {path}, not on this machine"));
        return None;
    }
    let folder = paths::join(&import.folder, path.as_ref());
    if folder.is_file() {
        warn(format!("function `{id}` is left out: {path} is a file; a folder of code is needed"));
        return None;
    }
    if !folder.is_dir() {
        warn(format!("the code folder {path} of `{id}` does not exist"));
    } else if !folder.starts_with(import.root) {
        warn(format!("the code of `{id}` is outside of the project: {}", folder.display()));
    }
    Some(folder)
}

/// Code that stands in the template becomes a file `index` in a folder of ours, as CloudFormation does it.
fn write_inline(
    import: &Import<'_>,
    resource: &Resource<'_>,
    properties: &Properties<'_>,
    runtime: &str,
    code: &str,
) -> Result<Option<PathBuf>, ConfigError> {
    let extension = match runtime {
        _ if runtime.starts_with("python") => "py",
        _ if runtime.starts_with("nodejs") => "js",
        _ => {
            properties.warn(format!("function `{}` is left out: inline code of {runtime}", resource.id));
            return Ok(None);
        }
    };
    let Some(cache) = import.cache else {
        properties.warn(format!("function `{}` is left out: no folder for its inline code", resource.id));
        return Ok(None);
    };
    // Named by a hash: neither a path nor an id of the template becomes a path of ours.
    let identity = format!("{}\n{}", import.template.text.path.display(), resource.id);
    let digest = Sha256::digest(identity.as_bytes());
    let name = URL_SAFE_NO_PAD.encode(&digest[..12]);
    let folder = cache.join("inline").join(name);
    let file = folder.join(format!("index.{extension}"));
    // An unchanged file keeps its age: nothing is reloaded because the template was read again.
    if std::fs::read(&file).is_ok_and(|old| old == code.as_bytes()) {
        return Ok(Some(folder));
    }
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, code))
        .map_err(|why| ConfigError::new(format!("cannot write inline code: {why}")).in_file(&file))?;
    Ok(Some(folder))
}
