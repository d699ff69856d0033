//! A model in its session: the only place that knows the library.

use crate::event::Event;
use crate::fault::Fault;
use crate::input;
use crate::output::{self, Came};
use crate::spec::Spec;
use crate::tensor::{Element, Feed, Tensor, Values, Wanted};
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, Shape, TensorElementType, ValueType};
use serde_json::Value;
use std::fs;
use std::path::Path;

const NOT_A_LIBRARY: &str =
    "name a libonnxruntime 1.17 or newer with ORT_DYLIB_PATH, or unset it and mlemu installs one";
const GIVEN_IN_ITS_PLACE: &[u8] = b"version https://git-lfs";

/// A session and what a project says of it.
pub struct Model {
    session: Session,
    spec: Spec,
    labels: Vec<String>,
    wanted: Vec<Wanted>,
}

/// The version of a library, e.g. 31 of 1.31; `None`: it is none that can be used.
pub fn library_version(library: &Path) -> Option<u32> {
    ort::util::probe(library)
}

impl Model {
    /// Loads the library, once a process, and the model. `folder` is where the files of `spec` are seen from.
    pub fn load(library: &Path, folder: &Path, spec: Spec) -> Result<Self, Fault> {
        let file = folder.join(&spec.model);
        readable(&file)?;
        let labels = labels(folder, &spec)?;
        let session = session(library, &file)?;
        let refused = |why: String| Fault::Model { file: file.clone(), why };
        let wanted = session.inputs().iter().map(wanted).collect::<Result<_, _>>().map_err(refused)?;
        Ok(Self { session, spec, labels, wanted })
    }

    /// Answers one event.
    pub fn answer(&mut self, event: &Event) -> Result<Value, Fault> {
        let feed = input::feed(event, &self.spec.input, &self.wanted).map_err(Fault::Event)?;
        let single = feed.single;
        let came = self.run(feed)?;
        output::answer(&came, &self.spec.output, &self.labels, single).map_err(Fault::Output)
    }

    fn run(&mut self, feed: Feed) -> Result<Vec<Came>, Fault> {
        let values = feed.tensors.into_iter().map(|(name, tensor)| {
            let element =
                self.wanted.iter().find(|one| one.name == name).map_or(Element::F32, |one| one.element);
            Ok((name, value(tensor, element)?))
        });
        let values = values.collect::<Result<Vec<(String, SessionInputValue<'_>)>, Fault>>()?;
        let outputs = self.session.run(values).map_err(|error| Fault::Run(brief(&error)))?;
        outputs.iter().map(|(name, value)| came(name, &value)).collect()
    }
}

/// What is wrong with a file is said better here than by a parser of protocol buffers.
fn readable(file: &Path) -> Result<(), Fault> {
    let fault = |why: &str, hint| Fault::File { file: file.into(), why: why.into(), hint };
    let meta = fs::metadata(file).map_err(|error| {
        fault(
            &error.to_string(),
            "; say where it is with `handler = \"FILE.onnx\"`, or make it with a [prepare] step",
        )
    })?;
    if !meta.is_file() {
        return Err(fault("it is no file", ""));
    }
    if meta.len() == 0 {
        return Err(fault("it is empty", ""));
    }
    let mut start = [0; GIVEN_IN_ITS_PLACE.len()];
    let read = fs::File::open(file).and_then(|mut open| std::io::Read::read_exact(&mut open, &mut start));
    match read {
        Ok(()) if start == GIVEN_IN_ITS_PLACE => {
            Err(fault("it is only a pointer of Git LFS", "; `git lfs pull` brings the file itself"))
        }
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(fault(&error.to_string(), "")),
        _ => Ok(()),
    }
}

fn labels(folder: &Path, spec: &Spec) -> Result<Vec<String>, Fault> {
    let Some(name) = &spec.output.labels else { return Ok(Vec::new()) };
    let file = folder.join(name);
    let text = fs::read_to_string(&file).map_err(|error| error.to_string());
    text.and_then(|text| output::labels(&text)).map_err(|why| Fault::Labels { file, why })
}

fn session(library: &Path, file: &Path) -> Result<Session, Fault> {
    let useless = |why: String| Fault::Library { library: library.into(), why, hint: NOT_A_LIBRARY };
    let builder = ort::init_from(library).map_err(|error| useless(error.to_string()))?;
    let environment = builder.with_telemetry(false).build().map_err(|error| useless(brief(&error)))?;
    let refused = |why: String| Fault::Model { file: file.into(), why };
    // A function has the share of a core that its memory gets; more threads would only wait for each other.
    let session = Session::builder(&environment)
        .map_err(|error| brief(&error))
        .and_then(|builder| builder.with_intra_threads(1).map_err(|error| error.to_string()))
        // What goes wrong is said by whoever asked, once and without colours.
        .and_then(|builder| builder.with_log_level(LogLevel::Fatal).map_err(|error| error.to_string()))
        .and_then(|mut builder| builder.commit_from_file(file).map_err(|error| brief(&error)));
    session.map_err(refused)
}

/// Without the library's own source lines.
fn brief(error: &ort::Error) -> String {
    let text = error.to_string();
    let said = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    said.trim().to_owned()
}

fn wanted(outlet: &Outlet) -> Result<Wanted, String> {
    let name = outlet.name().to_owned();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = element(*ty)
                .ok_or_else(|| format!("its input `{name}` is of {ty}, which nothing here makes"))?;
            Ok(Wanted { name, element, shape: shape.to_vec() })
        }
        other => Err(format!("its input `{name}` is {other}, and only tensors can be given")),
    }
}

fn element(ty: TensorElementType) -> Option<Element> {
    Some(match ty {
        TensorElementType::Float32 => Element::F32,
        TensorElementType::Float64 => Element::F64,
        TensorElementType::Int8 => Element::I8,
        TensorElementType::Uint8 => Element::U8,
        TensorElementType::Int16 => Element::I16,
        TensorElementType::Uint16 => Element::U16,
        TensorElementType::Int32 => Element::I32,
        TensorElementType::Uint32 => Element::U32,
        TensorElementType::Int64 => Element::I64,
        TensorElementType::Uint64 => Element::U64,
        TensorElementType::Bool => Element::Bool,
        TensorElementType::String => Element::Text,
        _ => return None,
    })
}

/// A tensor of the library's, in the kind of number that the model wants.
fn value(tensor: Tensor, element: Element) -> Result<SessionInputValue<'static>, Fault> {
    let shape = tensor.shape;
    let numbers = match tensor.values {
        Values::Texts(texts) => {
            let made = ort::value::Tensor::from_string_array((shape, texts.as_slice()));
            return made.map(Into::into).map_err(|error| Fault::Run(brief(&error)));
        }
        Values::Numbers(numbers) => numbers,
    };
    macro_rules! of {
        ($kind:ty) => {
            ort::value::Tensor::from_array((
                shape,
                numbers.into_iter().map(|one| one as $kind).collect::<Vec<_>>(),
            ))
            .map(SessionInputValue::from)
        };
    }
    let made = match element {
        Element::F32 => of!(f32),
        Element::F64 => of!(f64),
        Element::I8 => of!(i8),
        Element::U8 => of!(u8),
        Element::I16 => of!(i16),
        Element::U16 => of!(u16),
        Element::I32 => of!(i32),
        Element::U32 => of!(u32),
        Element::I64 => of!(i64),
        Element::U64 => of!(u64),
        Element::Bool => {
            let truths: Vec<bool> = numbers.into_iter().map(|one| one != 0.0).collect();
            ort::value::Tensor::from_array((shape, truths)).map(SessionInputValue::from)
        }
        Element::Text => return Err(Fault::Event("the model takes texts, the event has numbers".into())),
    };
    made.map_err(|error| Fault::Run(brief(&error)))
}

fn came(name: &str, value: &DynValue) -> Result<Came, Fault> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        let hint = "export classifiers of scikit-learn with options={'zipmap': False}";
        return Err(Fault::Output(format!("`{name}` is {} and no tensor; {hint}", value.dtype())));
    };
    let failed = |error: ort::Error| Fault::Output(format!("`{name}`: {}", brief(&error)));
    let floats = matches!(ty, TensorElementType::Float32 | TensorElementType::Float64);
    macro_rules! of {
        ($kind:ty) => {
            of!($kind, |one| f64::from(*one))
        };
        ($kind:ty, $number:expr) => {
            value.try_extract_tensor::<$kind>().map(|(_, all)| all.iter().map($number).collect())
        };
    }
    let numbers: Vec<f64> = match ty {
        TensorElementType::String => {
            let (_, texts) = value.try_extract_strings().map_err(failed)?;
            return Ok(Came { name: name.into(), shape: own(shape), values: Values::Texts(texts), floats });
        }
        TensorElementType::Float32 => of!(f32),
        TensorElementType::Float64 => of!(f64),
        TensorElementType::Int8 => of!(i8),
        TensorElementType::Uint8 => of!(u8),
        TensorElementType::Int16 => of!(i16),
        TensorElementType::Uint16 => of!(u16),
        TensorElementType::Int32 => of!(i32),
        TensorElementType::Uint32 => of!(u32),
        TensorElementType::Int64 => of!(i64, |one| *one as f64),
        TensorElementType::Uint64 => of!(u64, |one| *one as f64),
        TensorElementType::Bool => of!(bool, |one| f64::from(u8::from(*one))),
        other => return Err(Fault::Output(format!("`{name}` is of {other}, which cannot be told"))),
    }
    .map_err(failed)?;
    Ok(Came { name: name.into(), shape: own(shape), values: Values::Numbers(numbers), floats })
}

fn own(shape: &Shape) -> Vec<i64> {
    shape.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(folder: &Path, model: &str) -> Fault {
        let spec = Spec { model: model.into(), ..Spec::default() };
        Model::load(Path::new("/nowhere/libonnxruntime.so"), folder, spec).err().expect("a refusal")
    }

    #[test]
    fn files_that_are_no_models_are_told_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("empty.onnx", "");
        put("pointer.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n");
        put("some.onnx", "anything");
        let said = |model: &str| refused(folder.path(), model).to_string();
        assert!(said("none.onnx").contains("handler = "), "{}", said("none.onnx"));
        assert!(said("empty.onnx").contains("it is empty"));
        assert!(said("pointer.onnx").contains("git lfs pull"));
        assert!(said("").contains("it is no file"));
        let missing = refused(folder.path(), "some.onnx");
        assert_eq!(missing.kind(), "Model.LibraryError");
        assert!(missing.to_string().contains("ORT_DYLIB_PATH"), "{missing}");
    }

    #[test]
    fn a_library_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libonnxruntime.so");
        fs::write(&library, "\u{7f}ELF and no more").unwrap();
        fs::write(folder.path().join("model.onnx"), "x").unwrap();
        let spec = Spec { model: "model.onnx".into(), ..Spec::default() };
        let fault = Model::load(&library, folder.path(), spec).err().expect("a refusal");
        assert_eq!(fault.kind(), "Model.LibraryError");
        assert_eq!(library_version(&library), None);
    }
}
