//! The generated parts of docs/reference, made anew and compared with what is written.
//!
//! A part stands between `<!-- generated: NAME -->` and `<!-- end -->`. With `MLEMU_BLESS=1` in the
//! environment it is written instead of compared.

use std::path::Path;

/// Compares each part of a page with what it should be.
pub fn check(page: &str, parts: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let written = std::fs::read_to_string(&path).expect("the page");
    let fresh = parts.iter().fold(written.clone(), |text, (name, part)| replaced(&text, name, part));
    if fresh == written {
        return;
    }
    if std::env::var_os("MLEMU_BLESS").is_some() {
        std::fs::write(&path, fresh).expect("the page can be written");
        return;
    }
    let pairs = written.lines().zip(fresh.lines()).enumerate();
    let first = pairs.into_iter().find(|(_, (was, is))| was != is);
    let (line, (was, is)) = first.unwrap_or((written.lines().count().min(fresh.lines().count()), ("", "")));
    panic!(
        "{page}:{}: is `{was}` and should be `{is}`; run `MLEMU_BLESS=1 cargo test --test docs`",
        line + 1
    );
}

fn replaced(text: &str, name: &str, part: &str) -> String {
    let mark = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&mark).unwrap_or_else(|| panic!("the page has no part `{name}`"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap_or_else(|| panic!("`{name}` has no end"));
    format!("{before}{mark}\n{}\n\n<!-- end -->{after}", part.trim_end())
}

/// Rows as a table of Markdown; a bar inside of a cell would end it.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let owned = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut lines = vec![line(owned(head)), line(vec!["---".to_owned(); head.len()])];
    lines.extend(
        rows.into_iter().map(|cells| line(cells.iter().map(|cell| cell.replace('|', "\\|")).collect())),
    );
    lines.join("\n")
}

#[test]
fn a_part_is_replaced_and_the_rest_stays() {
    let page = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb";
    assert_eq!(replaced(page, "x", "new\n"), "a\n<!-- generated: x -->\n\nnew\n\n<!-- end -->\nb");
    assert_eq!(table(&["A"], [vec!["a|b".to_owned()]]), "| A |\n| --- |\n| a\\|b |");
}
