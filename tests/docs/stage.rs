//! Where a page is played: a copy of the project, one shell, and the daemon of `mlemu up` beside it.

use super::matching;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Longer than installing scikit-learn takes on a slow line.
const PATIENCE: Duration = Duration::from_secs(240);
/// Written by the shell after each command, with its exit code.
const END: &str = "\u{1}end ";

/// A shell that keeps its variables and its folder from command to command.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

/// What a command printed, on both streams, and its exit code.
pub struct Printed {
    pub lines: Vec<String>,
    pub code: i32,
}

impl Shell {
    pub fn start(folder: &Path, env: &[(String, String)]) -> Self {
        let mut child = clean(Command::new("bash").args(["--norc", "--noprofile"]), folder, env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash starts");
        let mut input = child.stdin.take().expect("a pipe");
        writeln!(input, "exec 2>&1").expect("bash reads");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (lines, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
                if lines.send(text).is_err() {
                    return;
                }
            }
        });
        Self { child, input, output }
    }

    pub fn run(&mut self, command: &str) -> Printed {
        writeln!(self.input, "{{ {command}\n}} </dev/null\nprintf '\\n{END}%s\\n' $?").expect("bash reads");
        let mut text = String::new();
        loop {
            let line = self.output.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("`{command}` does not end; so far:\n{text}"));
            if let Some(code) = line.strip_prefix(END) {
                // The line end before the mark is ours.
                let text = text.strip_suffix('\n').unwrap_or(&text);
                return Printed { lines: matching::seen(text), code: code.trim().parse().unwrap_or(-1) };
            }
            text.push_str(&line);
        }
    }

    pub fn folder(&mut self) -> PathBuf {
        self.run("pwd").lines.concat().into()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// `mlemu up`, with what it has printed so far.
pub struct Daemon {
    child: Child,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    /// Up to where its lines were looked at.
    read: usize,
}

fn is_googles(folder: &Path) -> bool {
    let says = |file: &str, word: &str| {
        std::fs::read_to_string(folder.join(file)).is_ok_and(|text| text.contains(word))
    };
    says("main.py", "functions_framework") || says("mlemu.toml", "\"gcp\"")
}

fn is_azures(folder: &Path) -> bool {
    let said = std::fs::read_to_string(folder.join("mlemu.toml")).unwrap_or_default();
    folder.join("host.json").is_file() || said.contains("\"azure\"")
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    over: bool,
}

impl Daemon {
    /// Starts it on any ports and waits until it is ready. `command` begins with `mlemu up`.
    pub fn start(command: &str, folder: &Path, env: &[(String, String)]) -> Result<Self, String> {
        // Asking for its port opens a cloud: only where the page's project uses it.
        let gcp = if is_googles(folder) { "--gcp-port 0" } else { "" };
        let azure = if is_azures(folder) { "--azure-port 0 --blob-port 0 --queue-port 0" } else { "" };
        let line = format!("exec {command} --aws-port 0 {gcp} {azure} --control-port 0 2>&1");
        let mut child = clean(Command::new("bash").args(["--norc", "--noprofile", "-c", &line]), folder, env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let heard: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
        let told = heard.clone();
        let output = child.stdout.take().expect("a pipe");
        std::thread::spawn(move || listen(output, &told));
        let mut daemon = Self { child, heard, read: 0 };
        daemon.wait_for(&["ready ...".to_owned()], str::to_owned)?;
        Ok(daemon)
    }

    /// `:PORT` of the address in the line that begins so.
    pub fn port(&self, start: &str) -> String {
        let printed = self.printed();
        let address = printed.iter().find_map(|line| line.strip_prefix(start)).unwrap_or_default();
        let port = address.split(' ').next().unwrap_or_default().rsplit(':').next();
        format!(":{}", port.unwrap_or_default())
    }

    /// Waits until it has printed these lines since it was last asked.
    pub fn wait_for(&mut self, expected: &[String], seen: impl Fn(&str) -> String) -> Result<(), String> {
        let (heard, changed) = &*self.heard;
        let mut guard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let lines: Vec<String> = guard.lines[self.read..].iter().map(|line| seen(line)).collect();
            if let Some(used) = matching::within(expected, &lines) {
                self.read += used;
                return Ok(());
            }
            if guard.over {
                return Err(format!("the daemon has ended; it printed:\n{}", lines.join("\n")));
            }
            let (again, late) = changed.wait_timeout(guard, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            if late.timed_out() {
                return Err(format!("the daemon printed:\n{}", lines.join("\n")));
            }
            guard = again;
        }
    }

    pub fn printed(&self) -> Vec<String> {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }
}

fn listen(output: impl Read, told: &(Mutex<Heard>, Condvar)) {
    let (heard, changed) = told;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        heard.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
        changed.notify_all();
    }
    heard.lock().unwrap_or_else(PoisonError::into_inner).over = true;
    changed.notify_all();
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Only what the page could rely on, and nothing of this machine's clouds.
fn clean<'a>(command: &'a mut Command, folder: &Path, env: &[(String, String)]) -> &'a mut Command {
    let foreign = std::env::vars_os().map(|(name, _)| name);
    for name in foreign.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).envs(env.iter().map(|(name, value)| (name, value)))
}

/// Asks it to end, and waits for that.
fn end(child: &mut Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
        // It may be gone already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let _ = child.wait();
}
