//! What a page asks to be run: its fenced blocks, in order.

/// One fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// Where its first line is, counted from 1.
    pub line: usize,
    pub kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands, each with what it should print.
    Commands(Vec<Command>),
    /// What the terminal of `mlemu up` should print: a console block without a `$`.
    Daemon(Vec<String>),
    /// A program for the real SDK.
    Python(String),
    /// What the program before it should print.
    Output(Vec<String>),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub line: usize,
    pub text: String,
    pub prints: Vec<String>,
}

/// The blocks of a page that mean something here: `console`, `python`, and a `text` that follows a program.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((_, opening)) = lines.next() {
        let Some(language) = opening.strip_prefix("```").map(str::trim) else { continue };
        let body: Vec<(usize, &str)> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
        let Some((first, _)) = body.first() else { continue };
        let text = || body.iter().map(|(_, line)| *line);
        let kind = match language {
            "console" if body[0].1.starts_with("$ ") => Kind::Commands(commands(&body)),
            "console" => Kind::Daemon(text().map(str::to_owned).collect()),
            "python" => Kind::Python(text().collect::<Vec<_>>().join("\n")),
            "text" if matches!(blocks.last(), Some(Block { kind: Kind::Python(_), .. })) => {
                Kind::Output(text().map(str::to_owned).collect())
            }
            _ => continue,
        };
        blocks.push(Block { line: first + 1, kind });
    }
    blocks
}

/// A command goes on in the next line after a backslash, and to the end of its here-document.
fn commands(body: &[(usize, &str)]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut open: Option<String> = None;
    for (index, line) in body {
        match (&open, line.strip_prefix("$ "), commands.last_mut()) {
            (Some(end), _, Some(command)) => {
                command.text.push_str(&format!("\n{line}"));
                if line == end || (end == "\\" && !line.ends_with('\\')) {
                    open = None;
                }
            }
            (_, Some(text), _) => {
                open = unfinished(text);
                commands.push(Command { line: index + 1, text: text.into(), prints: Vec::new() });
            }
            (_, None, Some(command)) => command.prints.push((*line).into()),
            (_, None, None) => {}
        }
    }
    commands
}

/// What ends a command that its first line does not.
fn unfinished(line: &str) -> Option<String> {
    if line.ends_with('\\') {
        return Some("\\".into());
    }
    let (_, word) = line.split_once("<<'")?;
    Some(word.split('\'').next()?.to_owned())
}

#[test]
fn a_page_is_read_block_by_block() {
    let page = "# x\n```console\n$ a \\\n  b\nout\n$ c <<'END'\nd\nEND\n```\n```toml\nx = 1\n```\n\
                ```console\nready\n```\n```python\nprint(1)\n```\n```text\n1\n```\n";
    let found = blocks(page);
    let command = |line, text: &str, prints: &[&str]| Command {
        line,
        text: text.into(),
        prints: prints.iter().map(ToString::to_string).collect(),
    };
    let expected = [
        (3, Kind::Commands(vec![command(3, "a \\\n  b", &["out"]), command(6, "c <<'END'\nd\nEND", &[])])),
        (14, Kind::Daemon(vec!["ready".into()])),
        (17, Kind::Python("print(1)".into())),
        (20, Kind::Output(vec!["1".into()])),
    ];
    assert_eq!(found, expected.map(|(line, kind)| Block { line, kind }));
}
