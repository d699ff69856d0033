//! A page and its performance: each command as a reader would type it, each output as the page shows it.
//!
//! Three things differ from the reader's terminal. `cargo run --release --` is the binary that is being
//! tested; `cargo test` and `cargo install` are left out; and `mlemu up` listens on free ports, which are
//! written as the usual ones again before anything is compared.

use super::markdown::{self, Block, Kind};
use super::matching;
use super::stage::{Daemon, Printed, Shell};
use super::tools;
use std::path::{Path, PathBuf};

const USUAL: [&str; 6] = [":4566", ":4600", ":8085", ":7071", ":10000", ":10001"];
const LEFT_OUT: [&str; 2] = ["cargo test", "cargo install"];

pub struct Player {
    page: String,
    shell: Shell,
    daemon: Option<Daemon>,
    env: Vec<(String, String)>,
    /// The usual ports and those of this daemon.
    ports: Vec<(&'static str, String)>,
    program: PathBuf,
    printed: Vec<String>,
}

/// Plays a page of the repository, in `folder` of a copy of it. `needs`: programs that it uses.
pub fn play(page: &str, folder: &str, needs: &[&str]) {
    if let Some(why) = tools::missing(&[&["bash", "python3", "curl"], needs].concat()) {
        return tools::skipped(page, &why);
    }
    let clients = match tools::clients() {
        Ok(clients) => clients,
        Err(why) => return tools::skipped(page, &why),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(page)).expect("the page");
    let copy = tempfile::Builder::new().prefix("page-").tempdir_in(tools::kept("pages")).expect("a folder");
    copy_examples(root, copy.path());
    let mut player = Player::new(page, copy.path(), &copy.path().join(folder), &clients);
    for block in markdown::blocks(&text) {
        player.block(&block);
    }
}

/// What git would have, and nothing that an earlier run made.
fn copy_examples(root: &Path, into: &Path) {
    let walk = ignore::WalkBuilder::new(root.join("examples")).hidden(false).require_git(false).build();
    for entry in walk.map(|entry| entry.expect("a readable file")) {
        let target = into.join(entry.path().strip_prefix(root).expect("below the root"));
        if entry.path().is_dir() {
            std::fs::create_dir_all(target).expect("a folder");
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

impl Player {
    fn new(page: &str, copy: &Path, folder: &Path, clients: &Path) -> Self {
        let bin = copy.join(".bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mlemu"), bin.join("mlemu")).expect("a link");
        // As on a terminal, where an answer and a progress meter would not share the screen.
        std::fs::write(bin.join(".curlrc"), "no-progress-meter\n").expect("a file");
        let path = std::env::var("PATH").unwrap_or_default();
        let env = [
            ("PATH", format!("{}:{}:{path}", bin.display(), clients.display())),
            ("MLEMU_CACHE", tools::kept("mlemu-cache").display().to_string()),
            ("CURL_HOME", bin.display().to_string()),
            ("AWS_CONFIG_FILE", "/dev/null".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
            ("NO_COLOR", "1".into()),
        ];
        let env: Vec<_> = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self {
            page: page.into(),
            shell: Shell::start(folder, &env),
            daemon: None,
            env,
            ports: Vec::new(),
            program: copy.join(".bin/program.py"),
            printed: Vec::new(),
        }
    }

    fn block(&mut self, block: &Block) {
        match &block.kind {
            Kind::Commands(commands) => {
                for command in commands {
                    self.command(command);
                }
            }
            Kind::Daemon(expected) => self.wait(block.line, expected),
            Kind::Python(program) => {
                std::fs::write(&self.program, program).expect("a file");
                let run = format!("python {}", self.program.display());
                let printed = self.run(&run);
                assert_eq!(printed.code, 0, "{}:{}: {}", self.page, block.line, printed.lines.join("\n"));
                self.printed = printed.lines;
            }
            Kind::Output(expected) => self.check(block.line, "the program", expected, &self.printed),
        }
    }

    fn command(&mut self, command: &markdown::Command) {
        if LEFT_OUT.iter().any(|start| command.text.starts_with(start)) {
            return;
        }
        let text = command.text.replace("cargo run --release --", "mlemu");
        let refused = command.prints.first().is_some_and(|line| line.starts_with("error:"));
        if text.starts_with("mlemu up") && !refused {
            return self.up(command.line, &text, &command.prints);
        }
        let printed = self.run(&text);
        if command.prints.is_empty() {
            let said = printed.lines.join("\n");
            assert_eq!(printed.code, 0, "{}:{}: `{text}` printed:\n{said}", self.page, command.line);
        } else {
            self.check(command.line, &text, &command.prints, &printed.lines);
        }
    }

    /// The daemon is ready before the page goes on; one that ran before is ended, as Ctrl-C would.
    fn up(&mut self, line: usize, command: &str, expected: &[String]) {
        self.daemon = None;
        let folder = self.shell.folder();
        let daemon = Daemon::start(command, &folder, &self.env);
        let daemon = daemon.unwrap_or_else(|why| panic!("{}:{line}: `{command}`: {why}", self.page));
        self.ports =
            vec![(USUAL[0], daemon.port("aws  http://")), (USUAL[1], daemon.port("ready  control http://"))];
        // Opened only where the page's project uses it.
        let others = [
            (USUAL[2], daemon.port("gcp  http://")),
            (USUAL[3], daemon.port("azure  http://")),
            (USUAL[4], daemon.port("azure-blob  http://")),
            (USUAL[5], daemon.port("azure-queue  http://")),
        ];
        self.ports.extend(others.into_iter().filter(|(_, port)| port != ":"));
        let printed = daemon.printed();
        self.daemon = Some(daemon);
        if !expected.is_empty() {
            let printed: Vec<_> = printed.iter().map(|line| self.usual(line)).collect();
            let ready = printed.iter().position(|line| line.starts_with("ready")).unwrap_or_default();
            self.check(line, command, expected, &printed[..=ready]);
        }
    }

    fn wait(&mut self, line: usize, expected: &[String]) {
        let ports = self.ports.clone();
        let daemon = self.daemon.as_mut();
        let daemon = daemon.unwrap_or_else(|| panic!("{}:{line}: no `mlemu up` before", self.page));
        let said = daemon.wait_for(expected, |line| usual(&ports, line));
        said.unwrap_or_else(|why| {
            panic!("{}:{line}: {why}\n\nexpected:\n{}", self.page, expected.join("\n"))
        });
    }

    fn run(&mut self, command: &str) -> Printed {
        let command =
            self.ports.iter().fold(command.to_owned(), |text, (usual, real)| text.replace(usual, real));
        let printed = self.shell.run(&command);
        let lines = printed.lines.iter().map(|line| self.usual(line)).collect();
        Printed { lines, ..printed }
    }

    fn usual(&self, line: &str) -> String {
        usual(&self.ports, line)
    }

    fn check(&self, line: usize, what: &str, expected: &[String], printed: &[String]) {
        assert!(
            matching::all(expected, printed),
            "{}:{line}: `{what}` printed:\n{}\n\nexpected:\n{}",
            self.page,
            printed.join("\n"),
            expected.join("\n")
        );
    }
}

fn usual(ports: &[(&str, String)], line: &str) -> String {
    ports.iter().fold(line.to_owned(), |text, (usual, real)| text.replace(real.as_str(), usual))
}
