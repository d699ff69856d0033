//! Running other people's tools: without a terminal, without waiting for an answer from anybody, killed
//! when nobody waits for them any more, their output turned into steps of progress.

use mlemu_core::BuildFailure;
use mlemu_core::build::COMMAND;
use mlemu_core::build::Progress;
use mlemu_core::record::What;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// How often a step is shown at most: tools print far faster than anybody reads.
const PACE: Duration = Duration::from_millis(250);
/// How many of a tool's last lines a failure quotes.
const LAST_WORDS: usize = 15;
/// How the line of a failure begins that quotes the command; terminals leave it out unless asked for more.
/// A longer line is cut.
const LONGEST_LINE: usize = 2000;

/// Says what is being done, with who does it in front: `python 3.11: installing joblib`.
#[derive(Clone)]
pub(crate) struct Steps {
    progress: Progress,
    who: String,
}

impl Steps {
    pub fn new(progress: Progress, who: impl Into<String>) -> Self {
        Self { progress, who: who.into() }
    }

    pub fn say(&self, text: &str) {
        self.tell(text, false);
    }

    fn tell(&self, text: &str, detail: bool) {
        (self.progress)(What::Building { step: format!("{}: {text}", self.who), detail });
    }
}

/// What a line of a tool's output is good for.
pub(crate) enum Heard {
    /// To be shown, e.g. which package is fetched; says nothing about a failure.
    Step(String),
    /// Kept for the failure, should there be one.
    Words,
    /// Both: somebody's own program speaks.
    Output,
}

/// A tool that could not do what it was asked to.
#[derive(Debug)]
pub(crate) struct ToolFailure {
    /// As one would type it.
    pub command: String,
    /// How it ended, e.g. `exit status: 1`.
    pub ending: String,
    /// The last lines it printed, oldest first.
    pub last_words: Vec<String>,
}

impl ToolFailure {
    /// `what` had to be done, e.g. `installing requirements.txt`.
    ///
    /// The tool's own error comes first and its long command, which few want to see, last.
    pub fn into_build_failure(mut self, what: &str, hint: Option<String>) -> BuildFailure {
        let is_error = |line: &String| {
            let line = line.trim_start();
            ["ERROR: ", "error: ", "npm error ", "npm ERR! "].iter().any(|start| line.starts_with(start))
        };
        let mut why = match self.last_words.iter().position(is_error) {
            Some(at) => format!("{what} failed: {}", self.last_words.remove(at).trim_start()),
            None => format!("{what} failed: {}", self.ending),
        };
        for line in &self.last_words {
            why.push_str("\n  ");
            why.push_str(line);
        }
        why.push_str(&format!("\n{COMMAND}`{}` ended with {}", self.command, self.ending));
        BuildFailure { why, hint }
    }
}

/// A command line in the making. The environment is inherited but for what is set here.
pub(crate) struct Tool {
    command: Command,
    shown: String,
}

impl Tool {
    #[expect(clippy::disallowed_methods, reason = "this is where the tools start")]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Self { command, shown: Path::new(program).display().to_string() }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.shown.push(' ');
        self.shown.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Tool::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Puts a folder first on the tool's `PATH`.
    pub fn path_first(self, folder: &Path, path: Option<&OsStr>) -> Self {
        let mut joined = OsString::from(folder);
        if let Some(path) = path {
            joined.push(":");
            joined.push(path);
        }
        self.env("PATH", joined)
    }

    /// What it printed, if it could be started and succeeded within `patience`.
    pub async fn output(mut self, patience: Duration) -> Option<String> {
        let output = tokio::time::timeout(patience, self.command.output()).await.ok()?.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it to its end and shows its lines on the way, as `sort` judges them.
    pub async fn run(mut self, steps: &Steps, sort: impl Fn(&str) -> Heard) -> Result<(), ToolFailure> {
        let mut told = Told { sort, steps, pending: None, last_words: VecDeque::new() };
        let ending = match self.command.spawn() {
            Ok(child) => match follow(child, &mut told).await {
                Ok(status) if status.success() => return Ok(()),
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        Err(ToolFailure { command: self.shown, ending, last_words: told.last_words.into() })
    }
}

/// What the tool said so far.
struct Told<'a, F> {
    sort: F,
    steps: &'a Steps,
    /// What to say at the next tick, and whether it is a detail.
    pending: Option<(String, bool)>,
    last_words: VecDeque<String>,
}

impl<F: Fn(&str) -> Heard> Told<'_, F> {
    fn hear(&mut self, line: &str) {
        let line = line.trim_end();
        if line.trim().is_empty() {
            return;
        }
        match (self.sort)(line) {
            Heard::Step(step) => {
                self.pending = Some((step, true));
                return;
            }
            Heard::Output => self.pending = Some((line.to_owned(), false)),
            Heard::Words => {}
        }
        if self.last_words.len() == LAST_WORDS {
            self.last_words.pop_front();
        }
        self.last_words.push_back(line.to_owned());
    }

    fn tick(&mut self) {
        if let Some((step, detail)) = self.pending.take() {
            self.steps.tell(&step, detail);
        }
    }
}

async fn follow<F: Fn(&str) -> Heard>(
    mut child: Child,
    told: &mut Told<'_, F>,
) -> std::io::Result<ExitStatus> {
    let (mut out, mut err) = (Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take()));
    let mut tick = tokio::time::interval(PACE);
    let mut status = None;
    // A descendant may hold the pipes open after the tool has ended: it gets one more tick.
    while status.is_none() || out.open() || err.open() {
        tokio::select! {
            biased;
            line = out.next(), if out.open() => line.into_iter().for_each(|line| told.hear(&line)),
            line = err.next(), if err.open() => line.into_iter().for_each(|line| told.hear(&line)),
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                tick.reset();
            }
            _ = tick.tick() => {
                told.tick();
                if status.is_some() { break }
            }
        }
    }
    told.tick();
    match status {
        Some(status) => Ok(status),
        None => child.wait().await,
    }
}

/// A stream cut into lines, at `\n` and at the `\r` of progress bars.
struct Pipe<R> {
    stream: Option<R>,
    rest: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(stream: Option<R>) -> Self {
        Self { stream, rest: Vec::new() }
    }

    fn open(&self) -> bool {
        self.stream.is_some() || !self.rest.is_empty()
    }

    /// The next line, or nothing when more has to be read or the stream has ended. Cancel-safe.
    async fn next(&mut self) -> Option<String> {
        if let Some(line) = self.cut() {
            return Some(line);
        }
        let mut chunk = [0; 4096];
        let read = match &mut self.stream {
            Some(stream) => stream.read(&mut chunk).await.unwrap_or(0),
            None => 0,
        };
        if read > 0 {
            self.rest.extend_from_slice(&chunk[..read]);
            return self.cut();
        }
        self.stream = None;
        let last = std::mem::take(&mut self.rest);
        Some(String::from_utf8_lossy(&last).into_owned())
    }

    fn cut(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let end = end.or_else(|| (self.rest.len() >= LONGEST_LINE).then_some(LONGEST_LINE - 1))?;
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn listening() -> (Steps, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = heard.clone();
        let progress: Progress = Arc::new(move |what| {
            if let What::Building { step, .. } = what {
                ear.lock().unwrap().push(step);
            }
        });
        (Steps::new(progress, "test"), heard)
    }

    fn shell(script: &str) -> Tool {
        Tool::new("/bin/sh").arg("-c").arg(script)
    }

    #[tokio::test]
    async fn lines_become_steps_at_a_readable_pace() {
        let (steps, heard) = listening();
        let script = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; printf 'a\\rlast'";
        shell(script).run(&steps, |line| Heard::Step(line.to_uppercase())).await.unwrap();
        let heard = heard.lock().unwrap();
        assert!(heard.len() < 20, "{heard:?}");
        assert_eq!(heard.last().unwrap(), "test: LAST");
    }

    #[tokio::test]
    async fn a_failure_quotes_the_last_words() {
        let (steps, _) = listening();
        let script = "for i in $(seq 40); do echo out $i; done; echo broken >&2; exit 7";
        let failure = shell(script).run(&steps, |_| Heard::Words).await.unwrap_err();
        assert_eq!(failure.last_words.len(), LAST_WORDS);
        assert!(failure.last_words.contains(&"broken".to_owned()));
        let told = failure.into_build_failure("the work", None);
        assert!(told.why.starts_with("the work failed: exit status: 7\n"), "{}", told.why);
        assert!(told.why.contains("\n  command: `/bin/sh -c for"), "{}", told.why);
    }

    #[tokio::test]
    async fn the_tools_own_error_comes_first() {
        let (steps, _) = listening();
        let script = "echo looking; echo 'ERROR: No matching distribution found for nosuch'; exit 1";
        let failure = shell(script).run(&steps, |_| Heard::Words).await.unwrap_err();
        let why = failure.into_build_failure("the work", None).why;
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(
            lines[..2],
            ["the work failed: ERROR: No matching distribution found for nosuch", "  looking"]
        );
        assert!(lines[2].starts_with("  command: "), "{why}");
    }

    #[tokio::test]
    async fn a_missing_program_is_a_failure_too() {
        let (steps, _) = listening();
        let failure = Tool::new("/nowhere/tool").run(&steps, |_| Heard::Words).await.unwrap_err();
        assert!(failure.ending.contains("No such file"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_descendant_that_keeps_the_pipe_does_not_hold_us() {
        let (steps, _) = listening();
        let run = shell("sleep 30 & echo done").run(&steps, |_| Heard::Words);
        tokio::time::timeout(Duration::from_secs(10), run).await.expect("returned").unwrap();
    }
}
