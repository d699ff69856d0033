//! An event becomes what goes into a session.

use crate::event::Event;
use crate::nested::{self, brief};
use crate::picture;
use crate::sound;
use crate::spec::{Input, Taking};
use crate::tensor::{Element, Feed, Tensor, Wanted};
use serde_json::Value;

/// More numbers than one event could sensibly have: a model that wants them is broken, or hostile.
const MOST: i64 = 1 << 28;
/// The list that clients of model servers put their rows into.
const INSTANCES: &str = "instances";

/// `Err` says what is wrong with the event, in the words of who sent it.
pub(crate) fn feed(event: &Event, spec: &Input, wanted: &[Wanted]) -> Result<Feed, String> {
    let path = spec.path.as_deref();
    let first = wanted.first().ok_or("the model takes nothing")?;
    for one in wanted {
        let fixed = one.shape.iter().filter(|length| **length > 0);
        let count = fixed.copied().try_fold(1_i64, i64::checked_mul);
        if count.is_none_or(|count| count > MOST) {
            return Err(format!("the model takes {}: more than one event can have", one.shown()));
        }
    }
    let tensor = match spec.taking {
        Taking::Json => return json(event, spec, wanted),
        Taking::Image => picture::tensor(&event.bytes(path)?, spec, first)?,
        Taking::Wav => sound::tensor(&event.bytes(path)?, spec, first)?,
        Taking::Text if first.element == Element::Text => {
            let shape = vec![1; first.shape.len()];
            nested::tensor(&[&Value::String(event.text(path)?)], first)
                .map(|tensor| Tensor { shape, ..tensor })?
        }
        Taking::Text => row(event.text(path)?.as_bytes(), spec, first),
        Taking::Bytes => row(&event.bytes(path)?, spec, first),
    };
    if wanted.len() > 1 {
        let names: Vec<&str> = wanted.iter().map(|one| one.name.as_str()).collect();
        return Err(format!("the model has several inputs ({}): give them as JSON", names.join(", ")));
    }
    Ok(Feed { tensors: vec![(first.name.clone(), tensor)], single: true })
}

fn row(bytes: &[u8], spec: &Input, wanted: &Wanted) -> Tensor {
    sound::row(bytes.iter().copied().map(f64::from).collect(), spec, wanted)
}

fn json(event: &Event, spec: &Input, wanted: &[Wanted]) -> Result<Feed, String> {
    let read;
    let value = match event {
        // Text that is no JSON comes as a text of JSON from where only JSON can come.
        Event::Json(Value::String(text)) if wanted.iter().all(|one| one.element != Element::Text) => {
            read = csv(text.as_bytes())?;
            &read
        }
        Event::Json(whole) => {
            whole.get(INSTANCES).or_else(|| event.at(spec.path.as_deref())).unwrap_or(whole)
        }
        Event::Bytes(bytes) => {
            read = csv(bytes)?;
            &read
        }
    };
    let named = |value: &Value| matches!(value, Value::Object(_));
    if let Value::Array(rows) = value
        && rows.first().is_some_and(named)
    {
        return of_rows(rows, spec, wanted, false);
    }
    if named(value) {
        return of_rows(std::slice::from_ref(value), spec, wanted, true);
    }
    let [only] = wanted else {
        let names: Vec<&str> = wanted.iter().map(|one| one.name.as_str()).collect();
        return Err(format!(
            "the model has several inputs: name them, as {{\"{}\": ...}}",
            names.join("\": ..., \"")
        ));
    };
    let many = nested::depth(value) >= only.shape.len().max(1) && value.is_array();
    let (single, tensor) = match value {
        Value::Array(rows) if many => (false, nested::tensor(&rows.iter().collect::<Vec<_>>(), only)?),
        value => (true, nested::tensor(&[value], only).map_err(|why| with_columns(why, spec))?),
    };
    Ok(Feed { tensors: vec![(only.name.clone(), tensor)], single })
}

fn with_columns(why: String, spec: &Input) -> String {
    if spec.columns.is_empty() { why } else { format!("{why}: {}", spec.columns.join(", ")) }
}

/// Rows that name what they have: the columns of one input, or the inputs themselves.
fn of_rows(rows: &[Value], spec: &Input, wanted: &[Wanted], single: bool) -> Result<Feed, String> {
    if let ([only], false) = (wanted, spec.columns.is_empty()) {
        let rows: Vec<Value> =
            rows.iter().map(|row| in_order(row, &spec.columns)).collect::<Result<_, _>>()?;
        let tensor = nested::tensor(&rows.iter().collect::<Vec<_>>(), only)?;
        return Ok(Feed { tensors: vec![(only.name.clone(), tensor)], single });
    }
    let tensors = wanted.iter().map(|one| {
        let cells = rows.iter().map(|row| row.get(&one.name).ok_or_else(|| missing(row, &[&one.name])));
        let tensor = nested::tensor(&cells.collect::<Result<Vec<_>, _>>()?, one)?;
        Ok((one.name.clone(), tensor))
    });
    Ok(Feed { tensors: tensors.collect::<Result<Vec<_>, String>>()?, single })
}

fn in_order(row: &Value, columns: &[String]) -> Result<Value, String> {
    let lacking: Vec<&str> =
        columns.iter().map(String::as_str).filter(|name| row.get(name).is_none()).collect();
    if !lacking.is_empty() {
        return Err(missing(row, &lacking));
    }
    Ok(Value::Array(columns.iter().map(|name| row[name.as_str()].clone()).collect()))
}

fn missing(row: &Value, names: &[&str]) -> String {
    match row {
        Value::Object(_) => format!("missing {}", names.join(", ")),
        other => format!("expected an object with {}, not {}", names.join(", "), brief(other)),
    }
}

/// Rows of numbers with commas between, as CSV has them; also one number a line.
fn csv(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the event is neither JSON nor CSV")?;
    let rows = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let cells = line.split(',').map(|cell| {
            let cell = cell.trim();
            let number: f64 = cell.parse().map_err(|_| format!("`{}` is no number", brief(&cell.into())))?;
            Ok(Value::from(number))
        });
        cells.collect::<Result<Vec<_>, String>>().map(Value::Array)
    });
    match rows.collect::<Result<Vec<_>, String>>() {
        Ok(rows) if rows.is_empty() => Err("the event is empty".into()),
        Ok(rows) => Ok(Value::Array(rows)),
        Err(why) => Err(format!("the event is neither JSON nor CSV: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Values;
    use serde_json::json;

    fn wanted(name: &str, element: Element, shape: &[i64]) -> Wanted {
        Wanted { name: name.into(), element, shape: shape.into() }
    }

    fn table() -> Vec<Wanted> {
        vec![wanted("X", Element::F32, &[-1, 2])]
    }

    fn columns() -> Input {
        Input { path: Some("features".into()), columns: vec!["age".into(), "bmi".into()], ..Input::default() }
    }

    fn fed(event: &Value, spec: &Input) -> Result<(Vec<i64>, bool), String> {
        let feed = feed(&Event::Json(event.clone()), spec, &table())?;
        Ok((feed.tensors[0].1.shape.clone(), feed.single))
    }

    #[test]
    fn one_row_and_many_in_every_form() {
        let spec = columns();
        for event in [json!({"features": [1, 2]}), json!([1, 2]), json!({"bmi": 2, "age": 1, "more": 3})] {
            assert_eq!(fed(&event, &spec), Ok((vec![1, 2], true)), "{event}");
        }
        let rows = json!([{"age": 1, "bmi": 2}, {"age": 3, "bmi": 4}]);
        for event in [json!({"instances": [[1, 2], [3, 4]]}), json!({"features": [[1, 2], [3, 4]]}), rows] {
            assert_eq!(fed(&event, &spec), Ok((vec![2, 2], false)), "{event}");
        }
        let csv = feed(&Event::read("1,2\n3, 4\n".into()), &spec, &table()).unwrap();
        let read = Tensor::of_numbers(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!((&csv.tensors[0].1, csv.single), (&read, false));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_sender() {
        let spec = columns();
        assert_eq!(fed(&json!({"age": 1}), &spec), Err("missing bmi".into()));
        assert!(
            fed(&json!({"features": [1]}), &spec).unwrap_err().ends_with("the event has [1, 1]: age, bmi")
        );
        assert!(fed(&json!({"features": [1, "a"]}), &spec).unwrap_err().contains("expected a number"));
        assert!(fed(&json!(null), &spec).unwrap_err().contains("the event has [1]"));
        assert!(fed(&json!([]), &spec).is_err());
        let junk = feed(&Event::read("{not".into()), &spec, &table());
        assert!(junk.unwrap_err().contains("neither JSON nor CSV"));
    }

    #[test]
    fn no_event_is_made_as_large_as_a_hostile_model_wants_it() {
        for shape in [&[1, 1 << 40][..], &[i64::MAX, i64::MAX]] {
            let wanted = [wanted("X", Element::F32, shape)];
            let spec = Input { taking: Taking::Bytes, ..Input::default() };
            let refused = feed(&Event::Bytes("hi".into()), &spec, &wanted).unwrap_err();
            assert!(refused.ends_with("more than one event can have"), "{refused}");
        }
    }

    #[test]
    fn several_inputs_are_named() {
        let two = [wanted("ids", Element::I64, &[-1, -1]), wanted("mask", Element::I64, &[-1, -1])];
        let event = Event::Json(json!({"ids": [1, 2], "mask": [1, 1]}));
        let feed = feed(&event, &Input::default(), &two).unwrap();
        assert_eq!((feed.tensors.len(), feed.single), (2, true));
        let unnamed = super::feed(&Event::Json(json!([1, 2])), &Input::default(), &two);
        assert!(unnamed.unwrap_err().contains("\"ids\""));
    }

    #[test]
    fn texts_and_bytes() {
        let spec = Input { taking: Taking::Text, ..Input::default() };
        let text = [wanted("s", Element::Text, &[-1, 1])];
        let fed = feed(&Event::Json(json!("hello")), &spec, &text).unwrap();
        assert_eq!(
            fed.tensors[0].1,
            Tensor { shape: vec![1, 1], values: Values::Texts(vec!["hello".into()]) }
        );
        let bytes = [wanted("bytes", Element::I32, &[-1, 4])];
        let fed = feed(&Event::Bytes("hi".into()), &spec, &bytes).unwrap();
        assert_eq!(fed.tensors[0].1, Tensor::of_numbers(vec![1, 4], vec![104.0, 105.0, 0.0, 0.0]));
    }
}
