//! `mlemu profiles`: the limits, prices and timings of the clouds that mlemu goes by, and where they are from.

use super::exit::{Complaint, Exit};
use crate::clouds;
use crate::report::print::{Printer, Tone};
use crate::report::replay;
use crate::report::table::table;
use clap::{Args, Subcommand};
use mlemu_core::Profile;
use mlemu_core::profile::{Figure, Origin};

#[derive(Debug, Args)]
pub struct ProfilesArgs {
    #[command(subcommand)]
    verb: ProfilesVerb,
}

#[derive(Debug, Subcommand)]
enum ProfilesVerb {
    /// List the profiles
    List,
    /// Draw the measured functions of a profile again, e.g. seed-2019, and see whether they are in its range
    Replay {
        /// Its name
        profile: String,
        /// What the draws come from
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Show every figure of one, with its source
    Show {
        /// Its name, e.g. aws-lambda
        profile: String,
    },
}

pub fn run(args: &ProfilesArgs, printer: Printer) -> Result<Exit, Complaint> {
    let profiles = clouds::profiles().map_err(|error| Complaint::new(error.to_string()))?;
    let text = match &args.verb {
        ProfilesVerb::List if printer.json => json(&profiles),
        ProfilesVerb::List => list(&profiles),
        ProfilesVerb::Replay { profile, seed } => {
            let rows = named(&profiles, profile)?.flat_map(|profile| replay::replay(profile, *seed));
            let rows: Vec<_> = rows.collect();
            if rows.is_empty() {
                return Err(Complaint::not_found(format!("`{profile}` has no measured functions"))
                    .hint("`seed-2019` has some"));
            }
            printer.result(&replay::text(&rows));
            let outside =
                rows.iter().any(|one| !one.warm.holds(one.row.warm_s) || !one.cold.holds(one.row.cold_s));
            return Ok(if outside { Exit::Failed } else { Exit::Ok });
        }
        ProfilesVerb::Show { profile } => {
            let found: Vec<&Profile> = named(&profiles, profile)?.collect();
            let texts = || found.iter().map(|one| show(one, printer)).collect::<Vec<_>>().join("\n\n");
            match found.as_slice() {
                [one] if printer.json => json(one),
                several if printer.json => json(&several),
                _ => texts(),
            }
        }
    };
    printer.result(&text);
    Ok(Exit::Ok)
}

/// All of that name: one of each cloud that has it.
fn named<'a>(
    profiles: &'a [Profile],
    name: &str,
) -> Result<impl Iterator<Item = &'a Profile> + use<'a>, Complaint> {
    let found: Vec<&Profile> = profiles.iter().filter(|one| one.name == name).collect();
    if found.is_empty() {
        return Err(Complaint::not_found(format!("there is no profile `{name}`"))
            .hint("`mlemu profiles list` shows them all"));
    }
    Ok(found.into_iter())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn list(profiles: &[Profile]) -> String {
    let row = |profile: &Profile| {
        let figures: Vec<_> = profile.figures.values().flat_map(|section| section.values()).collect();
        let unverified = figures.iter().filter(|figure| profile.is_unverified(&figure.src)).count();
        vec![
            profile.name.clone(),
            profile.cloud.clone(),
            profile.dated.clone(),
            figures.len().to_string(),
            unverified.to_string(),
            profile.title.clone(),
        ]
    };
    table(&["PROFILE", "CLOUD", "DATED", "FIGURES", "UNVERIFIED", "WHAT"], profiles.iter().map(row))
}

fn show(profile: &Profile, printer: Printer) -> String {
    let strong = |text: &str| printer.paint(Tone::Strong, text);
    let mut parts = vec![format!("{}  {}  {}", strong(&profile.name), profile.title, profile.dated)];
    for (section, figures) in &profile.figures {
        let rows = figures.iter().map(|(name, figure)| figure_row(name, figure, profile));
        parts.push(format!("{}\n{}", strong(section), table(&[], rows)));
    }
    let rows = profile.sources.iter().map(|(name, origin)| source_row(name, origin));
    parts.push(format!("{}\n{}", strong("sources"), table(&[], rows)));
    parts.join("\n\n")
}

fn figure_row(name: &str, figure: &Figure, profile: &Profile) -> Vec<String> {
    let value = figure.v.as_str().map_or_else(|| figure.v.to_string(), str::to_owned);
    let source =
        if profile.is_unverified(&figure.src) { "unverified".into() } else { format!("[{}]", figure.src) };
    let note = figure.note.as_ref().map(|note| format!("({note})")).unwrap_or_default();
    vec![format!("  {name}"), format!("{value}  {source}  {note}")]
}

fn source_row(name: &str, origin: &Origin) -> Vec<String> {
    let about = [Some(origin.grade.clone()), origin.date.clone(), origin.licence.clone()];
    let about: Vec<_> = about.into_iter().flatten().collect();
    vec![format!("  [{name}]"), format!("{} ({})", origin.what, about.join(", "))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::print::Color;

    #[test]
    fn what_nobody_checked_is_shown_as_unverified() {
        let profiles = clouds::profiles().expect("profiles");
        let lambda = show(&profiles[0], Printer::new(Color::Never));
        let line = |start: &str| {
            let found = lambda.lines().find(|line| line.trim_start().starts_with(start));
            found.unwrap_or_else(|| panic!("no {start} in {lambda}")).to_owned()
        };
        assert!(line("image_gb").contains("10  unverified"));
        assert!(line("unzipped_bytes").contains("262144000  [aws-262144000]"));
        assert!(line("[aws-262144000]").contains("service's own words"));
    }

    #[test]
    fn every_cloud_has_a_profile() {
        let profiles = clouds::profiles().expect("profiles");
        for kind in clouds::CLOUDS {
            assert!(profiles.iter().any(|profile| kind.serves(&profile.cloud)), "{}", kind.name);
        }
        assert_eq!(list(&profiles).lines().count(), profiles.len() + 1);
    }
}
