//! The report for a pull request: each function with what it takes, and the budgets that it keeps or breaks.

use super::plot::{escape, html_table, page};
use super::table::table;
use crate::config::BudgetTable;
use serde::Serialize;

const MIB: f64 = 1024.0 * 1024.0;

/// One function as it was measured; what is `None` was not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    pub function: String,
    pub profile: String,
    pub memory_mb: u64,
    /// A whole cold start: the simulated parts, the init and the first call.
    pub cold_ms: Option<f64>,
    /// Of that, what is not measured.
    pub simulated_ms: Option<f64>,
    pub warm_p95_ms: Option<f64>,
    pub peak_mb: Option<f64>,
    /// Unzipped.
    pub size_mb: Option<f64>,
    pub usd_per_million: Option<f64>,
    /// Clouds that it is for and that would refuse it.
    pub refused_by: Vec<String>,
    /// Why it was not measured.
    pub failed: Option<String>,
}

/// A budget and how it is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub function: String,
    pub what: &'static str,
    pub limit: f64,
    /// `None`: it was not measured, which is no way to keep a budget.
    pub have: Option<f64>,
    pub unit: &'static str,
    pub kept: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub schema_version: u32,
    pub project: String,
    pub functions: Vec<Measured>,
    pub budgets: Vec<Verdict>,
    pub notes: Vec<String>,
}

/// A function's budget, line by line.
pub fn judge(measured: &Measured, budget: &BudgetTable) -> Vec<Verdict> {
    let millis = |span: crate::config::Span| span.0.as_secs_f64() * 1e3;
    let megabytes = |size: crate::config::Size| size.0 as f64 / MIB;
    let lines = [
        ("cold start", budget.cold.map(millis), measured.cold_ms, "ms"),
        ("warm p95", budget.warm_p95.map(millis), measured.warm_p95_ms, "ms"),
        ("memory", budget.memory.map(megabytes), measured.peak_mb, "MB"),
        ("size", budget.size.map(megabytes), measured.size_mb, "MB"),
        ("price of a million", budget.price_per_million, measured.usd_per_million, "USD"),
    ];
    let verdicts = lines.into_iter().filter_map(|(what, limit, have, unit)| {
        let limit = limit?;
        let kept = have.is_some_and(|have| have <= limit);
        Some(Verdict { function: measured.function.clone(), what, limit, have, unit, kept })
    });
    verdicts.collect()
}

impl Report {
    /// Whether nothing in it is a reason to stop.
    pub fn is_good(&self) -> bool {
        self.budgets.iter().all(|verdict| verdict.kept)
            && self.functions.iter().all(|one| one.refused_by.is_empty())
    }

    pub fn text(&self) -> String {
        let mut parts = vec![table(&HEAD, self.functions.iter().map(cells))];
        if !self.budgets.is_empty() {
            parts.push(table(&BUDGETS, self.budgets.iter().map(verdict)));
        }
        parts.push(self.remarks().join("\n"));
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n")
    }

    pub fn markdown(&self) -> String {
        let mut parts = vec![format!("## {}", self.project), pipes(&HEAD, self.functions.iter().map(cells))];
        if !self.budgets.is_empty() {
            parts.push(pipes(&BUDGETS, self.budgets.iter().map(verdict)));
        }
        parts.extend(self.remarks().iter().map(|remark| format!("- {remark}")));
        parts.join("\n\n")
    }

    pub fn html(&self) -> String {
        let functions: Vec<_> = self.functions.iter().map(cells).collect();
        let mut body = html_table(&HEAD, &functions);
        if !self.budgets.is_empty() {
            let rows: Vec<_> = self.budgets.iter().map(verdict).collect();
            body.push_str(&format!("\n<h2>Budgets</h2>\n{}", html_table(&BUDGETS, &rows)));
        }
        for remark in self.remarks() {
            body.push_str(&format!("\n<p class=\"quiet\">{}</p>", escape(&remark)));
        }
        page(&self.project, &body)
    }

    fn remarks(&self) -> Vec<String> {
        let failed = self.functions.iter().filter_map(|one| {
            one.failed.as_ref().map(|why| format!("{} was not measured: {why}", one.function))
        });
        let refused = self.functions.iter().filter(|one| !one.refused_by.is_empty());
        let refused =
            refused.map(|one| format!("{} would be refused by {}", one.function, one.refused_by.join(", ")));
        failed.chain(refused).chain(self.notes.iter().cloned()).collect()
    }
}

const HEAD: [&str; 8] =
    ["FUNCTION", "CLOUD", "MEMORY", "COLD START", "OF IT SIMULATED", "WARM P95", "PEAK", "SIZE, USD/MILLION"];
const BUDGETS: [&str; 5] = ["FUNCTION", "BUDGET", "LIMIT", "HAVE", ""];

fn cells(one: &Measured) -> Vec<String> {
    let number =
        |value: Option<f64>, unit: &str| value.map_or("-".into(), |value| format!("{value:.0} {unit}"));
    let dollars = one.usd_per_million.map_or("-".into(), |usd| format!("{usd:.2} USD"));
    vec![
        one.function.clone(),
        one.profile.clone(),
        format!("{} MB", one.memory_mb),
        number(one.cold_ms, "ms"),
        number(one.simulated_ms, "ms"),
        one.warm_p95_ms.map_or("-".into(), |value| format!("{value:.1} ms")),
        number(one.peak_mb, "MB"),
        format!("{}, {dollars}", number(one.size_mb, "MB")),
    ]
}

fn verdict(one: &Verdict) -> Vec<String> {
    vec![
        one.function.clone(),
        one.what.into(),
        format!("{:.1} {}", one.limit, one.unit),
        one.have.map_or("not measured".into(), |have| format!("{have:.1} {}", one.unit)),
        if one.kept { "kept" } else { "BROKEN" }.into(),
    ]
}

fn pipes(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | ").replace('\n', " "));
    let escaped = |cells: Vec<String>| cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    let mut lines = vec![line(head.iter().map(ToString::to_string).collect())];
    lines.push(format!("|{}", "---|".repeat(head.len())));
    lines.extend(rows.map(|row| line(escaped(row))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Size, Span};
    use std::time::Duration;

    fn measured() -> Measured {
        Measured {
            function: "score|x".into(),
            cold_ms: Some(2500.0),
            warm_p95_ms: Some(80.0),
            peak_mb: Some(300.0),
            ..Measured::default()
        }
    }

    fn budget() -> BudgetTable {
        BudgetTable {
            cold: Some(Span(Duration::from_secs(3))),
            warm_p95: Some(Span(Duration::from_millis(50))),
            memory: Some(Size(300 << 20)),
            size: None,
            price_per_million: Some(5.0),
        }
    }

    #[test]
    fn a_budget_is_kept_up_to_its_limit_and_broken_by_what_was_not_measured() {
        let verdicts = judge(&measured(), &budget());
        let told: Vec<_> = verdicts.iter().map(|one| (one.what, one.kept)).collect();
        assert_eq!(
            told,
            [("cold start", true), ("warm p95", false), ("memory", true), ("price of a million", false)]
        );
    }

    #[test]
    fn each_form_says_the_same() {
        let report = Report {
            schema_version: 1,
            project: "flowers".into(),
            functions: vec![measured()],
            budgets: judge(&measured(), &budget()),
            notes: vec!["list price".into()],
        };
        assert!(!report.is_good());
        assert!(report.text().contains("BROKEN"));
        let markdown = report.markdown();
        assert!(markdown.contains("| score\\|x |") && markdown.contains("|---|"), "{markdown}");
        assert!(report.html().contains("<td>BROKEN</td>"));
    }

    #[test]
    fn what_a_cloud_would_refuse_is_no_good_report() {
        let refused = Measured { refused_by: vec!["aws-lambda".into()], ..measured() };
        let report = Report {
            schema_version: 1,
            project: "p".into(),
            functions: vec![refused],
            budgets: Vec::new(),
            notes: Vec::new(),
        };
        assert!(!report.is_good() && report.text().contains("would be refused by aws-lambda"));
    }
}
