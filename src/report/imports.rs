//! Imports as an interpreter times them: Python's own `importtime`, and the same form from our hook for Node.js.
//!
//! Lines are `import time: self [us] | cumulative | name`, a module after those that it imports, two spaces deeper a level.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Makes Node.js write what Python can by itself.
pub const NODE_HOOK: &str = include_str!("node-importtime.cjs");

/// One module that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub name: String,
    pub depth: usize,
    /// Without what it imports.
    pub own: Duration,
}

/// What an init did, by whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attribution {
    /// By package, the longest first.
    pub packages: Vec<(String, Duration)>,
    /// The function's own modules without their imports: mostly models that are loaded.
    pub own_code: Duration,
    /// The function's own module was seen.
    pub is_exact: bool,
}

impl Import {
    /// `None`: the line is something else.
    pub fn read(line: &str) -> Option<Self> {
        let rest = line.trim_end().strip_prefix("import time:")?;
        let mut columns = rest.splitn(3, '|');
        let own: u64 = columns.next()?.trim().parse().ok()?;
        let _cumulative = columns.next()?;
        let name = columns.next()?;
        let name = name.strip_prefix(' ').unwrap_or(name);
        let depth = (name.len() - name.trim_start().len()) / 2;
        let name = name.trim().to_owned();
        (!name.is_empty()).then(|| Self { name, depth, own: Duration::from_micros(own) })
    }

    fn package(&self) -> &str {
        let name = self.name.trim_start_matches("node:");
        if name.starts_with('@') { name } else { name.split(['.', '/']).next().unwrap_or(name) }
    }
}

impl Attribution {
    /// `module`: the function's own, as its handler names it. `clients`: packages of the vendor's runtime client, after
    /// which the function's imports begin where its own module is not among them. `known`: how a package is called
    /// that this one belongs to; `None`: it is the language's own.
    pub fn of(
        imports: &[Import],
        module: &str,
        clients: &[&str],
        known: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let is_own = |import: &Import| import.name == module || import.name.replace('/', ".") == module;
        let own = imports.iter().rposition(is_own);
        let (begin, end) = if let Some(own) = own {
            let depth = imports[own].depth;
            let outside = imports[..own].iter().rposition(|import| import.depth <= depth);
            (outside.map_or(0, |at| at + 1), own)
        } else {
            let client = imports.iter().rposition(|import| clients.contains(&import.package()));
            (client.map_or(0, |at| at + 1), imports.len())
        };
        let mut packages: BTreeMap<String, Duration> = BTreeMap::new();
        for import in &imports[begin..end] {
            let name = known(import.package()).unwrap_or_else(|| LANGUAGE.to_owned());
            *packages.entry(name).or_default() += import.own;
        }
        let mut packages: Vec<_> = packages.into_iter().collect();
        packages.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let own_code = own.map_or(Duration::ZERO, |own| imports[own].own);
        Self { packages, own_code, is_exact: own.is_some() }
    }

    /// All times so many times as long.
    pub fn scale(&mut self, factor: f64) {
        let factor = if factor.is_finite() { factor.clamp(0.0, 10.0) } else { 1.0 };
        self.packages.iter_mut().for_each(|(_, own)| *own = own.mul_f64(factor));
        self.own_code = self.own_code.mul_f64(factor);
    }

    pub fn imports(&self) -> Duration {
        self.packages.iter().map(|(_, own)| *own).sum()
    }
}

/// What belongs to no installed package.
pub const LANGUAGE: &str = "the language's own library";

/// A cold start in its parts, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    pub schema_version: u32,
    pub function: String,
    pub profile: String,
    pub memory_mb: u64,
    pub placement_ms: f64,
    pub fetch_ms: f64,
    pub zipped_mb: f64,
    pub runtime_ms: f64,
    pub imports_ms: f64,
    /// Of the function's own module: models that are loaded, mostly.
    pub model_ms: f64,
    pub first_call_ms: f64,
    pub warm_call_ms: f64,
    pub packages: Vec<Package>,
    pub advice: Vec<String>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Package {
    pub name: String,
    pub ms: f64,
    /// Unzipped, where it is an installed package.
    pub mb: Option<f64>,
}

impl Start {
    pub fn total_ms(&self) -> f64 {
        self.placement_ms + self.fetch_ms + self.runtime_ms + self.imports_ms + self.model_ms
    }

    /// The parts in one line, what is simulated apart from what was measured.
    pub fn line(&self) -> String {
        format!(
            "placement {:.0} (simulated) + fetch {:.0} (simulated, {:.0} MB) + runtime {:.0} + imports {:.0} + model {:.0} (measured)",
            self.placement_ms, self.fetch_ms, self.zipped_mb, self.runtime_ms, self.imports_ms, self.model_ms,
        )
    }

    pub fn text(&self) -> String {
        let rows = self.packages.iter().take(12).map(|package| {
            let share = if self.imports_ms > 0.0 { package.ms / self.imports_ms * 100.0 } else { 0.0 };
            vec![
                package.name.clone(),
                format!("{:.0} ms", package.ms),
                format!("{share:.0} %"),
                package.mb.map_or(String::new(), |mb| format!("{mb:.1} MB")),
            ]
        });
        let mut lines = vec![
            format!(
                "{} on {}, {} MB: cold start {:.0} ms",
                self.function,
                self.profile,
                self.memory_mb,
                self.total_ms()
            ),
            self.line(),
            format!("first call {:.1} ms, later ones {:.1} ms", self.first_call_ms, self.warm_call_ms),
            String::new(),
            super::table::table(&["IMPORTED", "TIME", "OF IMPORTS", "ON DISK"], rows),
            String::new(),
        ];
        lines.extend(self.advice.iter().map(|advice| format!("advice: {advice}")));
        lines.extend(self.notes.iter().cloned());
        lines.join("\n")
    }

    /// What to do about it, by what stands out. `idle`: installed packages that nothing imported, and their MB.
    pub fn advise(&mut self, idle: &[(String, f64)]) {
        let mut advice = Vec::new();
        let own = self.packages.iter().filter(|package| package.mb.is_some());
        for package in own.filter(|package| package.ms > 100.0 && package.ms > self.imports_ms * 0.3).take(2)
        {
            advice.push(format!(
                "{} takes {:.0} ms of the imports: import only the parts that are used, or only where they are needed",
                package.name, package.ms
            ));
        }
        let heavy: Vec<String> = idle
            .iter()
            .filter(|(_, mb)| *mb > 5.0)
            .map(|(name, mb)| format!("{name} ({mb:.0} MB)"))
            .collect();
        if !heavy.is_empty() {
            advice.push(format!(
                "installed and not imported by then: {}; drop what no call needs",
                heavy.join(", ")
            ));
        }
        if self.first_call_ms > 100.0 && self.first_call_ms > self.warm_call_ms * 3.0 {
            advice.push(
                "the first call does what later ones need not: load the model outside of the handler, where an init has more CPU".into(),
            );
        }
        if self.model_ms > 500.0 && self.model_ms > self.imports_ms {
            advice.push("the model takes longer than all imports: a smaller one (8-bit weights), or ONNX, loads faster".into());
        }
        self.advice = advice;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA: &str = "\
import time: self [us] | cumulative | imported package
import time:       100 |        100 | json
import time:       900 |       1000 | awslambdaric
import time:      3000 |       3000 |     scipy.linalg
import time:      2000 |       5000 |   sklearn.base
import time:       500 |        500 |   math
import time:     70000 |      75500 | app
something that the function printed";

    fn read(text: &str) -> Vec<Import> {
        text.lines().filter_map(Import::read).collect()
    }

    fn known(package: &str) -> Option<String> {
        match package {
            "sklearn" => Some("scikit_learn".into()),
            "scipy" | "flask" | "numpy" => Some(package.into()),
            _ => None,
        }
    }

    #[test]
    fn time_goes_to_packages_and_the_rest_of_the_own_module_is_its_own() {
        let imports = read(LAMBDA);
        assert_eq!(imports.len(), 6, "{imports:?}");
        assert_eq!((imports[2].depth, imports[3].depth), (2, 1));
        let found = Attribution::of(&imports, "app", &["awslambdaric"], known);
        let millis = |count| Duration::from_micros(count);
        let expected = [("scipy", 3000), ("scikit_learn", 2000), (LANGUAGE, 500)];
        assert_eq!(found.packages, expected.map(|(name, own)| (name.to_owned(), millis(own))));
        assert_eq!((found.own_code, found.is_exact), (millis(70_000), true));
        assert_eq!(found.imports(), millis(5_500));
    }

    #[test]
    fn where_the_own_module_is_not_told_imports_begin_after_the_client() {
        let text = "import time: 10 | 10 | flask\nimport time: 20 | 30 | functions_framework\nimport time: 5 | 5 | numpy";
        let found = Attribution::of(&read(text), "main", &["functions_framework"], known);
        assert_eq!(found.packages, [("numpy".to_owned(), Duration::from_micros(5))]);
        assert!(!found.is_exact);
    }

    #[test]
    fn other_lines_are_not_imports() {
        for line in ["", "import time:", "import time: x | y | z", "import time: 1 | 2 | ", "time: 1 | 1 | a"]
        {
            assert_eq!(Import::read(line), None, "{line}");
        }
        let scoped = Import::read("import time: 1 | 1 | @aws-sdk/client-s3").expect("an import");
        assert_eq!(scoped.package(), "@aws-sdk/client-s3");
    }

    #[test]
    fn the_parts_add_up_and_what_stands_out_is_named() {
        let package = |name: &str, ms, mb| Package { name: name.into(), ms, mb };
        let mut start = Start {
            schema_version: 1,
            function: "f".into(),
            profile: "p".into(),
            memory_mb: 512,
            placement_ms: 98.0,
            fetch_ms: 120.0,
            zipped_mb: 15.0,
            runtime_ms: 35.0,
            imports_ms: 2610.0,
            model_ms: 257.0,
            first_call_ms: 400.0,
            warm_call_ms: 4.0,
            packages: vec![package("scipy", 2000.0, Some(100.0)), package(LANGUAGE, 610.0, None)],
            advice: Vec::new(),
            notes: Vec::new(),
        };
        start.advise(&[("torch".into(), 800.0), ("six".into(), 0.1)]);
        assert!((start.total_ms() - 3120.0).abs() < 1e-9);
        let line = "placement 98 (simulated) + fetch 120 (simulated, 15 MB) + runtime 35 + imports 2610 + model 257 (measured)";
        assert_eq!(start.line(), line);
        assert_eq!(start.advice.len(), 3, "{:?}", start.advice);
        assert!(start.advice[1].contains("torch (800 MB)") && !start.advice[1].contains("six"));
    }
}
