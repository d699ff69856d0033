//! Nested lists of JSON, and the tensors that they stand for.

use crate::tensor::{Element, Tensor, Values, Wanted, shown};
use serde_json::Value;

/// Lists in lists are followed so deep: no model has more dimensions.
const DEEPEST: usize = 8;

/// How many lists are around the first leaf.
pub(crate) fn depth(value: &Value) -> usize {
    let mut value = value;
    for depth in 0..DEEPEST {
        match value {
            Value::Array(items) => match items.first() {
                Some(first) => value = first,
                None => return depth + 1,
            },
            _ => return depth,
        }
    }
    DEEPEST
}

/// A list of rows as one tensor. `Err` says what does not fit, in the words of who sent it.
pub(crate) fn tensor(rows: &[&Value], wanted: &Wanted) -> Result<Tensor, String> {
    let Some(first) = rows.first() else { return Err("the list of rows is empty".into()) };
    let mut shape = vec![rows.len() as i64];
    lengths(first, &mut shape);
    fit(&mut shape, wanted)?;
    let values = if wanted.element == Element::Text {
        let mut texts = Vec::new();
        rows.iter()
            .try_for_each(|row| leaves(row, 0, &mut |leaf| text(leaf).map(|text| texts.push(text))))?;
        Values::Texts(texts)
    } else {
        let mut numbers = Vec::new();
        let mut take = |leaf: &Value| number(leaf).map(|number| numbers.push(number));
        rows.iter().try_for_each(|row| leaves(row, 0, &mut take))?;
        Values::Numbers(numbers)
    };
    let count = match &values {
        Values::Numbers(numbers) => numbers.len(),
        Values::Texts(texts) => texts.len(),
    };
    if shape.iter().product::<i64>() != count as i64 {
        return Err(format!("the rows for {} differ in their lengths", wanted.shown()));
    }
    Ok(Tensor { shape, values })
}

fn lengths(value: &Value, shape: &mut Vec<i64>) {
    if let Value::Array(items) = value
        && shape.len() < DEEPEST
    {
        shape.push(items.len() as i64);
        if let Some(first) = items.first() {
            lengths(first, shape);
        }
    }
}

/// Brings a shape to the rank that is wanted, where only ones are in the way, and compares.
fn fit(shape: &mut Vec<i64>, wanted: &Wanted) -> Result<(), String> {
    let given = shown(shape);
    while shape.len() < wanted.shape.len() {
        shape.push(1);
    }
    while shape.len() > wanted.shape.len() {
        let Some(one) = shape.iter().rposition(|length| *length == 1) else { break };
        shape.remove(one);
    }
    let fits = shape.len() == wanted.shape.len()
        && shape.iter().zip(&wanted.shape).all(|(has, wants)| *wants < 0 || has == wants);
    if fits {
        return Ok(());
    }
    let more = wanted.shape.first().is_some_and(|most| *most > 0 && shape[..].first() > Some(most));
    let hint = if more { " (the model was exported for so many rows at a time)" } else { "" };
    Err(format!("the model takes {}, the event has {given}{hint}", wanted.shown()))
}

fn leaves(
    value: &Value,
    depth: usize,
    take: &mut impl FnMut(&Value) -> Result<(), String>,
) -> Result<(), String> {
    match value {
        Value::Array(items) if depth < DEEPEST => {
            items.iter().try_for_each(|item| leaves(item, depth + 1, take))
        }
        leaf => take(leaf),
    }
}

fn number(leaf: &Value) -> Result<f64, String> {
    match leaf {
        Value::Bool(truth) => Ok(f64::from(u8::from(*truth))),
        leaf => leaf.as_f64().ok_or_else(|| format!("expected a number, not {}", brief(leaf))),
    }
}

fn text(leaf: &Value) -> Result<String, String> {
    let text = leaf.as_str().ok_or_else(|| format!("expected a text, not {}", brief(leaf)))?;
    if text.contains('\0') {
        return Err("a text with a zero byte cannot go into a model".into());
    }
    Ok(text.to_owned())
}

/// The beginning of a value, for messages.
pub(crate) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Numbers as lists in lists of a shape.
pub(crate) fn nest(shape: &[i64], values: &[Value]) -> Value {
    match shape {
        [] => values.first().cloned().unwrap_or_default(),
        [_] => Value::Array(values.to_vec()),
        [outer, rest @ ..] => {
            let each = rest.iter().product::<i64>().max(0) as usize;
            let part = |at: i64| nest(rest, &values[at as usize * each..(at as usize + 1) * each]);
            Value::Array((0..*outer).map(part).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(shape: &[i64]) -> Wanted {
        Wanted { name: "X".into(), element: Element::F32, shape: shape.into() }
    }

    #[test]
    fn rows_become_tensors_of_the_wanted_rank() {
        let of = |row: &Value, shape: &[i64]| tensor(&[row], &wanted(shape)).map(|tensor| tensor.shape);
        assert_eq!(of(&json!([1, 2, 3]), &[-1, 3]), Ok(vec![1, 3]));
        assert_eq!(of(&json!(7), &[-1, 1]), Ok(vec![1, 1]));
        assert_eq!(of(&json!(7), &[-1]), Ok(vec![1]));
        assert_eq!(of(&json!([[1, 2]]), &[-1, 2]), Ok(vec![1, 2]));
        assert_eq!(
            of(&json!([1, 2]), &[-1, 1, 2]),
            Err("the model takes `X` [?, 1, 2], the event has [1, 2]".into())
        );
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let of = |rows: &[&Value], shape: &[i64]| tensor(rows, &wanted(shape)).unwrap_err();
        assert!(of(&[&json!([1, 2])], &[-1, 3]).contains("[?, 3], the event has [1, 2]"));
        assert!(of(&[&json!([1]), &json!([1])], &[1, 1]).contains("so many rows at a time"));
        assert!(of(&[&json!([[1, 2], [3]])], &[-1, 2, 2]).contains("differ"));
        assert!(of(&[&json!(["x", 2])], &[-1, 2]).contains("expected a number, not \"x\""));
        assert!(of(&[], &[-1, 2]).contains("empty"));
        let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
        assert!(tensor(&[&deep], &wanted(&[-1, 2])).is_err());
    }

    #[test]
    fn shapes_come_back_as_lists() {
        let values: Vec<Value> = (0..6).map(Value::from).collect();
        assert_eq!(nest(&[2, 3], &values), json!([[0, 1, 2], [3, 4, 5]]));
        assert_eq!(nest(&[1, 6], &values), json!([[0, 1, 2, 3, 4, 5]]));
        assert_eq!(nest(&[], &values[..1]), json!(0));
        assert_eq!(nest(&[0, 3], &[]), json!([]));
    }
}
