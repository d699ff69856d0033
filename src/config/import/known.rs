//! The names that a function's properties can have: what is none of them is a slip of the pen.
//!
//! AWS SAM developer guide, "AWS::Serverless::Function"; CloudFormation, "AWS::Lambda::Function". Many of them mean
//! nothing on this machine and are passed over in silence.

use super::intrinsics::Resolver;
use super::node::Node;
use super::template::Resource;
use crate::config::schema::nearest;

const SERVERLESS: &[&str] = &[
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "CodeUri",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "DurableConfig",
    "Environment",
    "EphemeralStorage",
    "EventInvokeConfig",
    "Events",
    "FileSystemConfigs",
    "FunctionName",
    "FunctionScalingConfig",
    "FunctionUrlConfig",
    "Handler",
    "ImageConfig",
    "ImageUri",
    "InlineCode",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "RolePath",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "SourceKMSKeyArn",
    "Tags",
    "TenancyConfig",
    "Timeout",
    "Tracing",
    "VersionDeletionPolicy",
    "VersionDescription",
    "VpcConfig",
];
const LAMBDA: &[&str] = &[
    "Architectures",
    "CapacityProviderConfig",
    "Code",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "Description",
    "DurableConfig",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "FunctionScalingConfig",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "TenancyConfig",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];

/// Warns of properties of a function that its kind does not have.
pub fn check(resolver: &Resolver<'_>, resource: &Resource<'_>) {
    let names = if resource.kind == "AWS::Serverless::Function" { SERVERLESS } else { LAMBDA };
    if let Some(properties) = resource.node.get("Properties") {
        warn_of_unknown(resolver, properties, names, resource.id);
    }
}

/// The same for what the template says once for all functions.
pub fn check_globals(resolver: &Resolver<'_>) {
    if let Some(properties) = super::globals::global(resolver, "Function") {
        warn_of_unknown(resolver, properties, SERVERLESS, "Globals.Function");
    }
}

fn warn_of_unknown(resolver: &Resolver<'_>, properties: &Node, names: &[&str], whose: &str) {
    let Some(properties) = properties.as_map() else { return };
    for (key, _) in properties.iter() {
        let name = key.text.as_str();
        if names.contains(&name) || name.starts_with("Fn::") || !resolver.spend(name.len()) {
            continue;
        }
        let meant = match nearest(name, names) {
            Some(meant) => format!("; did you mean {meant}?"),
            None => String::new(),
        };
        let name = super::node::shortened(name);
        resolver.warn(key.at, format!("unknown property {name} of {whose}{meant}"));
    }
}
