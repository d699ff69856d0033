//! What libraries say about values and files, in the words of people who do not program in Rust.

use std::io::{Error, ErrorKind};

/// Why a file cannot be used.
pub fn io(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "its permissions do not allow it".into(),
        ErrorKind::IsADirectory => "it is a folder".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

/// A fault that was found while a file was read into its model.
pub fn value(message: &str) -> String {
    let wrong =
        ["invalid type: ", "invalid value: "].into_iter().find_map(|start| message.strip_prefix(start));
    if let Some((found, wanted)) = wrong.and_then(|wrong| wrong.split_once(", expected ")) {
        return format!("must be {}, not {}", wanted_words(wanted), found_words(found));
    }
    if let Some((found, wanted)) =
        message.strip_prefix("unknown variant ").and_then(|variant| variant.split_once(", expected "))
    {
        return format!("must be {wanted}, not {found}");
    }
    match message.strip_prefix("missing field ") {
        Some(field) => format!("{field} is missing"),
        None => message.to_owned(),
    }
}

fn wanted_words(wanted: &str) -> &str {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" => "a text in quotes",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        _ if wanted.starts_with("struct ") => "a table",
        _ => wanted,
    }
}

fn found_words(found: &str) -> String {
    match found {
        "sequence" => "a list".into(),
        "map" => "a table".into(),
        _ => {
            let kinds = ["integer ", "floating point ", "boolean ", "string "];
            let value = kinds.into_iter().find_map(|kind| found.strip_prefix(kind)).unwrap_or(found);
            value.trim_matches('`').into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{io, value};

    #[test]
    fn no_word_of_the_language_is_left() {
        assert_eq!(
            value("invalid type: integer `512`, expected a size like \"512MB\" or \"2GB\""),
            "must be a size like \"512MB\" or \"2GB\", not 512"
        );
        assert_eq!(
            value("invalid value: integer `70000`, expected u16"),
            "must be a whole number from 0 to 65535, not 70000"
        );
        assert_eq!(
            value("invalid type: sequence, expected a string"),
            "must be a text in quotes, not a list"
        );
        assert_eq!(value("missing field `run`"), "`run` is missing");
        assert_eq!(value("something else"), "something else");
    }

    #[test]
    fn files_that_fail_have_no_numbers() {
        assert_eq!(io(&std::io::Error::from_raw_os_error(2)), "there is no such file");
        assert!(!io(&std::io::Error::from_raw_os_error(40)).contains("os error"));
    }
}
