//! Schemas of Protocol Buffers: one file with one message on top, importing nothing but the well-known types.

use super::Encoding;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

const NAME: &str = "schema.proto";

pub struct Form(MessageDescriptor);

/// The one file that was given.
struct Given(String);

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name != NAME {
            return Err(protox::Error::file_not_found(name));
        }
        File::from_source(name, &self.0)
    }
}

impl Form {
    pub fn read(definition: &str) -> Result<Self, String> {
        let mut files = ChainFileResolver::new();
        files.add(Given(definition.to_owned()));
        files.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(files);
        compiler.include_imports(true).open_file(NAME).map_err(|error| error.to_string())?;
        let pool = compiler.descriptor_pool();
        let file = pool.get_file_by_name(NAME).ok_or("it has no content")?;
        let first = file.messages().next();
        first.map(Self).ok_or_else(|| "there is no message in it".to_owned())
    }

    pub fn fits(&self, data: &[u8], encoding: Encoding) -> bool {
        match encoding {
            Encoding::Binary => DynamicMessage::decode(self.0.clone(), data).is_ok(),
            Encoding::Json => {
                let mut reader = serde_json::Deserializer::from_slice(data);
                DynamicMessage::deserialize(self.0.clone(), &mut reader).is_ok() && reader.end().is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_fit_and_others() {
        let form = Form::read(
            "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\";
            message Flower { string name = 1; int32 petals = 2; google.protobuf.Timestamp bloomed = 3; }",
        )
        .unwrap();
        let json = |text: &str| form.fits(text.as_bytes(), Encoding::Json);
        assert!(json(r#"{"name":"iris","petals":3,"bloomed":"2026-05-15T10:00:00Z"}"#) && json("{}"));
        assert!(!json(r#"{"name":3}"#) && !json("[]") && !json("{} x") && !json(r#"{"colour":"blue"}"#));
        assert!(form.fits(b"\x0a\x04iris\x10\x03", Encoding::Binary));
        assert!(!form.fits(b"\x0a\xff", Encoding::Binary));
    }

    #[test]
    fn what_is_no_schema() {
        for wrong in ["", "message {", "syntax = \"proto3\";", "import \"/etc/passwd\"; message A {}"] {
            assert!(Form::read(wrong).is_err(), "{wrong}");
        }
    }
}
