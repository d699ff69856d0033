//! What a template can do and what it cannot; hostile templates give errors with a place, never more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use mlemu_fixtures::{FixtureError, Library, Param, Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Renders a template that declares a text `t`, an object `o`, a list `l` and a number `n`.
fn render(body: &str, params: &[&str]) -> Result<Value, FixtureError> {
    let folder = tempfile::tempdir().unwrap();
    let front = "{{!--\ntitle = \"T\"\nbatch = true\n[params.t]\ntype = \"any\"\ndefault = \"x\"\n[params.o]\ntype = \"object\"\n[params.l]\ntype = \"array\"\n[params.n]\ntype = \"integer\"\ndefault = 3\n--}}\n";
    let path: PathBuf = folder.path().join("t.json.hbs");
    std::fs::write(&path, format!("{front}{body}")).unwrap();
    let params = params.iter().map(|text| text.parse::<Param>().unwrap()).collect();
    let request = Request { params, now: 1_428_582_896_042_000, ..Request::default() };
    let bytes = Library::default().render_file(&path, &request)?;
    Ok(serde_json::from_slice(&bytes).unwrap())
}

/// The first line of the body; the front matter stands before it.
const FIRST: usize = 15;

fn place(error: &FixtureError) -> (usize, usize) {
    match error {
        FixtureError::Template { line, column, .. } | FixtureError::NotJson { line, column, .. } => {
            (line - FIRST + 1, *column)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn helpers() {
    for (template, value) in [
        (r#""{{now}}""#, json!("2015-04-09T12:34:56Z")),
        (r#"{{now "epoch-ms" offset="-1s"}}"#, json!(1_428_582_895_042_i64)),
        (r#""{{base64 t}}""#, json!("eA==")),
        (r#""{{md5 t}}""#, json!("9dd4e461268c8034f5c8564e155c67a6")),
        (r#""{{sha256 t}}""#, json!("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")),
        (r#""{{url-encode "a b/c"}}""#, json!("a%20b%2Fc")),
        (r#""{{s3-key "a b/c"}}""#, json!("a+b/c")),
        (r#""{{upper (concat t "y" n)}}{{lower "ABC"}}""#, json!("XY3abc")),
        (r#"[{{counter}}, {{counter}}, "{{counter width=3}}"]"#, json!([1, 2, "003"])),
        (r#"[{{#repeat 3 sep=","}}{{@index}}{{/repeat}}]"#, json!([0, 1, 2])),
        ("[{{#repeat 2}}{{n}}{{#unless @last}},{{/unless}}{{/repeat}}]", json!([3, 3])),
        (r#"{{#if (eq t "x")}}1{{else if t}}2{{else}}3{{/if}}"#, json!(1)),
        (r#""{{default "" t}}""#, json!("x")),
        (r#""{{arn "sqs" "q" region="r" account="1"}}""#, json!("arn:aws:sqs:r:1:q")),
        (r#"{"a":{{json t}},"b":"{{json-string t}}"}"#, json!({"a": "x", "b": "x"})),
        (r#""{{json-string (json t)}}""#, json!("\"x\"")),
        ("{{json (object b=1 a=t)}}", json!({"a": "x", "b": 1})),
    ] {
        assert_eq!(render(template, &[]), Ok(value), "{template}");
    }
}

#[test]
fn loops_see_items_names_and_what_is_outside() {
    let list = r#"l:=[{"a":1},{"a":2}]"#;
    assert_eq!(
        render(r#"[{{#each l sep=","}}[{{a}},{{../n}},{{@index}}]{{/each}}]"#, &[list]),
        Ok(json!([[1, 3, 0], [2, 3, 1]]))
    );
    assert_eq!(
        render("[{{#each l as |x|}}{{x.a}}{{#unless @last}},{{/unless}}{{/each}}]", &[list]),
        Ok(json!([1, 2]))
    );
    assert_eq!(
        render(r#"{ {{#each o sep=","}}"{{@key}}": {{json this}}{{/each}} }"#, &["o.k=v", "o.m.n:=1"]),
        Ok(json!({"k": "v", "m": {"n": 1}}))
    );
    assert_eq!(render(r#"{{#each l}}1{{else}}"none"{{/each}}"#, &[]), Ok(json!("none")));
    assert_eq!(
        render(r#"[{{#each l sep=","}}{{#repeat 2 sep=","}}{{a}}{{/repeat}}{{/each}}]"#, &[list]),
        Ok(json!([1, 1, 2, 2]))
    );
}

#[test]
fn uuids_are_uuids() {
    let uuid = render(r#""{{uuid}}""#, &[]).unwrap();
    let uuid = uuid.as_str().unwrap();
    let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert_eq!(&uuid[14..15], "4");
    assert!("89ab".contains(&uuid[19..20]));
}

#[test]
fn errors_lead_to_the_template() {
    for (body, at, part) in [
        ("{\n  \"a\": {{t}}\n}", (2, 8), "not JSON"),
        ("{\n  \"a\": 1,\n  oops\n}", (3, 3), "not JSON"),
        ("{\"a\": \"{{bukcet}}\"}", (1, 8), "no value called `bukcet`"),
        ("{\"a\":\n {{json nope}}}", (2, 2), "no value called `nope`"),
        ("\n{{md6 t}}", (2, 1), "no helper called `md6`"),
        ("\n\"{{o}}\"", (2, 2), "object"),
        ("\n {{#if t}}1", (2, 2), "not closed"),
        ("\n {{#if t}}1{{/fi}}", (2, 12), "closing"),
        ("\"{{> t}}\"", (1, 2), "partial"),
        ("{{now \"iso8601\"}}", (1, 1), "no form"),
        ("{{file-size t}}", (1, 1), "project"),
        ("{{#if bukcet}}1{{/if}}", (1, 1), "no value called `bukcet`"),
        ("{{#if (eq bukcet 1)}}1{{/if}}", (1, 1), "finds no value"),
    ] {
        let error = render(body, &["o.a=1"]).unwrap_err();
        assert!(error.to_string().contains(part), "{body}: {error}");
        assert_eq!(place(&error), at, "{body}: {error}");
    }
    let error = render("\"{{o}}\"", &["o.a=1"]).unwrap_err();
    assert_eq!(error.hint().unwrap(), "write {{json o}}");
    assert_eq!(render("{{md6 t}}", &[]).unwrap_err().hint().unwrap(), "did you mean `md5`?");
}

#[test]
fn loops_and_values_are_bounded() {
    let large = format!("t={}", "x".repeat(1 << 20));
    for body in [
        "{{#repeat 10001}}{{/repeat}}",
        "{{#repeat 99999999999999999999}}{{/repeat}}",
        "{{#repeat -1}}{{/repeat}}",
        "{{#repeat 10000}}{{#repeat 10000}}{{#repeat 10000}}{{/repeat}}{{/repeat}}{{/repeat}}",
        "{{#repeat 10000}}{{#repeat 10000}}xxxxxxxxxxxxxxxx{{/repeat}}{{/repeat}}",
        "{{rand-hex 9999999}}",
        "{{#repeat 10000}}{{#if (concat t t)}}{{/if}}{{/repeat}}",
    ] {
        assert!(render(body, &[&large]).is_err(), "{body}");
    }
    let big = format!("l:=[{}]", vec!["1"; 5000].join(","));
    let nested = "{{#each l}}{{#each ../l}}{{#each ../../l}}{{/each}}{{/each}}{{/each}}";
    assert!(render(nested, &[&big]).unwrap_err().to_string().contains("too much"));
}

#[test]
fn deep_and_large_input_is_an_error() {
    let deep = "[".repeat(10_000);
    assert!(matches!(render(&deep, &[]), Err(FixtureError::NotJson { .. })));
    assert!(matches!(render(&" ".repeat(10 << 20), &[]), Err(FixtureError::TooLarge { .. })));
    for body in
        ["{{#if t}}".repeat(50_000), "{{a (".repeat(50_000), "{{#>x}}".repeat(9), "{{else}}".repeat(100)]
    {
        assert!(render(&body, &[]).is_err());
    }
    assert!(render(&format!("{}1{}", "{{#if t}}".repeat(16), "{{/if}}".repeat(16)), &[]).is_ok());
    assert!(render(&format!("\"{{{{{}upper t{}}}}}\"", "upper (".repeat(8), ")".repeat(8)), &[]).is_ok());
}

#[test]
fn items_may_lack_a_field() {
    let body = r#"[{{#each l sep=","}}{{#if a}}{{a}}{{else}}0{{/if}}{{/each}}]"#;
    assert_eq!(render(body, &[r#"l:=[{"a":1},{"b":2}]"#]), Ok(json!([1, 0])));
}

#[test]
fn a_hostile_front_matter_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json.hbs");
    for front in
        ["x = ".to_owned() + &"[".repeat(100_000), "a.".repeat(100_000), "[a]\n".repeat(1000), "\0".into()]
    {
        std::fs::write(&path, format!("{{{{!--\ntitle = \"T\"\n{front}\n--}}}}{{}}")).unwrap();
        let error = Library::default().render_file(&path, &Request::default()).unwrap_err();
        assert!(matches!(error, FixtureError::FrontMatter { .. }), "{error}");
    }
    std::fs::write(&path, b"{{!-- \xff --}}").unwrap();
    assert!(Library::default().render_file(&path, &Request::default()).is_err());
    assert!(Library::default().render_file(folder.path(), &Request::default()).is_err());
}

#[test]
fn a_chain_of_else_ifs_works() {
    let chain = (0..60).map(|i| format!("{{{{else if (eq n {i})}}}}{i}")).collect::<Vec<_>>().concat();
    assert_eq!(render(&format!("{{{{#if o}}}}0{chain}{{{{/if}}}}"), &["n=59"]), Ok(json!(59)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any jumble of template pieces ends in an event or an error.
    #[test]
    fn no_template_panics(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        let _ = render(&pieces.concat(), &["o.a=1", "l:=[1,[2]]"]);
    }

    /// The same for templates that are well formed, which reach the renderer.
    #[test]
    fn no_well_formed_template_panics(template in well_formed()) {
        let _ = render(&template, &["o.a=1", "l:=[1,[2],{\"a\":null}]"]);
    }

    #[test]
    fn any_text_survives(text in "\\PC*|.*") {
        let given = Param::text("t", &text);
        let request = Request { params: vec![Param { name: "text".into(), ..given }], ..Request::default() };
        let bytes = Library::default().render("ml/text", &request).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), json!({ "text": text }));
    }
}

const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{#if t}}",
    "{{/if}}",
    "{{else}}",
    "{{else if o}}",
    "{{#each l}}",
    "{{/each}}",
    "{{t}}",
    "{{o}}",
    "{{json o}}",
    "(",
    ")",
    "{{#with o}}",
    "{{/with}}",
    "{{@index}}",
    "{{../t}}",
    "{{this}}",
    " ",
    "\"",
    "'",
    "t",
    "json",
    "md5",
    "~",
    "#",
    "/",
    "else",
    "as |x|",
    "|",
    "{{x}}",
    "{",
    "}",
    "[",
    "]",
    "1",
    "-",
    ",",
    ":",
    "=",
    "a=1",
    "{{#repeat 2 sep=\",\"}}",
    "{{/repeat}}",
    "{{lookup o \"a\"}}",
    "{{len l}}",
    "{{@root.t}}",
    "{{@root}}",
    "\n",
    "{{!-- c --}}",
    "\\",
    "é",
    "@",
    ".",
    "..",
    "{{concat t (json o)}}",
    "{{#unless t}}",
    "{{/unless}}",
    "null",
    "{{now offset=t}}",
    "{{lookup l 0}}",
    "{{#eq t t}}",
    "{{/eq}}",
    "{{~",
    "~}}",
    "{{else eq 1 1}}",
    "{{#",
];

fn well_formed() -> impl Strategy<Value = String> {
    let values =
        ["t", "o", "l", "n", "1", "\"s\"", "null", "o.a", "l.1", "@index", "../t", "this", "@key", "nope"];
    let helpers = [
        "json",
        "md5",
        "concat",
        "uuid",
        "lookup o",
        "len",
        "default",
        "now",
        "arn",
        "rand-int 1",
        "rand-hex",
        "last-values",
        "merge-headers o",
        "object a=t",
        "query-string",
        "json-string",
        "not",
        "eq t",
        "and t",
        "s3-key",
    ];
    let blocks =
        ["if", "unless", "each", "repeat", "with", "eq t", "or o", "lookup o", "json", "t", "uuid", "nope"];
    let value = prop::sample::select(values.to_vec()).prop_map(str::to_owned);
    let argument = value.prop_recursive(3, 8, 2, move |inner| {
        (prop::sample::select(helpers.to_vec()), inner)
            .prop_map(|(helper, inner)| format!("({helper} {inner})"))
    });
    let tag = argument.clone().prop_map(|argument| format!("{{{{{}}}}}", argument.trim_matches(['(', ')'])));
    let text = prop::sample::select(vec!["", "\n", " \"", "{}", "[1]", ",", "é"]).prop_map(str::to_owned);
    prop_oneof![tag, text].prop_recursive(4, 24, 4, move |inner| {
        let parts = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        let other = prop::sample::select(vec![
            "",
            "{{else}}",
            "{{else if t}}",
            "{{~else each l~}}",
            "{{else}}{{else}}",
        ]);
        (prop::sample::select(blocks.to_vec()), argument.clone(), parts.clone(), other, parts).prop_map(
            |(block, argument, then, other, or)| {
                let name = block.split(' ').next().unwrap_or(block);
                format!("{{{{#{block} {argument}}}}}{then}{other}{or}{{{{/{name}}}}}")
            },
        )
    })
}
