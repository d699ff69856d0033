//! What functions an app has, as its worker or its `function.json` files say.
//!
//! Source: Azure Functions documentation, "Azure Functions triggers and bindings concepts".

use super::messages::{BindingInfo, RpcFunctionMetadata};
use crate::retry::Retry;
use serde_json::{Map, Value};
use std::path::Path;

/// One binding, in its own spelling.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    pub name: String,
    /// As written, e.g. `httpTrigger`.
    pub kind: String,
    pub is_out: bool,
    pub said: Map<String, Value>,
}

/// One function.
#[derive(Clone, Debug, PartialEq)]
pub struct Indexed {
    pub name: String,
    /// The worker knows it by this.
    pub id: String,
    pub script_file: String,
    pub entry_point: String,
    pub directory: String,
    pub language: String,
    pub trigger: Binding,
    /// All but the trigger.
    pub others: Vec<Binding>,
    /// Its own file turns it off.
    pub disabled: bool,
    /// Its own policy.
    pub retry: Option<Retry>,
    /// Why the worker could not load it.
    pub fault: Option<String>,
}

/// Functions of one revision of an app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    pub revision: u64,
    pub functions: Vec<Indexed>,
    /// What was found and is no function, in words.
    pub oddities: Vec<String>,
    /// Requests of HTTP go to servers of the workers' own.
    pub streams: bool,
}

impl Index {
    pub fn get(&self, name: &str) -> Option<&Indexed> {
        let exact = self.functions.iter().find(|function| function.name == name);
        exact.or_else(|| self.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name)))
    }
}

impl Binding {
    /// `None`: it has no type.
    pub fn of(said: Map<String, Value>) -> Option<Self> {
        let text = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
        let is_out = text("direction").is_some_and(|direction| direction.eq_ignore_ascii_case("out"));
        Some(Self { name: text("name").unwrap_or_default(), kind: text("type")?, is_out, said })
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.said.get(key).and_then(Value::as_str)
    }

    pub fn is_trigger(&self) -> bool {
        self.kind.to_ascii_lowercase().ends_with("trigger")
    }

    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    pub(super) fn info(&self) -> BindingInfo {
        let direction = i32::from(self.is_out);
        let data_type = match self.text("dataType").map(str::to_ascii_lowercase).as_deref() {
            Some("string") => 1,
            Some("binary") => 2,
            Some("stream") => 3,
            _ => 0,
        };
        BindingInfo { kind: self.kind.clone(), direction, data_type }
    }
}

impl Indexed {
    /// Of what a worker found. `Err` says what is wrong with it.
    pub(super) fn of(metadata: &RpcFunctionMetadata) -> Result<Self, String> {
        let name = &metadata.name;
        let bindings = metadata.raw_bindings.iter().map(|text| {
            let said = serde_json::from_str(text)
                .map_err(|error| format!("{name}: a binding is no JSON: {error}"))?;
            Binding::of(said).ok_or_else(|| format!("{name}: a binding has no type"))
        });
        let bindings: Vec<Binding> = bindings.collect::<Result<_, _>>()?;
        Self::with(metadata, bindings)
    }

    fn with(metadata: &RpcFunctionMetadata, mut bindings: Vec<Binding>) -> Result<Self, String> {
        let name = &metadata.name;
        let at = bindings.iter().position(Binding::is_trigger);
        let at = at.ok_or_else(|| format!("{name}: it has no trigger; each function has exactly one"))?;
        Ok(Self {
            name: name.clone(),
            id: metadata.function_id.clone(),
            script_file: metadata.script_file.clone(),
            entry_point: metadata.entry_point.clone(),
            directory: metadata.directory.clone(),
            language: metadata.language.clone(),
            trigger: bindings.remove(at),
            others: bindings,
            disabled: false,
            retry: metadata.retry_options.as_ref().map(Retry::told),
            fault: None,
        })
    }

    /// One that answers requests at its own name and needs no file to say so.
    pub(super) fn of_request(name: &str) -> Self {
        let binding = |kind: &str, name: &str, is_out| Binding {
            name: name.into(),
            kind: kind.into(),
            is_out,
            said: Map::from_iter([
                ("type".to_owned(), kind.into()),
                ("authLevel".to_owned(), "anonymous".into()),
            ]),
        };
        Self {
            name: name.into(),
            id: mlemu_engine::ids::unguessable(),
            script_file: String::new(),
            entry_point: String::new(),
            directory: String::new(),
            language: "custom".into(),
            trigger: binding("httpTrigger", "req", false),
            others: vec![binding("http", "$return", true)],
            disabled: false,
            retry: None,
            fault: None,
        }
    }

    pub(super) fn metadata(&self) -> RpcFunctionMetadata {
        let bindings = std::iter::once(&self.trigger).chain(&self.others);
        RpcFunctionMetadata {
            directory: self.directory.clone(),
            script_file: self.script_file.clone(),
            entry_point: self.entry_point.clone(),
            name: self.name.clone(),
            bindings: bindings.clone().map(|binding| (binding.name.clone(), binding.info())).collect(),
            language: self.language.clone(),
            raw_bindings: bindings.map(|binding| Value::Object(binding.said.clone()).to_string()).collect(),
            function_id: self.id.clone(),
            ..RpcFunctionMetadata::default()
        }
    }
}

/// Functions of the older model: a folder each, with a `function.json`.
pub(super) async fn folders(app: &Path, language: &str) -> (Vec<Indexed>, Vec<String>) {
    let (mut found, mut oddities) = (Vec::new(), Vec::new());
    let Ok(mut entries) = tokio::fs::read_dir(app).await else { return (found, oddities) };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let folder = entry.path();
        let Ok(text) = tokio::fs::read_to_string(folder.join("function.json")).await else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        match of_file(&name, &folder, &text, language) {
            Ok(function) => found.push(function),
            Err(why) => oddities.push(why),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    (found, oddities)
}

fn of_file(name: &str, folder: &Path, text: &str, language: &str) -> Result<Indexed, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let said: Value =
        serde_json::from_str(text).map_err(|error| format!("{name}/function.json is no JSON: {error}"))?;
    let bindings = said["bindings"].as_array().cloned().unwrap_or_default().into_iter();
    let bindings: Vec<Binding> = bindings
        .filter_map(|binding| match binding {
            Value::Object(said) => Binding::of(said),
            _ => None,
        })
        .collect();
    let script = match said["scriptFile"].as_str() {
        Some(file) => folder.join(file),
        None => main_file(folder, language),
    };
    let metadata = RpcFunctionMetadata {
        name: name.to_owned(),
        directory: folder.display().to_string(),
        script_file: script.display().to_string(),
        entry_point: said["entryPoint"].as_str().unwrap_or_default().to_owned(),
        language: language.to_owned(),
        function_id: mlemu_engine::ids::unguessable(),
        ..RpcFunctionMetadata::default()
    };
    let retry = Retry::read(&said["retry"]).map_err(|why| format!("{name}/function.json: {why}"))?;
    let disabled = said["disabled"] == true;
    Ok(Indexed { disabled, retry, ..Indexed::with(&metadata, bindings)? })
}

/// Where nothing is said of the script.
fn main_file(folder: &Path, language: &str) -> std::path::PathBuf {
    let name = if language == "python" { "__init__.py" } else { "index.js" };
    folder.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn folders_with_a_function_json_are_functions() {
        let app = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            std::fs::create_dir(app.path().join(name)).unwrap();
            std::fs::write(app.path().join(name).join("function.json"), text).unwrap();
        };
        put(
            "Score",
            r#"{"scriptFile":"main.py","bindings":[{"type":"http","direction":"out","name":"$return"},
            {"type":"httpTrigger","direction":"in","name":"req","methods":["get"]}]}"#,
        );
        put("Off", r#"{"disabled":true,"bindings":[{"type":"queueTrigger","name":"row"}]}"#);
        put("Bad", "{");
        put("None", r#"{"bindings":[{"type":"blob","name":"b"},7]}"#);
        let (mut found, mut oddities) = folders(app.path(), "python").await;
        oddities.sort();
        assert!(found.len() == 2 && found.remove(0).disabled);
        assert_eq!((found[0].trigger.name.as_str(), found[0].others[0].is_out), ("req", true));
        assert!(found[0].script_file.ends_with("Score/main.py"));
        assert_eq!(oddities.len(), 2, "{oddities:?}");
        assert!(oddities[1].contains("no trigger"), "{oddities:?}");
        let again = Indexed::of(&found[0].metadata()).unwrap();
        assert_eq!(again, found[0], "what a worker is told is what was read");
    }
}
