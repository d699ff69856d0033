//! `mlemu events`, and the event that `mlemu invoke` sends.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config::{self, plain};
use crate::report::print::{Printer, Tone};
use crate::report::table::table;
use clap::{Args, Subcommand};
use mlemu_core::Clock;
use mlemu_engine::SystemClock;
use mlemu_fixtures::{FixtureError, Library, Param, Request};
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All fixtures: built in, and those in ./events
    List,
    /// What a fixture is, and the parameters that it takes
    Show {
        /// As `list` calls it
        name: String,
    },
    /// Print an event
    Gen {
        /// As `list` calls it
        name: String,
        #[command(flatten)]
        filling: Filling,
        /// Write it to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Keep the event of an invocation as a fixture in ./events
    Save {
        /// The invocation's id, or `last`
        invocation: String,
        /// What the fixture shall be called
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

/// How a fixture is filled in.
#[derive(Debug, Args)]
pub struct Filling {
    /// A parameter: NAME=TEXT, NAME=@FILE, or NAME:=JSON; dots reach into objects
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Where ids come from: the same seed gives the same event
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Records in the event, for batches
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// Wrap a payload in an envelope, e.g. aws/apigw/http-v2
    #[arg(long = "as", value_name = "ENVELOPE")]
    envelope: Option<String>,
}

/// The event of an invocation.
#[derive(Debug, Args)]
pub struct EventArgs {
    /// A fixture's name, a file, JSON, or - for stdin
    #[arg(short, long, value_name = "EVENT", default_value = "{}")]
    event: String,
    #[command(flatten)]
    filling: Filling,
}

pub async fn run(args: EventsArgs, printer: Printer) -> Result<Exit, Complaint> {
    let root = PathBuf::from(".");
    let library = library(&root);
    match args.verb {
        Verb::List => list(&library, printer),
        Verb::Show { name } => show(&library, &name, printer)?,
        Verb::Save { invocation, name, project } => save(&invocation, &name, &project, printer).await?,
        Verb::Gen { name, filling, output } => {
            let event = library.render(&name, &filling.request(&root)?).map_err(complaint)?;
            match output {
                Some(file) => std::fs::write(&file, event).map_err(|error| {
                    Complaint::new(format!("cannot write {}: {}", file.display(), plain::io(&error)))
                })?,
                None => printer.result(&String::from_utf8_lossy(&event)),
            }
        }
    }
    Ok(Exit::Ok)
}

/// Writes an event into the project's own fixtures, for `--event NAME` from then on.
async fn save(
    invocation: &str,
    name: &str,
    project: &ProjectArgs,
    printer: Printer,
) -> Result<(), Complaint> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    if !name.split('/').all(plain) {
        return Err(Complaint::usage(format!("`{name}` is no name for a fixture"))
            .hint("use words with `/` between them, e.g. uploads/cat"));
    }
    let root = config::root(&project.project);
    let event = talk::need(&root)?.event_of(invocation).await?;
    let file = root.join("events").join(format!("{name}.json"));
    let failed = |error: std::io::Error| {
        Complaint::new(format!("cannot write {}: {}", file.display(), plain::io(&error)))
    };
    std::fs::create_dir_all(file.parent().unwrap_or(&root)).map_err(failed)?;
    std::fs::write(&file, event).map_err(failed)?;
    printer.say(&format!("kept in {}: use it as `--event {name}`", file.display()));
    Ok(())
}

fn library(root: &Path) -> Library {
    let own = root.join("events");
    Library::new(own.is_dir().then_some(own))
}

fn list(library: &Library, printer: Printer) {
    let listings = library.list();
    if printer.json {
        let names: Vec<_> = listings
            .iter()
            .map(|listing| serde_json::json!({ "name": listing.name, "title": listing.title, "problem": listing.problem }))
            .collect();
        return printer.result(&serde_json::to_string_pretty(&names).unwrap_or_default());
    }
    let rows = listings.into_iter().map(|listing| {
        let title = match listing.problem {
            Some(problem) => printer.paint(Tone::Bad, &problem),
            None => listing.title,
        };
        vec![listing.name, title]
    });
    printer.result(&table(&[], rows));
}

fn show(library: &Library, name: &str, printer: Printer) -> Result<(), Complaint> {
    let fixture = library.show(name).map_err(complaint)?;
    printer.result(&format!("{}  {}", printer.paint(Tone::Strong, &fixture.name), fixture.title));
    if !fixture.provenance.is_empty() {
        printer.result(&format!("after {}", fixture.provenance));
    }
    let rows = fixture.params.iter().map(|param| {
        let default = if param.required { "required".into() } else { param.default.to_string() };
        vec![format!("  {}", param.name), param.kind.to_string(), default, param.doc.clone()]
    });
    printer.result(&table(&["  PARAMETER", "TYPE", "DEFAULT", "WHAT IT IS"], rows));
    Ok(())
}

impl Filling {
    /// Refuses parameters where nothing takes them.
    fn unused(&self) -> Result<(), Complaint> {
        if self.params.is_empty() {
            return Ok(());
        }
        let hint = "name one with `--event NAME`; `mlemu events list` shows them";
        Err(Complaint::usage("-p needs a fixture").hint(hint))
    }

    fn request(&self, root: &Path) -> Result<Request, Complaint> {
        let params = self.params.iter().map(|given| given.parse::<Param>().map_err(complaint));
        Ok(Request {
            params: params.collect::<Result<_, _>>()?,
            seed: self.seed,
            now: SystemClock::new().now().0,
            count: self.count,
            project_root: Some(root.to_owned()),
            envelope: self.envelope.clone(),
        })
    }
}

impl EventArgs {
    /// An event that nothing is filled into.
    pub fn plain(event: &str) -> Self {
        let filling = Filling { params: Vec::new(), seed: 0, count: 1, envelope: None };
        Self { event: event.into(), filling }
    }

    /// The event's bytes: JSON, or whatever is in a file that is no text, such as a picture.
    pub fn event(&self, root: &Path) -> Result<Vec<u8>, Complaint> {
        let event = self.read(root)?;
        if std::str::from_utf8(&event).is_err() {
            return Ok(event);
        }
        serde_json::from_slice::<serde::de::IgnoredAny>(&event).map_err(|error| {
            let what = if self.event == "-" { "stdin" } else { &self.event };
            Complaint::usage(format!("the event is not JSON: {error}, in {what}"))
        })?;
        Ok(event)
    }

    fn read(&self, root: &Path) -> Result<Vec<u8>, Complaint> {
        let given = self.event.trim_start();
        if given == "-" {
            self.filling.unused()?;
            let mut event = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut event);
            return read
                .map(|_| event)
                .map_err(|error| Complaint::new(format!("cannot read stdin: {}", plain::io(&error))));
        }
        let file = Path::new(given);
        let is_scalar = || !file.is_file() && serde_json::from_str::<serde_json::Value>(given).is_ok();
        if given.starts_with(['{', '[', '"']) || is_scalar() {
            self.filling.unused()?;
            return Ok(given.as_bytes().to_vec());
        }
        let library = library(root);
        let request = self.filling.request(root)?;
        if !file.is_file() {
            return library.render(given, &request).map_err(|error| match error {
                FixtureError::UnknownFixture { similar, .. }
                    if similar.is_empty() && file.extension().is_some() =>
                {
                    Complaint::not_found(format!("there is no file `{given}`, and no fixture of that name"))
                }
                error => complaint(error),
            });
        }
        if file.extension().is_some_and(|extension| extension == "hbs") || request.envelope.is_some() {
            return library.render_file(file, &request).map_err(complaint);
        }
        self.filling.unused()?;
        std::fs::read(file)
            .map_err(|error| Complaint::new(format!("cannot read {}: {}", file.display(), plain::io(&error))))
    }
}

fn complaint(error: FixtureError) -> Complaint {
    let hint = error.hint();
    let exit = match error {
        FixtureError::ParamSyntax { .. } => Exit::Usage,
        _ => Exit::NotFound,
    };
    Complaint { hint, exit, ..Complaint::usage(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::{EventArgs, Filling};
    use crate::cli::exit::Exit;

    fn refusal(event: &str, param: &str) -> (Exit, String) {
        let filling = Filling { params: vec![param.into()], seed: 0, count: 1, envelope: None };
        let args = EventArgs { event: event.into(), filling };
        let complaint = args.event(".".as_ref()).expect_err("must be refused");
        (complaint.exit, complaint.what)
    }

    #[test]
    fn parameters_that_nothing_takes_are_refused() {
        assert_eq!(refusal("{}", "a.b=1"), (Exit::Usage, "-p needs a fixture".into()));
        assert_eq!(refusal("3", "a.b=1"), (Exit::Usage, "-p needs a fixture".into()));
    }

    #[test]
    fn a_file_that_is_no_text_is_the_event_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            EventArgs::plain(&path.display().to_string()).event(folder.path())
        };
        let picture = b"\x89PNG\r\n\x1a\n\xff";
        assert_eq!(file("rose.png", picture).expect("an event"), picture);
        let refused = file("rose.json", b"{\"rose\": red}").expect_err("must be refused");
        assert!(refused.what.starts_with("the event is not JSON"), "{}", refused.what);
    }

    #[test]
    fn slips_in_parameters_are_mistakes_of_the_call() {
        for param in ["key", "body:={a"] {
            let (exit, what) = refusal("aws/s3/put", param);
            assert_eq!(exit, Exit::Usage, "{what}");
        }
    }
}
