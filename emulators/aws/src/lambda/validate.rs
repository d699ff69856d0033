//! What a function's configuration may say, and Lambda's words where it may not.
//!
//! Ranges: Lambda API reference, "CreateFunction"; reserved variables: Developer Guide, "Using Lambda
//! environment variables".

use super::fault::Fault;
use super::wire::{Configuration, Environment, Kept};
use crate::profile::ENVIRONMENT_BYTES;
use serde_json::Value;
use std::ops::RangeInclusive;

/// In MB.
const MEMORY: RangeInclusive<i64> = 128..=10_240;
/// In seconds.
const TIMEOUT: RangeInclusive<i64> = 1..=900;
/// In MB.
const TMP: RangeInclusive<i64> = 512..=10_240;
const DESCRIPTION_LENGTH: usize = 256;
const HANDLER_LENGTH: usize = 128;

/// Every runtime that the vendor ever named: obsolete ones run here as well.
#[rustfmt::skip]
const RUNTIMES: &[&str] = &[
    "nodejs", "nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x", "nodejs16.x",
    "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x", "java8", "java8.al2", "java8.al2023",
    "java11", "java11.al2023", "java17", "java17.al2023", "java21", "java25", "python2.7", "python3.6", "python3.7",
    "python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15",
    "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6", "dotnet8", "dotnet10",
    "nodejs4.3-edge", "go1.x", "ruby2.5", "ruby2.7", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0", "provided",
    "provided.al2", "provided.al2023",
];

/// Variables that the runtime sets itself.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
];

/// Members that are kept and told again, though nothing comes of them.
const ECHOED: &[&str] = &[
    "VpcConfig",
    "DeadLetterConfig",
    "KMSKeyArn",
    "TracingConfig",
    "FileSystemConfigs",
    "SnapStart",
    "LoggingConfig",
    "RuntimeConfig",
];

/// Members that would change what runs, so that ignoring them would be a lie.
const REFUSED: &[&str] = &[
    "Layers",
    "ImageConfig",
    "CodeSigningConfigArn",
    "TenancyConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "AcceleratorConfig",
    "PublishTo",
];

/// What became of the members that are not understood.
#[derive(Debug, Default)]
pub struct Sorted {
    pub kept: Kept,
    /// Kept, and asking for something that does not happen.
    pub idle: Vec<String>,
    /// Asking for something without which the function would not be what it should be.
    pub refused: Vec<String>,
}

pub fn configuration(given: &Configuration) -> Result<(), Fault> {
    within(given.memory_size, "memorySize", &MEMORY)?;
    within(given.timeout, "timeout", &TIMEOUT)?;
    within(given.ephemeral_storage.as_ref().map(|tmp| tmp.size), "ephemeralStorage.size", &TMP)?;
    shorter(given.description.as_deref(), "description", DESCRIPTION_LENGTH)?;
    shorter(given.handler.as_deref(), "handler", HANDLER_LENGTH)?;
    if let Some(handler) = given.handler.as_deref().filter(|handler| handler.contains(char::is_whitespace)) {
        let expected = r"Member must satisfy regular expression pattern: [^\s]+";
        return Err(Fault::constraint(handler, "handler", expected));
    }
    if let Some(runtime) = &given.runtime {
        known_runtime(runtime)?;
    }
    given.environment.as_ref().map_or(Ok(()), environment)
}

pub fn role(role: &str) -> Result<(), Fault> {
    let rest = role.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::")).map(|(_, rest)| rest);
    let good = rest.and_then(|rest| rest.split_once(":role/")).is_some_and(|(account, name)| {
        account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte))
    });
    if good {
        return Ok(());
    }
    let pattern = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
    let expected = format!("Member must satisfy regular expression pattern: {pattern}");
    Err(Fault::constraint(role, "role", &expected))
}

pub fn architectures(given: Option<Vec<String>>) -> Result<Option<Vec<String>>, Fault> {
    let good =
        given.as_ref().is_none_or(|list| list.len() == 1 && matches!(list[0].as_str(), "x86_64" | "arm64"));
    if good {
        return Ok(given);
    }
    let value = format!("[{}]", given.unwrap_or_default().join(", "));
    let expected = "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], \
                    Member must not be null]";
    Err(Fault::constraint(&value, "architectures", expected))
}

/// Divides the members that are not understood by what can be done about them. Unknown ones are dropped, as
/// the vendor does.
pub fn sort(rest: Kept) -> Sorted {
    let mut sorted = Sorted::default();
    for (member, value) in rest {
        if REFUSED.contains(&member.as_str()) {
            if !is_nothing(&value) {
                sorted.refused.push(member);
            }
        } else if ECHOED.contains(&member.as_str()) {
            if asks_for_something(&member, &value) {
                sorted.idle.push(member.clone());
            }
            sorted.kept.insert(member, value);
        }
    }
    sorted
}

fn asks_for_something(member: &str, value: &Value) -> bool {
    match member {
        "TracingConfig" => value["Mode"] == "Active",
        "SnapStart" => value["ApplyOn"] == "PublishedVersions",
        "LoggingConfig" => value["LogFormat"] == "JSON",
        "VpcConfig" => !is_nothing(&value["SubnetIds"]),
        "DeadLetterConfig" => false,
        _ => !is_nothing(value),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn within(value: Option<i64>, member: &str, range: &RangeInclusive<i64>) -> Result<(), Fault> {
    let Some(value) = value.filter(|value| !range.contains(value)) else { return Ok(()) };
    let (word, bound) =
        if value < *range.start() { ("greater", range.start()) } else { ("less", range.end()) };
    let expected = format!("Member must have value {word} than or equal to {bound}");
    Err(Fault::constraint(&value.to_string(), member, &expected))
}

fn shorter(text: Option<&str>, member: &str, length: usize) -> Result<(), Fault> {
    let Some(text) = text.filter(|text| text.chars().count() > length) else { return Ok(()) };
    let expected = format!("Member must have length less than or equal to {length}");
    Err(Fault::constraint(text, member, &expected))
}

fn known_runtime(runtime: &str) -> Result<(), Fault> {
    if RUNTIMES.contains(&runtime) {
        return Ok(());
    }
    Err(Fault::parameter(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
        RUNTIMES.join(", ")
    )))
}

fn environment(environment: &Environment) -> Result<(), Fault> {
    let variables = &environment.variables;
    let unable = "Lambda was unable to configure your environment variables because the environment variables \
                  you have provided";
    if !variables.keys().all(|name| is_variable(name)) {
        return Err(Fault::new(
            super::fault::Code::Validation,
            "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys \
             must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, \
             Member must not be null]",
        ));
    }
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(Fault::parameter(format!(
            "{unable} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = Value::from_iter(variables.clone()).to_string();
    if measured.len() > ENVIRONMENT_BYTES {
        return Err(Fault::parameter(format!(
            "{unable} exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

/// The reserved names begin with an underscore too, and have an answer of their own.
fn is_variable(name: &str) -> bool {
    RESERVED.contains(&name)
        || (name.len() >= 2
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::super::fault::Code;
    use super::*;

    fn given(json: &str) -> Result<(), Fault> {
        configuration(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn ranges() {
        assert_eq!(given(r#"{"MemorySize":10240,"Timeout":900,"EphemeralStorage":{"Size":512}}"#), Ok(()));
        assert_eq!(
            given(r#"{"MemorySize":64}"#).unwrap_err().text,
            "1 validation error detected: Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"
        );
        assert_eq!(
            given(r#"{"Timeout":901}"#).unwrap_err().text,
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"
        );
        assert!(given(r#"{"Timeout":-9223372036854775808}"#).is_err());
        assert!(given(r#"{"EphemeralStorage":{"Size":511}}"#).is_err());
        assert!(given(r#"{"Handler":"a b"}"#).is_err());
    }

    #[test]
    fn runtimes_old_and_unknown() {
        assert_eq!(given(r#"{"Runtime":"python3.6"}"#), Ok(()));
        let fault = given(r#"{"Runtime":"python4"}"#).unwrap_err();
        assert_eq!(fault.code, Code::InvalidParameterValue);
        assert!(fault.text.starts_with("Value python4 at 'runtime' failed to satisfy constraint: "));
    }

    #[test]
    fn variables() {
        assert_eq!(given(r#"{"Environment":{"Variables":{"MODEL":"é"}}}"#), Ok(()));
        assert_eq!(
            given(r#"{"Environment":{"Variables":{"AWS_REGION":"x","_HANDLER":"y"}}}"#).unwrap_err().text,
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, _HANDLER"
        );
        let long = format!(r#"{{"Environment":{{"Variables":{{"LONG":"{}"}}}}}}"#, "x".repeat(4096));
        let fault = given(&long).unwrap_err();
        assert!(fault.text.contains("exceeded the 4KB limit. String measured: {\"LONG\":\"xxx"));
        assert_eq!(given(r#"{"Environment":{"Variables":{"1A":"x"}}}"#).unwrap_err().code, Code::Validation);
    }

    #[test]
    fn roles() {
        assert_eq!(role("arn:aws:iam::000000000000:role/lambda-role"), Ok(()));
        assert_eq!(role("arn:aws-cn:iam::000000000000:role/path/name"), Ok(()));
        for wrong in [
            "",
            "r",
            "arn:aws:iam::0:role/r",
            "arn:aws:iam::000000000000:role/",
            "arn:aws:iam::000000000000:user/x",
        ] {
            assert_eq!(role(wrong).unwrap_err().code, Code::Validation, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let rest = serde_json::json!({
            "Layers": ["arn"], "DurableConfig": {}, "TracingConfig": { "Mode": "Active" },
            "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] }, "Unheard": 1
        });
        let Value::Object(rest) = rest else { unreachable!() };
        let sorted = sort(rest);
        assert_eq!(sorted.refused, ["Layers"]);
        assert_eq!(sorted.idle, ["TracingConfig"]);
        assert_eq!(sorted.kept.keys().collect::<Vec<_>>(), ["TracingConfig", "VpcConfig"]);
    }
}
