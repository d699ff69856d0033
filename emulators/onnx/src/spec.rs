//! What a project says of a model: where it is, what it takes, what it answers.
//!
//! The doc comments are what an editor shows beside a key of `mlemu.toml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The variable by which the worker is told of its model: a [`Spec`] in JSON.
pub const SPEC: &str = "MLEMU_MODEL";

/// All of it, as the worker is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// The file, seen from the code's folder.
    pub model: String,
    pub input: Input,
    pub output: Output,
}

/// What the event has for the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Taking {
    #[default]
    Json,
    Image,
    Wav,
    Text,
    Bytes,
}

/// How a model's event becomes its input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// `json` (numbers or texts, also CSV), which is the default, `image` (PNG, JPEG), `wav`, `text` or `bytes`.
    #[serde(rename = "as")]
    pub taking: Taking,
    /// Where it is in the event, e.g. `patient.features`; bytes stand there in base64. Where nothing is, the event itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `json`: names of the numbers in the model's order, for events that name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// `image`: width and height in pixels; when nothing is said, the model's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// `image`: taken from each pixel's 0 to 255, one number or one a channel; 0 when nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f64>,
    /// `image`: what remains is divided by this; 255 when nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<f64>,
    /// `wav`: the only sample rate that the model understands, in Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// `wav`, `text` and `bytes`: cut and filled up with zeros to so many; when nothing is said, as the model has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Answering {
    #[default]
    Raw,
    Argmax,
    Top,
    Softmax,
    Threshold,
    Regression,
}

/// How a model's output becomes an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// `raw` (all outputs by their names), which is the default, `regression` (a number), `argmax` (the best label),
    /// `top` (the best labels), `softmax` (a share for every label) or `threshold` (what is above it).
    #[serde(rename = "as")]
    pub answering: Answering,
    /// Which of the model's outputs; when nothing is said, the first that has fractions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A file with the labels' names in order, one a line or a JSON list, seen from the code's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// `argmax`, `top` and `threshold`: softmax the scores first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub softmax: bool,
    /// `top`: how many; 5 when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// `threshold`: above which score a label holds; 0.5 when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}
