//! Content and size of files.

use super::args::{Args, Trouble};
use super::digest::md5_hex;
use crate::mime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub(super) const TABLE: super::Table =
    &[("file-base64", file_base64), ("file-md5", file_md5), ("file-size", file_size), ("mime", mime_of)];

fn read(args: &Args<'_, '_>) -> Result<Vec<u8>, Trouble> {
    let bytes = args.kit.files.read(&args.text(0)?)?;
    args.kit.budget.work(bytes.len())?;
    Ok(bytes)
}

fn file_base64(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(STANDARD.encode(read(args)?).into())
}

fn file_md5(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(md5_hex(&read(args)?).into())
}

fn file_size(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(read(args)?.len().into())
}

fn mime_of(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(mime::of_name(&args.text(0)?).into())
}
