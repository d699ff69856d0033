//! The protocol in its own language: `worker.proto`, and what workers need to read messages by it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

pub(crate) const NAME: &str = "worker.proto";
pub(crate) const SOURCE: &str = include_str!("worker.proto");

struct Own;

impl FileResolver for Own {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name != NAME {
            return Err(protox::Error::file_not_found(name));
        }
        File::from_source(name, SOURCE)
    }
}

/// A `FileDescriptorSet` with all that the file imports.
pub(crate) fn descriptor() -> Result<Vec<u8>, protox::Error> {
    let mut files = ChainFileResolver::new();
    files.add(Own);
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.include_imports(true).open_file(NAME)?;
    Ok(compiler.encode_file_descriptor_set())
}

/// The same as text.
pub(crate) fn descriptor_text() -> std::io::Result<String> {
    descriptor().map(|bytes| STANDARD.encode(bytes)).map_err(std::io::Error::other)
}
