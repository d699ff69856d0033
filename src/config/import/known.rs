//! The names that types of resources and properties of functions have: what is none of them is a slip of the
//! pen.
//!
//! AWS SAM developer guide, "AWS::Serverless::Function"; CloudFormation, "AWS::Lambda::Function" and "AWS
//! resource and property types reference". Many of them mean nothing on this machine and are passed over in
//! silence.

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

/// Kinds whose names are easily mistaken for each other's.
const KINDS: &[&str] = &[
    "AWS::Serverless::Api",
    "AWS::Serverless::Application",
    "AWS::Serverless::Connector",
    "AWS::Serverless::Function",
    "AWS::Serverless::GraphQLApi",
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::LayerVersion",
    "AWS::Serverless::SimpleTable",
    "AWS::Serverless::StateMachine",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::Lambda::Version",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::Events::EventBus",
    "AWS::Events::EventBusPolicy",
    "AWS::Events::Rule",
];

/// Letters that differ in a type that was meant to be another; more make a type of its own.
const SLIPS: usize = 2;

/// Services that a function reads from, writes to or is started by, as far as they are not here: code that
/// uses them finds nobody.
const ABSENT: &[&str] = &[
    "Bedrock",
    "Cognito",
    "DocDB",
    "DynamoDB",
    "EFS",
    "ElastiCache",
    "Kinesis",
    "KinesisFirehose",
    "MSK",
    "Neptune",
    "OpenSearchService",
    "RDS",
    "SageMaker",
    "SecretsManager",
    "SSM",
    "StepFunctions",
];

/// Warns of a resource that is left out where somebody may miss it. Most kinds mean nothing on one machine.
pub fn check_kind(resolver: &Resolver<'_>, resource: &Resource<'_>) {
    let (kind, id) = (resource.kind, resource.id);
    let shown = super::node::shortened(kind);
    let service = kind.strip_prefix("AWS::").and_then(|rest| rest.split("::").next()).unwrap_or_default();
    let is_slip =
        |meant: &&str| resolver.spend(kind.len()) && strsim::damerau_levenshtein(kind, meant) <= SLIPS;
    let what = if kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource" {
        format!("`{id}` is left out: custom resources are not run")
    } else if kind == "AWS::Serverless::SimpleTable" {
        format!("`{id}` is left out: mlemu has no DynamoDB")
    } else if KINDS.contains(&kind) {
        return;
    } else if ABSENT.contains(&service) {
        format!("`{id}` is left out: mlemu has no {service}")
    } else if let Some(meant) = nearest(kind, KINDS).filter(is_slip) {
        format!("`{id}` is left out: unknown type {shown}; did you mean {meant}?")
    } else {
        return;
    };
    resolver.warn(resource.key.at, what);
}

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
