//! Which function a caller means: a name, a partial ARN or an ARN, with or without a qualifier.
//!
//! Forms: Lambda API reference, "Invoke", `FunctionName`.

use super::Settings;
use super::fault::{Code, Fault};

/// The newest, unpublished version.
pub const LATEST: &str = "$LATEST";
/// Longest name of a function, in characters.
const NAME_LENGTH: usize = 64;
/// Longest way to name a function.
const REFERENCE_LENGTH: usize = 256;
const PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// A function as a request names it; whether it exists is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    /// A version, `$LATEST` or an alias.
    pub qualifier: Option<String>,
}

impl Target {
    /// Reads a reference and joins it with the `Qualifier` that came beside it.
    pub fn read(reference: &str, beside: Option<&str>, settings: &Settings) -> Result<Self, Fault> {
        let invalid = || {
            let expected = format!("Member must satisfy regular expression pattern: {PATTERN}");
            Fault::constraint(reference, "functionName", &expected)
        };
        if reference.len() > REFERENCE_LENGTH {
            let expected = format!("Member must have length less than or equal to {REFERENCE_LENGTH}");
            return Err(Fault::constraint(reference, "functionName", &expected));
        }
        let said = Reference::split(reference).ok_or_else(invalid)?;
        if !is_name(said.name) || !said.qualifier.is_none_or(is_qualifier) {
            return Err(invalid());
        }
        if said.name.len() > NAME_LENGTH {
            let expected = format!("Member must have length less than or equal to {NAME_LENGTH}");
            return Err(Fault::constraint(said.name, "functionName", &expected));
        }
        said.check_place(settings)?;
        let qualifier = match (said.qualifier, beside.filter(|beside| !beside.is_empty())) {
            (Some(derived), Some(given)) if derived != given => {
                return Err(Fault::parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (derived, given) => derived.or(given),
        };
        if let Some(qualifier) = qualifier.filter(|qualifier| !is_qualifier(qualifier)) {
            let expected =
                r"Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
            return Err(Fault::constraint(qualifier, "qualifier", expected));
        }
        Ok(Self { name: said.name.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }

    /// The ARN as the caller said it: qualified only if the caller qualified.
    pub fn arn(&self, settings: &Settings) -> String {
        settings.arn(&self.name, self.qualifier.as_deref())
    }

    /// The version label, when it is not the newest that is meant.
    pub fn pinned(&self) -> Option<&str> {
        self.qualifier.as_deref().filter(|qualifier| *qualifier != LATEST)
    }
}

/// The parts of a reference as they were said.
#[derive(Default)]
struct Reference<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// `None`: neither a name nor an ARN.
    fn split(text: &'a str) -> Option<Self> {
        let mut said = Self::default();
        let parts: Vec<&str> = text.split(':').collect();
        let rest = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..] => {
                if !partition.starts_with("aws") {
                    return None;
                }
                (said.region, said.account) = (Some(*region), Some(*account));
                rest
            }
            [account, "function", rest @ ..] if is_account(account) => {
                said.account = Some(account);
                rest
            }
            ["function", rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        match rest {
            [name] => said.name = name,
            [name, qualifier] => (said.name, said.qualifier) = (name, Some(*qualifier)),
            _ => return None,
        }
        Some(said)
    }

    /// Whether it is here.
    fn check_place(&self, settings: &Settings) -> Result<(), Fault> {
        if let Some(region) = self.region.filter(|region| *region != settings.region) {
            let text =
                format!("Functions from '{region}' are not reachable in this region ('{}')", settings.region);
            return Err(Fault::new(Code::ResourceNotFound, text));
        }
        if let Some(account) = self.account.filter(|account| *account != settings.account) {
            let text = format!(
                "User: arn:aws:iam::{}:root is not authorized to access functions of account {account}",
                settings.account
            );
            return Err(Fault::new(Code::AccessDenied, text));
        }
        Ok(())
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_name(text: &str) -> bool {
    is_word(text)
}

fn is_qualifier(text: &str) -> bool {
    text == LATEST || (is_word(text) && text.len() <= 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("000000000000", "us-east-1")
    }

    fn read(reference: &str, beside: Option<&str>) -> Result<(String, Option<String>), Fault> {
        Target::read(reference, beside, &settings()).map(|target| (target.name, target.qualifier))
    }

    #[test]
    fn every_way_to_name_a_function() {
        let plain = Ok(("f".to_owned(), None));
        let seven = Ok(("f".to_owned(), Some("7".to_owned())));
        assert_eq!(read("f", None), plain);
        assert_eq!(read("function:f", None), plain);
        assert_eq!(read("000000000000:function:f", None), plain);
        assert_eq!(read("arn:aws:lambda:us-east-1:000000000000:function:f", None), plain);
        assert_eq!(read("f:7", None), seven);
        assert_eq!(read("f", Some("7")), seven);
        assert_eq!(read("f:7", Some("7")), seven);
        assert_eq!(read("000000000000:function:f:7", None), seven);
        assert_eq!(read("arn:aws:lambda:us-east-1:000000000000:function:f:7", None), seven);
        assert_eq!(read("f", Some(LATEST)), Ok(("f".to_owned(), Some(LATEST.to_owned()))));
    }

    #[test]
    fn other_places_are_not_here() {
        let region = read("arn:aws:lambda:eu-west-1:000000000000:function:f", None).unwrap_err();
        assert_eq!(
            (region.code, region.text.as_str()),
            (
                Code::ResourceNotFound,
                "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
            )
        );
        let account = read("arn:aws:lambda:us-east-1:111111111111:function:f", None).unwrap_err();
        assert_eq!(account.code, Code::AccessDenied);
    }

    #[test]
    fn nonsense_is_refused() {
        for name in ["", "a b", "f:", ":f", "f:7:8", "../f", "arn:aws:s3:::b", "f:$OTHER", "é", "a.b"] {
            assert_eq!(read(name, None).unwrap_err().code, Code::Validation, "{name}");
        }
        assert_eq!(read(&"x".repeat(65), None).unwrap_err().code, Code::Validation);
        assert_eq!(read(&"x".repeat(1 << 20), None).unwrap_err().code, Code::Validation);
        assert_eq!(read("f", Some("a\r\nb")).unwrap_err().code, Code::Validation);
        assert_eq!(read("f:7", Some("8")).unwrap_err().code, Code::InvalidParameterValue);
    }
}
