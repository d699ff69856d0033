//! Event patterns: which JSON documents a filter lets through.
//!
//! Follows "Filter rule syntax" of the AWS Lambda developer guide and "Comparison operators" of the Amazon
//! EventBridge user guide. A pattern is compiled once; whatever does not compile is refused by name.

use serde_json::{Map, Value};
use std::net::IpAddr;
use thiserror::Error;

/// Deepest nesting of a pattern.
const DEEPEST: usize = 100;

#[derive(Clone, Debug, PartialEq, Error)]
#[error("{why}")]
pub struct PatternFault {
    pub why: String,
}

fn wrong(why: impl Into<String>) -> PatternFault {
    PatternFault { why: why.into() }
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Fields);

/// Members that must all fit, and lists of alternatives of which one must fit each.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields {
    members: Vec<(String, Node)>,
    either: Vec<Vec<Fields>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Inside(Fields),
    /// One of these must fit.
    AnyOf(Vec<Rule>),
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Equals(Value),
    IgnoreCase(String),
    /// Where case does not matter it is in lower case.
    Prefix(Affix),
    Suffix(Affix),
    Wildcard(String),
    Not(Vec<Rule>),
    Numeric(Vec<(Compare, f64)>),
    Exists(bool),
    Cidr(Network),
}

#[derive(Clone, Debug, PartialEq)]
struct Affix {
    text: String,
    exact: bool,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Debug, PartialEq)]
struct Network {
    begins: IpAddr,
    bits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

impl Pattern {
    pub fn compile(text: &str) -> Result<Self, PatternFault> {
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(members) = value else { return Err(wrong("a pattern is an object")) };
        fields(&members, 0).map(Self)
    }

    pub fn fits(&self, document: &Value) -> bool {
        self.0.fit(Some(document))
    }

    /// Whether a member is to be an object (`Some(true)`), or a plain value; `None`: it does not matter.
    pub fn wants_object(&self, member: &str) -> Option<bool> {
        let found = self.0.members.iter().find(|(name, _)| name == member);
        found.map(|(_, node)| matches!(node, Node::Inside(_)))
    }
}

fn fields(members: &Map<String, Value>, depth: usize) -> Result<Fields, PatternFault> {
    if depth > DEEPEST {
        return Err(wrong("the pattern is nested too deeply"));
    }
    let mut all = Fields::default();
    for (name, value) in members {
        match value {
            Value::Array(choices) if name == "$or" => {
                let choices: Result<Vec<_>, _> = choices
                    .iter()
                    .map(|choice| match choice {
                        Value::Object(members) => fields(members, depth + 1),
                        _ => Err(wrong("$or has objects")),
                    })
                    .collect();
                all.either.push(choices?);
            }
            Value::Object(inside) => {
                all.members.push((name.clone(), Node::Inside(fields(inside, depth + 1)?)));
            }
            Value::Array(rules) if !rules.is_empty() => {
                let rules: Result<Vec<_>, _> = rules.iter().map(rule).collect();
                all.members.push((name.clone(), Node::AnyOf(rules?)));
            }
            _ => return Err(wrong(format!("\"{name}\" must be an object or an array"))),
        }
    }
    Ok(all)
}

fn rule(value: &Value) -> Result<Rule, PatternFault> {
    let operators = match value {
        Value::Object(operators) => operators,
        Value::Array(_) => return Err(wrong("a rule is no array")),
        plain => return Ok(Rule::Equals(plain.clone())),
    };
    let mut all = operators.iter();
    let (Some((name, operand)), None) = (all.next(), all.next()) else {
        return Err(wrong("a rule has one operator"));
    };
    let text = || operand.as_str().map(str::to_owned).ok_or_else(|| wrong(format!("{name} takes a string")));
    match name.as_str() {
        "prefix" => affix(name, operand).map(Rule::Prefix),
        "suffix" => affix(name, operand).map(Rule::Suffix),
        "cidr" => {
            Network::read(&text()?).map(Rule::Cidr).ok_or_else(|| wrong("cidr takes a range of addresses"))
        }
        "wildcard" => text().map(Rule::Wildcard),
        "equals-ignore-case" => text().map(Rule::IgnoreCase),
        "exists" => operand.as_bool().map(Rule::Exists).ok_or_else(|| wrong("exists takes true or false")),
        "numeric" => numeric(operand),
        "anything-but" => match operand {
            Value::Array(all) => all.iter().map(rule).collect::<Result<_, _>>().map(Rule::Not),
            Value::Object(one) if one.values().all(Value::is_array) => each(one).map(Rule::Not),
            one => Ok(Rule::Not(vec![rule(one)?])),
        },
        other => Err(wrong(format!("unrecognized match type {other}"))),
    }
}

/// A text, or one whose case does not matter.
fn affix(name: &str, operand: &Value) -> Result<Affix, PatternFault> {
    match (operand.as_str(), operand["equals-ignore-case"].as_str()) {
        (Some(text), _) => Ok(Affix { text: text.to_owned(), exact: true }),
        (_, Some(text)) => Ok(Affix { text: text.to_lowercase(), exact: false }),
        _ => Err(wrong(format!("{name} takes a string"))),
    }
}

/// An operator with a list of operands stands for one rule each.
fn each(operators: &Map<String, Value>) -> Result<Vec<Rule>, PatternFault> {
    let all = operators.iter().flat_map(|(name, operands)| {
        let operands = operands.as_array().into_iter().flatten();
        operands.map(move |operand| rule(&Value::Object(Map::from_iter([(name.clone(), operand.clone())]))))
    });
    all.collect()
}

impl Affix {
    fn fits(&self, value: &str, fits: fn(&str, &str) -> bool) -> bool {
        if self.exact { fits(value, &self.text) } else { fits(&value.to_lowercase(), &self.text) }
    }
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (begins, bits) = text.split_once('/')?;
        let begins: IpAddr = begins.parse().ok()?;
        let most = if begins.is_ipv4() { 32 } else { 128 };
        let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
        Some(Self { begins, bits })
    }

    fn has(&self, address: &str) -> bool {
        let begins_alike =
            |one: u128, other: u128, width: u32| self.bits == 0 || (one ^ other) >> (width - self.bits) == 0;
        match (self.begins, address.parse()) {
            (IpAddr::V4(one), Ok(IpAddr::V4(other))) => {
                begins_alike(u32::from(one).into(), u32::from(other).into(), 32)
            }
            (IpAddr::V6(one), Ok(IpAddr::V6(other))) => begins_alike(one.into(), other.into(), 128),
            _ => false,
        }
    }
}

fn numeric(operand: &Value) -> Result<Rule, PatternFault> {
    let fault = || wrong("numeric takes pairs of an operator and a number");
    let all = operand.as_array().filter(|all| matches!(all.len(), 2 | 4)).ok_or_else(fault)?;
    let pair = |pair: &[Value]| {
        let compare = match pair[0].as_str()? {
            "=" => Compare::Equal,
            "<" => Compare::Less,
            "<=" => Compare::LessOrEqual,
            ">" => Compare::More,
            ">=" => Compare::MoreOrEqual,
            _ => return None,
        };
        Some((compare, pair[1].as_f64()?))
    };
    all.chunks(2).map(pair).collect::<Option<Vec<_>>>().map(Rule::Numeric).ok_or_else(fault)
}

impl Fields {
    fn fit(&self, document: Option<&Value>) -> bool {
        let member = |name: &str| document.and_then(|document| document.get(name));
        self.members.iter().all(|(name, node)| node.fits(member(name)))
            && self.either.iter().all(|choices| choices.iter().any(|choice| choice.fit(document)))
    }
}

impl Node {
    fn fits(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // A list of objects fits if one of them does.
            (Node::Inside(fields), Some(Value::Array(items))) => {
                items.iter().any(|item| fields.fit(Some(item)))
            }
            (Node::Inside(fields), value) => fields.fit(value),
            (Node::AnyOf(rules), value) => rules.iter().any(|rule| rule.fits(value)),
        }
    }
}

impl Rule {
    fn fits(&self, value: Option<&Value>) -> bool {
        if let Rule::Exists(wanted) = self {
            return value.is_some_and(|value| !value.is_object()) == *wanted;
        }
        match value {
            None | Some(Value::Object(_)) => false,
            Some(Value::Array(items)) => items.iter().any(|item| self.fits_one(item)),
            Some(value) => self.fits_one(value),
        }
    }

    fn fits_one(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Rule::Equals(wanted) => match (wanted.as_f64(), value.as_f64()) {
                (Some(wanted), Some(value)) => (wanted - value).abs() < f64::EPSILON,
                _ => wanted == value,
            },
            Rule::IgnoreCase(wanted) => text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase()),
            Rule::Prefix(wanted) => text.is_some_and(|text| wanted.fits(text, |a, b| a.starts_with(b))),
            Rule::Suffix(wanted) => text.is_some_and(|text| wanted.fits(text, |a, b| a.ends_with(b))),
            Rule::Cidr(network) => text.is_some_and(|text| network.has(text)),
            Rule::Wildcard(wanted) => text.is_some_and(|text| wild(wanted, text)),
            Rule::Not(rules) => !rules.iter().any(|rule| rule.fits_one(value)),
            Rule::Numeric(bounds) => value.as_f64().is_some_and(|value| {
                bounds.iter().all(|(compare, bound)| match compare {
                    Compare::Equal => (value - bound).abs() < f64::EPSILON,
                    Compare::Less => value < *bound,
                    Compare::LessOrEqual => value <= *bound,
                    Compare::More => value > *bound,
                    Compare::MoreOrEqual => value >= *bound,
                })
            }),
            Rule::Exists(wanted) => *wanted,
        }
    }
}

/// `*` stands for anything; each part is looked for behind the one before it.
fn wild(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(pattern: Value, document: Value) -> bool {
        Pattern::compile(&pattern.to_string()).unwrap().fits(&document)
    }

    #[test]
    fn every_operator() {
        let document = json!({
            "ip": "10.0.0.255", "six": "2001:db8::1", "a": "Hello", "n": 7, "null": null, "list": ["x", "y"], "in": { "deep": true }, "empty": "",
        });
        let good = [
            json!({ "a": ["Hello", "other"] }),
            json!({ "n": [7.0] }),
            json!({ "null": [null] }),
            json!({ "empty": [""] }),
            json!({ "list": ["y"] }),
            json!({ "in": { "deep": [true] } }),
            json!({ "a": [{ "prefix": "He" }] }),
            json!({ "a": [{ "suffix": "lo" }] }),
            json!({ "a": [{ "equals-ignore-case": "hELLO" }] }),
            json!({ "a": [{ "prefix": { "equals-ignore-case": "hE" } }] }),
            json!({ "a": [{ "suffix": { "equals-ignore-case": "LO" } }] }),
            json!({ "a": [{ "anything-but": { "suffix": ["x", "y"] } }] }),
            json!({ "ip": [{ "cidr": "10.0.0.0/24" }] }),
            json!({ "ip": [{ "cidr": "0.0.0.0/0" }] }),
            json!({ "six": [{ "cidr": "2001:db8::/32" }] }),
            json!({ "a": [{ "wildcard": "H*l*o" }] }),
            json!({ "a": [{ "anything-but": ["x", "y"] }] }),
            json!({ "a": [{ "anything-but": { "prefix": "x" } }] }),
            json!({ "n": [{ "numeric": [">", 0, "<=", 7] }] }),
            json!({ "n": [{ "numeric": ["=", 7] }] }),
            json!({ "n": [{ "exists": true }] }),
            json!({ "no": [{ "exists": false }] }),
            json!({ "no": { "where": [{ "exists": false }] } }),
            json!({ "$or": [{ "a": ["nope"] }, { "n": [7] }] }),
            json!({}),
        ];
        for pattern in good {
            assert!(fits(pattern.clone(), document.clone()), "{pattern}");
        }
        let bad = [
            json!({ "a": ["hello"] }),
            json!({ "n": ["7"] }),
            json!({ "no": [null] }),
            json!({ "a": [{ "anything-but": "Hello" }] }),
            json!({ "no": [{ "anything-but": "x" }] }),
            json!({ "a": [{ "wildcard": "H*x*o" }] }),
            json!({ "a": [{ "prefix": { "equals-ignore-case": "eL" } }] }),
            json!({ "a": [{ "anything-but": { "suffix": ["x", "lo"] } }] }),
            json!({ "ip": [{ "cidr": "10.0.1.0/24" }] }),
            json!({ "a": [{ "cidr": "0.0.0.0/0" }] }),
            json!({ "six": [{ "cidr": "0.0.0.0/0" }] }),
            json!({ "n": [{ "numeric": [">", 7] }] }),
            json!({ "a": [{ "numeric": [">", 0] }] }),
            json!({ "in": [{ "exists": true }] }),
            json!({ "a": ["Hello"], "n": [8] }),
            json!({ "$or": [{ "a": ["nope"] }, { "n": [8] }] }),
        ];
        for pattern in bad {
            assert!(!fits(pattern.clone(), document.clone()), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "",
            "[]",
            "\"x\"",
            "{\"a\":\"x\"}",
            "{\"a\":[]}",
            "{\"a\":[[]]}",
            "{\"a\":[{\"like\":1}]}",
            "{\"a\":[{\"numeric\":[\">\"]}]}",
            "{\"a\":[{\"prefix\":1}]}",
            "{\"a\":[{\"cidr\":\"10.0.0.0/33\"}]}",
            "{\"a\":[{\"cidr\":\"x\"}]}",
            "{\"a\":[{}]}",
            "{\"$or\":[1]}",
        ] {
            assert!(Pattern::compile(text).is_err(), "{text}");
        }
        assert!(Pattern::compile(&("{\"a\":".repeat(120) + "[1]" + &"}".repeat(120))).is_err());
        assert!(!wild("a*", "b") && wild("*", "") && wild("*a", "ba") && !wild("a*a", "a"));
    }
}
