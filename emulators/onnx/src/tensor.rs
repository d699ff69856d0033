//! Tensors on their way into a session, and out of it.

/// Of what a tensor is made, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F64,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    Bool,
    Text,
}

/// What a model wants under a name. A length of -1 may be any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub name: String,
    pub element: Element,
    pub shape: Vec<i64>,
}

impl Wanted {
    /// For people: `X [?, 10]`.
    pub fn shown(&self) -> String {
        format!("`{}` {}", self.name, shown(&self.shape))
    }
}

/// `[?, 10]`.
pub(crate) fn shown(shape: &[i64]) -> String {
    let lengths: Vec<String> =
        shape.iter().map(|length| if *length < 0 { "?".into() } else { length.to_string() }).collect();
    format!("[{}]", lengths.join(", "))
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub shape: Vec<i64>,
    pub values: Values,
}

impl Tensor {
    pub fn of_numbers(shape: Vec<i64>, values: Vec<f64>) -> Self {
        Self { shape, values: Values::Numbers(values) }
    }
}

/// What goes into one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Feed {
    pub tensors: Vec<(String, Tensor)>,
    /// The event was one question and not a list of them.
    pub single: bool,
}
