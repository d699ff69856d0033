//! `mlemu env`: variables that point SDKs and tools at a running project.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::report::print::Printer;
use clap::{Args, ValueEnum};
use mlemu_core::Environment;

#[derive(Debug, Args)]
pub struct EnvArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// How to write them
    #[arg(long, value_enum, default_value = "sh")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// `export NAME='value'`, for `eval "$(mlemu env)"`
    Sh,
    /// `NAME="value"`, for .env files
    Dotenv,
    /// One object
    Json,
    /// Lines for `$GITHUB_ENV`
    Github,
}

pub async fn run(args: EnvArgs, printer: Printer) -> Result<Exit, Complaint> {
    let env = talk::need(&config::root(&args.project.project))?.environment().await?;
    let format = if printer.json { Format::Json } else { args.format };
    printer.result(&write(&env, format));
    Ok(Exit::Ok)
}

fn write(env: &Environment, format: Format) -> String {
    let line = |(name, value): (&String, &String)| match format {
        Format::Sh => format!("export {name}='{}'", value.replace('\'', r"'\''")),
        Format::Dotenv => format!("{name}=\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"")),
        Format::Json | Format::Github => format!("{name}={value}"),
    };
    match format {
        Format::Json => serde_json::to_string_pretty(env).unwrap_or_default(),
        _ => env.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_their_reader() {
        let env = Environment::from([("A".into(), "it's \"x\"".into())]);
        assert_eq!(write(&env, Format::Sh), r#"export A='it'\''s "x"'"#);
        assert_eq!(write(&env, Format::Dotenv), r#"A="it's \"x\"""#);
        assert_eq!(write(&env, Format::Github), r#"A=it's "x""#);
    }
}
