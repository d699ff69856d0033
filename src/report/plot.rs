//! Plots as SVG that needs nothing else: no script, no font, no network.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;
const COLORS: [&str; 6] = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#475569"];

/// Lines over one axis.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    pub title: String,
    pub x: String,
    pub y: String,
    /// Both axes by orders of magnitude.
    pub logarithmic: bool,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// One axis: which values it shows, and where.
struct Axis {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone, logarithmic: bool) -> Self {
        let values = values.filter(|value| value.is_finite() && (!logarithmic || *value > 0.0));
        let (from, to) = values.fold((f64::INFINITY, 0.0_f64), |(from, to), at| (from.min(at), to.max(at)));
        let from = if !from.is_finite() {
            1.0
        } else if logarithmic {
            from
        } else {
            0.0
        };
        Self { from, to: if to > from { to } else { from + 1.0 }, logarithmic }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let (low, high) = (self.from.log10().ceil() as i32, self.to.log10().floor() as i32);
            return (low..=high).map(|power| 10f64.powi(power)).collect();
        }
        let rough = (self.to - self.from) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|nice| nice * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..=6).map(|count| self.from + step * f64::from(count)).filter(|tick| *tick <= self.to).collect()
    }
}

impl Plot {
    /// One `<svg>` element.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let across = Axis::of(points().map(|point| point.0), self.logarithmic);
        let up = Axis::of(points().map(|point| point.1), self.logarithmic);
        let x = |value: f64| LEFT + across.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"sans-serif\" font-size=\"12\"><title>{0}</title>\
             <text x=\"{LEFT}\" y=\"18\" font-size=\"14\">{0}</text>",
            escape(&self.title)
        );
        for tick in across.ticks() {
            let (at, low) = (x(tick), HEIGHT - BOTTOM);
            let _ = write!(
                svg,
                "<path d=\"M{at:.1} {TOP}V{low}\" stroke=\"#e2e8f0\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                low + 16.0,
                number(tick)
            );
        }
        for tick in up.ticks() {
            let (at, right) = (y(tick), WIDTH - RIGHT);
            let _ = write!(
                svg,
                "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#e2e8f0\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                number(tick)
            );
        }
        for (index, line) in self.lines.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let path: Vec<String> =
                line.points.iter().map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value))).collect();
            let _ = write!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
                path.join("L")
            );
            for (at, value) in line.points.iter().filter(|_| line.points.len() < 20) {
                let _ = write!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\"/>",
                    x(*at),
                    y(*value)
                );
            }
            let below = TOP + 14.0 + 18.0 * index as f64;
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{below}\" fill=\"{color}\">{}</text>",
                WIDTH - RIGHT + 10.0,
                escape(&line.name)
            );
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        let _ = write!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 10.0,
            escape(&self.x)
        );
        let _ = write!(
            svg,
            "<text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text></svg>",
            HEIGHT / 2.0,
            escape(&self.y)
        );
        svg
    }
}

/// A whole page of one file.
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n<style>\
         body{{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#0f172a}}\
         table{{border-collapse:collapse}}td,th{{padding:.2rem .8rem;border-bottom:1px solid #e2e8f0;text-align:left}}\
         .bad{{color:#dc2626}}.good{{color:#059669}}.quiet{{color:#64748b}}</style>\n<h1>{title}</h1>\n{body}\n</html>\n"
    )
}

/// A table of a page.
pub fn html_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, row: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = row.map(|cell| format!("<{tag}>{}</{tag}>", escape(&cell))).collect();
        format!("<tr>{}</tr>", cells.concat())
    };
    let head = cells("th", &mut head.iter().map(ToString::to_string));
    let rows: String = rows.iter().map(|row| cells("td", &mut row.iter().cloned()) + "\n").collect();
    format!("<table>{head}\n{rows}</table>")
}

/// Sentences below the tables of a page.
pub fn remarks(notes: &[String]) -> String {
    let lines: Vec<String> =
        notes.iter().map(|note| format!("<p class=\"quiet\">{}</p>", escape(note))).collect();
    lines.join("\n")
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Short: 1200000 is 1.2M.
fn number(value: f64) -> String {
    let (value, unit) = match value.abs() {
        large if large >= 1e9 => (value / 1e9, "G"),
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(logarithmic: bool, points: Vec<(f64, f64)>) -> String {
        let lines = vec![Line { name: "a<b".into(), points }];
        Plot { title: "\"t\" & u".into(), x: "x".into(), y: "y".into(), logarithmic, lines }.svg()
    }

    #[test]
    fn a_plot_is_one_element_and_escapes_what_it_is_given() {
        let svg = plot(false, vec![(1.0, 2.0), (3.0, 4.0)]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(svg.contains("a&lt;b") && svg.contains("&quot;t&quot; &amp; u"));
        assert!(!page("t", &svg).contains("http-equiv") && !svg.contains("href"), "nothing from elsewhere");
    }

    #[test]
    fn nothing_odd_breaks_it() {
        for points in [
            vec![],
            vec![(0.0, 0.0)],
            vec![(1.0, 1.0), (1.0, 1.0)],
            vec![(f64::NAN, 1.0), (2.0, f64::INFINITY)],
        ] {
            for logarithmic in [false, true] {
                let svg = plot(logarithmic, points.clone());
                assert!(!svg.contains("inf"), "{svg}");
            }
        }
        assert_eq!([0.05, 12.0, 1_200_000.0].map(number), ["0.05", "12", "1.2M"]);
    }
}
