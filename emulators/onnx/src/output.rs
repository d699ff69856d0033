//! What came out of a session becomes an answer.

use crate::nested::nest;
use crate::spec::{Answering, Output};
use crate::tensor::Values;
use serde_json::{Map, Value, json};

/// How many labels are told of where nothing is said.
const TOP: usize = 5;
const THRESHOLD: f64 = 0.5;

/// One output of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Came {
    pub name: String,
    pub shape: Vec<i64>,
    pub values: Values,
    /// It has fractions, as scores have.
    pub floats: bool,
}

impl Came {
    fn cells(&self) -> Vec<Value> {
        match &self.values {
            Values::Texts(texts) => texts.iter().map(|text| json!(text)).collect(),
            Values::Numbers(numbers) if self.floats => numbers.iter().map(|number| short(*number)).collect(),
            Values::Numbers(numbers) => numbers.iter().map(|number| json!(*number as i64)).collect(),
        }
    }
}

/// `single`: one row was asked, so one answer is given.
pub(crate) fn answer(came: &[Came], spec: &Output, labels: &[String], single: bool) -> Result<Value, String> {
    if spec.answering == Answering::Raw {
        let all = came.iter().map(|one| (one.name.clone(), nest(&one.shape, &one.cells())));
        return Ok(Value::Object(all.collect::<Map<_, _>>()));
    }
    let chosen = choose(came, spec.name.as_deref())?;
    let rows = rows(chosen)?;
    let told: Vec<Value> = rows.iter().map(|row| tell(row, spec, labels)).collect();
    Ok(match told.as_slice() {
        [one] if single => json!({ "prediction": one }),
        _ => json!({ "predictions": told }),
    })
}

fn choose<'a>(came: &'a [Came], name: Option<&str>) -> Result<&'a Came, String> {
    let found = match name {
        Some(name) => came.iter().find(|one| one.name == name),
        None => came.iter().find(|one| one.floats).or(came.first()),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = came.iter().map(|one| one.name.as_str()).collect();
        format!("the model has no output `{}`; it has {}", name.unwrap_or_default(), names.join(", "))
    })
}

/// The numbers of each row.
fn rows(came: &Came) -> Result<Vec<Vec<f64>>, String> {
    // Labels of classifiers may be texts.
    let Values::Numbers(numbers) = &came.values else {
        return Err(format!("`{}` has no numbers; answer it `raw`, or name another output", came.name));
    };
    let count = came.shape.first().map_or(1, |count| (*count).max(0) as usize);
    if count == 0 || numbers.is_empty() {
        return Ok(Vec::new());
    }
    Ok(numbers.chunks((numbers.len() / count).max(1)).map(<[f64]>::to_vec).collect())
}

fn tell(row: &[f64], spec: &Output, labels: &[String]) -> Value {
    let shares;
    let soft = spec.softmax || spec.answering == Answering::Softmax;
    let scores = if soft {
        shares = softmax(row);
        &shares
    } else {
        row
    };
    let label = |index: usize| labels.get(index).map_or_else(|| json!(index), |label| json!(label));
    let scored = |index: usize| json!({ "label": label(index), "score": short(scores[index]) });
    match spec.answering {
        Answering::Regression | Answering::Raw => match row {
            [one] => short(*one),
            many => Value::Array(many.iter().map(|one| short(*one)).collect()),
        },
        Answering::Argmax => best(scores, 1).first().map_or(Value::Null, |index| scored(*index)),
        Answering::Top => best(scores, spec.count.unwrap_or(TOP)).into_iter().map(scored).collect(),
        Answering::Softmax if labels.is_empty() => scores.iter().map(|score| short(*score)).collect(),
        Answering::Softmax => {
            let shares = scores.iter().enumerate().map(|(index, score)| (name(index, labels), short(*score)));
            Value::Object(shares.collect())
        }
        Answering::Threshold => {
            let least = spec.threshold.unwrap_or(THRESHOLD);
            match scores {
                [one] => json!({ "holds": *one >= least, "score": short(*one) }),
                many => {
                    best(many, many.len()).into_iter().filter(|at| many[*at] >= least).map(scored).collect()
                }
            }
        }
    }
}

fn name(index: usize, labels: &[String]) -> String {
    labels.get(index).cloned().unwrap_or_else(|| index.to_string())
}

/// Where the highest scores are; what is no number comes last.
fn best(scores: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let key = |index: usize| if scores[index].is_nan() { f64::NEG_INFINITY } else { scores[index] };
    order.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
    order.truncate(count);
    order
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|one| (one - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// With as many digits as a model's 32 bits have; `null` for what JSON has no number for.
pub(crate) fn short(number: f64) -> Value {
    let narrow = number as f32;
    // A float's own shortest form, which its widened value would hide.
    narrow.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// Labels out of a file: a list of JSON, or one a line.
pub(crate) fn labels(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| format!("no list of texts: {error}"));
    }
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(shape: &[i64], values: &[f64]) -> Came {
        let values = Values::Numbers(values.into());
        Came { name: "scores".into(), shape: shape.into(), values, floats: true }
    }

    fn told(answering: Answering, came: &Came, labels: &[&str], single: bool) -> Value {
        let spec = Output { answering, count: Some(2), ..Output::default() };
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        answer(std::slice::from_ref(came), &spec, &labels, single).unwrap()
    }

    #[test]
    fn every_kind_of_answer() {
        let one = came(&[1, 3], &[0.1, 0.7, 0.2]);
        let names = ["a", "b", "c"];
        assert_eq!(
            told(Answering::Argmax, &one, &names, true),
            json!({"prediction": {"label": "b", "score": 0.7}})
        );
        let top = json!({"prediction": [{"label": "b", "score": 0.7}, {"label": "c", "score": 0.2}]});
        assert_eq!(told(Answering::Top, &one, &names, true), top);
        assert_eq!(
            told(Answering::Threshold, &one, &names, true),
            json!({"prediction": [{"label": "b", "score": 0.7}]})
        );
        assert_eq!(told(Answering::Raw, &one, &[], true), json!({"scores": [[0.1, 0.7, 0.2]]}));
        let row = came(&[2, 1], &[199.41844, 3.5]);
        assert_eq!(told(Answering::Regression, &row, &[], false), json!({"predictions": [199.41844, 3.5]}));
        let even = told(Answering::Softmax, &came(&[1, 2], &[1000.0, 1000.0]), &["x", "y"], true);
        assert_eq!(even, json!({"prediction": {"x": 0.5, "y": 0.5}}));
        let yes = told(Answering::Threshold, &came(&[1, 1], &[0.9]), &[], true);
        assert_eq!(yes, json!({"prediction": {"holds": true, "score": 0.9}}));
    }

    #[test]
    fn the_output_with_fractions_is_the_one_that_is_meant() {
        let label =
            Came { name: "label".into(), shape: vec![1], values: Values::Numbers(vec![7.0]), floats: false };
        let both = [label, came(&[1, 2], &[0.3, 0.7])];
        let spec = Output { answering: Answering::Argmax, ..Output::default() };
        assert_eq!(answer(&both, &spec, &[], true).unwrap()["prediction"]["label"], 1);
        let named = Output { name: Some("nothing".into()), ..spec };
        assert!(answer(&both, &named, &[], true).unwrap_err().contains("it has label, scores"));
    }

    #[test]
    fn what_is_no_number_does_no_harm() {
        let odd = came(&[1, 3], &[f64::NAN, 0.5, f64::INFINITY]);
        let nan = told(Answering::Argmax, &odd, &[], true);
        assert_eq!(nan["prediction"], json!({"label": 2, "score": null}), "{nan}");
        let none = told(Answering::Argmax, &came(&[0, 3], &[]), &[], true);
        assert_eq!(none, json!({"predictions": []}));
    }

    #[test]
    fn labels_by_line_or_as_json() {
        assert_eq!(labels("cat\n dog \n\n").unwrap(), ["cat", "dog"]);
        assert_eq!(labels("[\"cat\", \"dog\"]").unwrap(), ["cat", "dog"]);
        assert!(labels("[1]").is_err());
    }
}
