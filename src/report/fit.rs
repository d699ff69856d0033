//! What `mlemu fit` found, for people and programs.

use super::print::{Printer, Tone};
use super::table::table;
use mlemu_bundle::{Share, Weight};
use mlemu_core::profile::{Finding, Measure};
use serde::Serialize;

const MIB: f64 = 1024.0 * 1024.0;
/// Packages that are shown to people; programs get them all.
const BIGGEST: usize = 10;

/// A function and how it stands to every cloud.
#[derive(Debug, Serialize)]
pub struct Fit {
    pub function: String,
    pub runtime: String,
    /// Bytes.
    pub unzipped: u64,
    /// Bytes.
    pub zipped: u64,
    pub source: Share,
    /// The largest first.
    pub packages: Vec<Share>,
    pub clouds: Vec<Standing>,
}

/// How a function stands to one cloud.
#[derive(Debug, Serialize)]
pub struct Standing {
    pub profile: String,
    pub dated: String,
    /// The function is declared for it, or it was asked for.
    pub target: bool,
    pub fits: bool,
    pub findings: Vec<Finding>,
}

impl Fit {
    pub fn new(function: &str, runtime: &str, weight: Weight, clouds: Vec<Standing>) -> Self {
        Self {
            function: function.into(),
            runtime: runtime.into(),
            unzipped: weight.unzipped(),
            zipped: weight.zipped(),
            source: weight.source,
            packages: weight.packages,
            clouds,
        }
    }

    /// The targets that would refuse it.
    pub fn refused_by(&self) -> impl Iterator<Item = &str> {
        let refused = self.clouds.iter().filter(|standing| standing.target && !standing.fits);
        refused.map(|standing| standing.profile.as_str())
    }

    /// For people: what it weighs, where it fits, and what to do where it does not.
    pub fn text(&self, printer: Printer) -> String {
        let title = printer.paint(Tone::Strong, &self.function);
        let (unzipped, zipped) = (megabytes(self.unzipped), megabytes(self.zipped));
        let mut parts = vec![format!("{title}  {}  {unzipped} unzipped, {zipped} zipped", self.runtime)];
        parts.push(self.biggest());
        parts.push(self.limits());
        parts.extend(self.troubles(printer));
        parts.push(self.verdict(printer));
        parts.join("\n\n")
    }

    fn biggest(&self) -> String {
        let shares = self.packages.iter().take(BIGGEST).chain([&self.source]);
        let row =
            |share: &Share| vec![share.name.clone(), megabytes(share.unzipped), megabytes(share.zipped)];
        let mut rows: Vec<_> = shares.map(row).collect();
        let more = self.packages.len().saturating_sub(BIGGEST);
        if more > 0 {
            let rest = &self.packages[BIGGEST..];
            let sum = |part: fn(&Share) -> u64| megabytes(rest.iter().map(part).sum());
            rows.insert(
                BIGGEST,
                vec![format!("{more} more"), sum(|share| share.unzipped), sum(|share| share.zipped)],
            );
        }
        table(&["PACKAGE", "UNZIPPED", "ZIPPED"], rows)
    }

    fn limits(&self) -> String {
        let rows = self.clouds.iter().flat_map(|standing| {
            let name =
                if standing.target { format!("{}*", standing.profile) } else { standing.profile.clone() };
            standing.findings.iter().map(move |finding| row(&name, finding))
        });
        table(&["CLOUD", "WHAT", "HAVE", "LIMIT", ""], rows)
    }

    fn troubles(&self, printer: Printer) -> Option<String> {
        let mut lines = Vec::new();
        for standing in &self.clouds {
            for finding in standing.findings.iter().filter(|finding| !finding.fits) {
                let own = || plainly(finding);
                let says = finding.says.clone().unwrap_or_else(own);
                let tone = if standing.target && finding.refuses { Tone::Bad } else { Tone::Warn };
                lines.push(format!("{} {says}", printer.paint(tone, &format!("{}:", standing.profile))));
                let advice = finding.advice.iter();
                lines.extend(
                    advice.map(|advice| format!("  {} {advice}", printer.paint(Tone::Good, "hint:"))),
                );
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn verdict(&self, printer: Printer) -> String {
        let refused: Vec<_> = self.refused_by().collect();
        let targets = self.clouds.iter().filter(|standing| standing.target);
        let targets: Vec<_> = targets.map(|standing| standing.profile.as_str()).collect();
        match (refused.is_empty(), targets.is_empty()) {
            (false, _) => {
                printer.paint(Tone::Bad, &format!("{} does not fit {}", self.function, refused.join(", ")))
            }
            (true, false) => {
                printer.paint(Tone::Good, &format!("{} fits {}", self.function, targets.join(", ")))
            }
            (true, true) => format!("no profile is of the cloud that {} is declared for", self.function),
        }
    }
}

fn row(profile: &str, finding: &Finding) -> Vec<String> {
    let verdict = match (finding.fits, finding.refuses) {
        (true, _) => "fits",
        (false, true) => "does not fit",
        (false, false) => "there is a way around",
    };
    let doubt = if finding.unverified { " (unverified)" } else { "" };
    vec![
        profile.to_owned(),
        name(finding.what).into(),
        amount(finding.what, finding.have),
        limits(finding),
        format!("{verdict}{doubt}"),
    ]
}

/// What does not fit, where the vendor's words are unknown.
fn plainly(finding: &Finding) -> String {
    let have = amount(finding.what, finding.have);
    let limits: Vec<_> = finding.limits.iter().map(|limit| amount(finding.what, *limit)).collect();
    let bound = if limits.len() > 1 { "is none of" } else { "is more than" };
    format!("{} of {have} {bound} {}", name(finding.what), limits.join(", "))
}

/// The limit; of several sizes to choose from, the largest.
fn limits(finding: &Finding) -> String {
    let limit = |limit: Option<&u64>| limit.map(|limit| amount(finding.what, *limit)).unwrap_or_default();
    match finding.limits.len() {
        0 | 1 => limit(finding.limits.first()),
        several => format!("{several} sizes to {}", limit(finding.limits.last())),
    }
}

fn name(what: Measure) -> &'static str {
    match what {
        Measure::Source => "source, zipped",
        Measure::Zipped => "zipped",
        Measure::Unzipped => "unzipped",
        Measure::Image => "in an image",
        Measure::Memory => "memory",
        Measure::Peak => "memory at its peak",
        Measure::Tmp => "/tmp",
        Measure::Timeout => "timeout",
        Measure::EventTimeout => "timeout (events)",
        Measure::Request => "request",
        Measure::Event => "event",
        Measure::Response => "answer",
    }
}

fn amount(what: Measure, value: u64) -> String {
    match what {
        Measure::Timeout | Measure::EventTimeout => format!("{value} s"),
        Measure::Memory | Measure::Tmp => format!("{} MB", value / (1 << 20)),
        Measure::Source | Measure::Zipped | Measure::Unzipped | Measure::Image | Measure::Peak => {
            megabytes(value)
        }
        Measure::Request | Measure::Event | Measure::Response => payload(value),
    }
}

/// Small ones are told in smaller units.
fn payload(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} kB", bytes as f64 / 1024.0),
        _ => megabytes(bytes),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(name: &str, unzipped: u64) -> Share {
        Share { name: name.into(), unzipped: unzipped << 20, zipped: unzipped << 19 }
    }

    fn fit(packages: u64, target: bool) -> Fit {
        let finding = Finding {
            what: Measure::Unzipped,
            have: 300 << 20,
            limits: vec![250 << 20],
            fits: false,
            refuses: true,
            says: Some("too large".into()),
            advice: Some("be small".into()),
            unverified: true,
        };
        let standing = Standing {
            profile: "cloud".into(),
            dated: "2026-11-21".into(),
            target,
            fits: false,
            findings: vec![finding],
        };
        let packages = (0..packages).map(|number| share(&format!("p{number}"), 40 - number)).collect();
        Fit::new("Score", "python3.12", Weight { source: share("source", 1), packages }, vec![standing])
    }

    fn plain() -> Printer {
        Printer::new(crate::report::print::Color::Never)
    }

    #[test]
    fn ten_packages_are_shown_and_the_rest_is_summed() {
        let text = fit(12, true).text(plain());
        assert!(text.starts_with("Score  python3.12  415.0 MB unzipped, 207.5 MB zipped\n"), "{text}");
        assert!(text.contains("\np9       31.0 MB   15.5 MB\n2 more   59.0 MB   29.5 MB\nsource "), "{text}");
    }

    #[test]
    fn sizes_to_choose_from_are_named_where_they_matter() {
        let mut fit = fit(1, true);
        let memory = Finding {
            what: Measure::Memory,
            have: 300 << 20,
            limits: vec![128 << 20, 256 << 20],
            says: None,
            unverified: false,
            ..fit.clouds[0].findings[0].clone()
        };
        fit.clouds[0].findings = vec![memory];
        let text = fit.text(plain());
        assert!(text.contains("memory  300 MB  2 sizes to 256 MB  does not fit\n"), "{text}");
        assert!(text.contains("\ncloud: memory of 300 MB is none of 128 MB, 256 MB\n"), "{text}");
    }

    #[test]
    fn what_a_target_refuses_is_said_in_its_words() {
        let text = fit(1, true).text(plain());
        assert!(text.contains("cloud*  unzipped  300.0 MB  250.0 MB  does not fit (unverified)"), "{text}");
        assert!(text.ends_with("cloud: too large\n  hint: be small\n\nScore does not fit cloud"), "{text}");
        assert_eq!(fit(1, false).refused_by().count(), 0, "what is no target refuses nothing");
    }
}
