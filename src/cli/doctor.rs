//! `mlemu doctor`: what this machine can do, and what to do about the rest.

use super::exit::{Complaint, Exit};
use crate::daemon::folders;
use crate::report::print::{Printer, Tone};

/// One thing that was looked at.
struct Finding {
    name: String,
    ok: bool,
    text: String,
    fix: Option<String>,
}

pub fn run(printer: Printer) -> Result<Exit, Complaint> {
    let mut findings: Vec<Finding> = mlemu_sandbox::findings()
        .into_iter()
        .map(|finding| Finding {
            name: finding.name.into(),
            ok: finding.ok,
            text: finding.text,
            fix: finding.fix,
        })
        .collect();
    findings.extend(interpreters()?);
    findings.push(models()?);
    findings.push(cache());
    findings.extend(credentials());
    if printer.json {
        let list: Vec<_> = findings
            .iter()
            .map(
                |one| serde_json::json!({ "name": one.name, "ok": one.ok, "text": one.text, "fix": one.fix }),
            )
            .collect();
        printer.result(&serde_json::to_string_pretty(&list).unwrap_or_default());
    } else {
        for finding in &findings {
            let mark = if finding.ok {
                printer.paint(Tone::Good, "ok  ")
            } else {
                printer.paint(Tone::Warn, "note")
            };
            printer.result(&format!("{mark}  {}: {}", finding.name, finding.text));
            if let Some(fix) = &finding.fix {
                printer.result(&format!("      {} {fix}", printer.paint(Tone::Quiet, "fix:")));
            }
        }
    }
    Ok(Exit::Ok)
}

fn interpreters() -> Result<Vec<Finding>, Complaint> {
    let builder = mlemu_bundle::Builder::new(folders::cache(), true);
    let found = super::block_on(async { Ok(builder.interpreters().await) })?;
    if found.is_empty() {
        return Ok(vec![Finding {
            name: "interpreters".into(),
            ok: false,
            text: "no Python from 3.9 to 3.14 and no Node was found".into(),
            fix: Some("install Python 3 (Debian: apt-get install python3 python3-pip) or Node 20".into()),
        }]);
    }
    let finding = |one: mlemu_bundle::Interpreter| Finding {
        name: format!("{} {}", one.language, one.version),
        ok: true,
        text: one.program.display().to_string(),
        fix: None,
    };
    Ok(found.into_iter().map(finding).collect())
}

/// Whether functions can be models, and by which library.
fn models() -> Result<Finding, Complaint> {
    let builder = mlemu_bundle::Builder::new(folders::cache(), true);
    let name = "onnxruntime".to_owned();
    let Some(library) = builder.model_library(&std::env::current_dir().unwrap_or_default()) else {
        return Ok(Finding {
            name,
            ok: true,
            text: "not here yet; functions of runtime `onnx` fetch it when they first start".into(),
            fix: Some("`mlemu onnx install` fetches it now (about 25 MB)".into()),
        });
    };
    let version = super::block_on(async { Ok(builder.model_library_version(&library).await) })?;
    Ok(match version {
        Some(version) => {
            Finding { name, ok: true, text: format!("{version}, {}", library.display()), fix: None }
        }
        None => Finding {
            name,
            ok: false,
            text: format!("{} cannot be loaded, or is older than 1.17", library.display()),
            fix: Some("unset ORT_DYLIB_PATH, or `pip install -U onnxruntime` where that is from".into()),
        },
    })
}

fn cache() -> Finding {
    let cache = folders::cache();
    let made = std::fs::create_dir_all(&cache).and_then(|()| tempfile::tempfile_in(&cache));
    match made {
        Ok(_) => Finding { name: "cache".into(), ok: true, text: cache.display().to_string(), fix: None },
        Err(error) => Finding {
            name: "cache".into(),
            ok: false,
            text: format!("cannot write {}: {error}", cache.display()),
            fix: Some("name another folder with MLEMU_CACHE".into()),
        },
    }
}

/// Real credentials never reach a function; people like to know that they are there all the same.
fn credentials() -> Option<Finding> {
    let names =
        ["AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET"];
    let present: Vec<_> = names.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    if present.is_empty() {
        return None;
    }
    let text = format!("this shell has {}; functions never see them", present.join(", "));
    let fix = Some("run `eval \"$(mlemu env)\"` before you use a vendor's tool against mlemu".into());
    Some(Finding { name: "credentials".into(), ok: true, text, fix })
}
