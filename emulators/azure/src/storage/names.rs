//! What containers and queues may be called.
//!
//! Source: Azure Storage, "Naming and referencing containers, blobs, and metadata" and "Naming queues and metadata".

use super::fault::{Fault, code};

/// 3 to 63 lower-case letters, digits and single hyphens between them.
pub(crate) fn check(name: &str) -> Result<(), Fault> {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_spelled_well =
        name.bytes().all(is_known) && !name.starts_with('-') && !name.ends_with('-') && !name.contains("--");
    if !is_spelled_well {
        Err(code::InvalidResourceName.into())
    } else if (3..=63).contains(&name.len()) {
        Ok(())
    } else {
        Err(code::OutOfRangeInput.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_letters_and_a_length() {
        let long = "a".repeat(64);
        for (name, why) in [
            ("pi", "OutOfRangeInput"),
            ("", "OutOfRangeInput"),
            (long.as_str(), "OutOfRangeInput"),
            ("Pics", "InvalidResourceName"),
            ("a--b", "InvalidResourceName"),
            ("-ab", "InvalidResourceName"),
            ("pics-", "InvalidResourceName"),
            ("pi cs", "InvalidResourceName"),
        ] {
            assert_eq!(check(name).unwrap_err().code.name, why, "{name}");
        }
        for good in ["abc", "a-b", "0pics1", &long[..63]] {
            check(good).unwrap();
        }
    }
}
