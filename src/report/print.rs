//! Where words go: results to stdout, everything else to stderr, colour only for eyes.

use std::io::{IsTerminal, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// A colour of the terminal, by what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Strong,
    Quiet,
    Good,
    Warn,
    Bad,
}

#[derive(Clone, Copy, Debug)]
pub struct Printer {
    pub quiet: bool,
    pub json: bool,
    pub verbose: bool,
    pub colored: bool,
}

impl Printer {
    pub fn new(color: Color) -> Self {
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => wants_color(),
        };
        Self { quiet: false, json: false, verbose: false, colored }
    }

    /// A result: the only thing on stdout. A reader that left (`| head`) ends us quietly.
    pub fn result(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    }

    /// A result without a line end of ours.
    pub fn bytes(self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Talk, for people.
    pub fn say(self, text: &str) {
        if !self.quiet {
            Self::write(text);
        }
    }

    /// Whole lines, all at once: results as JSON, else talk.
    pub fn page(self, lines: &str) {
        if self.json {
            self.bytes(lines.as_bytes());
        } else if !self.quiet {
            // Who cannot be told is told nothing.
            let _ = std::io::stderr().lock().write_all(lines.as_bytes());
        }
    }

    fn write(text: &str) {
        let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    }

    /// An error, and what to do about it.
    pub fn complain(self, what: &str, hint: Option<&str>) {
        if self.json {
            let error = serde_json::json!({ "error": what, "hint": hint });
            return Self::write(&error.to_string());
        }
        Self::write(&format!("{} {what}", self.paint(Tone::Bad, "error:")));
        if let Some(hint) = hint {
            Self::write(&format!("{} {hint}", self.paint(Tone::Good, "hint:")));
        }
    }

    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Quiet => "2",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31;1",
        };
        if self.colored && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn wants_color() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let forced = set("CLICOLOR_FORCE") || set("FORCE_COLOR");
    !set("NO_COLOR") && (forced || (std::io::stderr().is_terminal() && !dumb))
}
