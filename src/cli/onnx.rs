//! `mlemu onnx`: the library that runs models without a language.

use super::exit::{Complaint, Exit};
use crate::daemon::folders;
use crate::report::print::{Printer, Tone};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mlemu_bundle::{Builder, Meter};
use mlemu_core::What;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Until it is known how much there is to fetch, which not every installer tells.
const SPINNER: &str = "{prefix:.bold} {spinner} {elapsed:.dim}";
const BAR: &str = "{prefix:.bold} {wide_bar} {bytes}/{total_bytes} {elapsed:.dim}";
const SPIN: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub struct OnnxArgs {
    #[command(subcommand)]
    verb: OnnxVerb,
}

#[derive(Debug, Subcommand)]
enum OnnxVerb {
    /// Fetch ONNX Runtime into the cache, so that functions of runtime `onnx` start without a network
    Install {
        /// Only look into the cache
        #[arg(long, env = "MLEMU_OFFLINE")]
        offline: bool,
    },
}

pub async fn run(args: OnnxArgs, printer: Printer) -> Result<Exit, Complaint> {
    let OnnxVerb::Install { offline } = args.verb;
    let builder = Builder::new(folders::cache(), offline);
    let watched = std::io::stderr().is_terminal() && !printer.quiet && !printer.json;
    let bar = bar(watched);
    let progress = {
        let bar = bar.clone();
        Arc::new(move |what| match what {
            What::Building { step, detail: false } if !printer.json => {
                bar.suspend(|| printer.say(&printer.paint(Tone::Quiet, &step)));
            }
            _ => {}
        })
    };
    let meter: Meter = {
        let bar = bar.clone();
        Arc::new(move |done, total| {
            if bar.length() != Some(total) {
                bar.set_style(style(BAR));
                bar.set_length(total);
            }
            bar.set_position(done);
        })
    };
    let fetched = builder.fetch_model_library(progress, meter).await;
    bar.finish_and_clear();
    let library =
        fetched.map_err(|failure| Complaint { hint: failure.hint, ..Complaint::new(failure.why) })?;
    let version = builder.model_library_version(&library).await;
    let version = version.ok_or_else(|| {
        let hint = format!("remove {} and try again", library.parent().unwrap_or(&library).display());
        Complaint::new(format!("{} was fetched, and cannot be loaded", library.display())).hint(hint)
    })?;
    tell(&library, &version, &builder, printer);
    Ok(Exit::Ok)
}

fn bar(watched: bool) -> ProgressBar {
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target).with_style(style(SPINNER));
    let bar = bar.with_prefix("onnxruntime");
    bar.enable_steady_tick(SPIN);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn tell(library: &Path, version: &str, builder: &Builder, printer: Printer) {
    if printer.json {
        let told = serde_json::json!({ "path": library, "version": version });
        return printer.result(&told.to_string());
    }
    printer.result(&format!("ONNX Runtime {version}: {}", library.display()));
    let here = std::env::current_dir().unwrap_or_default();
    if let Some(other) = builder.model_library(&here).filter(|other| other != library) {
        printer.say(&format!("functions of this folder use {}, which comes first", other.display()));
    }
}
