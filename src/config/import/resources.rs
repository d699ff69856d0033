//! What a template declares beside functions, buckets and queues: topics, rules of the event bus, and how functions
//! stand to both. Only the cloud understands it; here its properties are resolved.

use super::Import;
use super::intrinsics::Resolver;
use super::node::{Kind, Node};
use super::properties::Properties;
use super::template::Resource;
use crate::config::error::ConfigError;
use mlemu_core::declare::ResourceDeclaration;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Kinds that are handed on as they are.
const KINDS: [&str; 6] = [
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
];

/// Whether a resource is handed on as it is.
pub fn is_known(kind: &str) -> bool {
    KINDS.contains(&kind)
}

pub fn resource(import: &Import<'_>, resource: &Resource<'_>) -> ResourceDeclaration {
    let properties = import.properties(resource);
    let name = import.resolver.physical_name(resource).unwrap_or_else(|| resource.id.to_owned());
    declaration(import, resource, resource.kind, &name, document(&import.resolver, &properties.node))
}

/// What a function's own properties say of its queued calls and its alias, and the events of other services that
/// start it.
pub fn of_function(
    import: &Import<'_>,
    resource: &Resource<'_>,
    name: &str,
) -> Result<Vec<ResourceDeclaration>, ConfigError> {
    let properties = import.properties(resource);
    let said = |property: &str| Some(document(&import.resolver, properties.raw(property)?));
    let mut all = Vec::new();
    let mut add = |kind: &str, place: &str, document: Value| {
        all.push(declaration(import, resource, kind, place, document));
    };
    let alias = properties.text("AutoPublishAlias");
    if let Some(alias) = &alias {
        add(
            "AWS::Lambda::Alias",
            &format!("{name}:{alias}"),
            json!({
                "FunctionName": name, "Name": alias, "FunctionVersion": "$LATEST",
            }),
        );
    }
    if let Some(mut config) = said("EventInvokeConfig") {
        config["FunctionName"] = name.into();
        add("AWS::Lambda::EventInvokeConfig", name, config.clone());
        if let Some(alias) = &alias {
            config["Qualifier"] = alias.as_str().into();
            add("AWS::Lambda::EventInvokeConfig", &format!("{name}:{alias}"), config);
        }
    }
    let arn = format!(
        "arn:aws:lambda:{}:{}:function:{name}",
        import.resolver.world.region, import.resolver.world.account
    );
    let Some(events) = properties.get("Events") else { return Ok(all) };
    for (key, event) in events.as_map().into_iter().flat_map(super::node::Map::iter) {
        let kind = event.get("Type").and_then(|kind| kind.as_text()).unwrap_or_default();
        let event = Properties::new(&import.resolver, event.get("Properties").unwrap_or(event).clone());
        let said = document(&import.resolver, &event.node);
        match kind {
            "SNS" => {
                event.identity("Topic")?;
                add("AWS::SNS::Subscription", &format!("{name}-{}", key.text), subscription(&said, &arn));
            }
            "EventBridgeRule" | "CloudWatchEvent" => {
                add("AWS::Events::Rule", &format!("{name}-{}", key.text), rule(&said, &arn));
            }
            _ => {}
        }
    }
    Ok(all)
}

/// The target of dead letters, as the vendor's own API names it.
pub fn dead_letters(properties: &Properties<'_>) -> Option<String> {
    let said = ["DeadLetterQueue", "DeadLetterConfig"].iter().find_map(|name| properties.inside(name))?;
    Some(json!({ "TargetArn": said.text("TargetArn")? }).to_string())
}

fn subscription(said: &Value, function: &str) -> Value {
    let mut document = json!({ "TopicArn": said["Topic"], "Protocol": "lambda", "Endpoint": function });
    for name in ["FilterPolicy", "FilterPolicyScope", "RedrivePolicy"] {
        if let Some(value) = said.get(name) {
            document[name] = value.clone();
        }
    }
    document
}

fn rule(said: &Value, function: &str) -> Value {
    let mut target = json!({ "Id": "Target", "Arn": function });
    for name in ["Input", "InputPath", "InputTransformer", "DeadLetterConfig"] {
        if let Some(value) = said.get(name) {
            target[name] = value.clone();
        }
    }
    let mut document = json!({ "EventPattern": said["Pattern"], "Targets": [target] });
    for (name, property) in [("EventBusName", "EventBusName"), ("State", "State")] {
        if let Some(value) = said.get(property) {
            document[name] = value.clone();
        }
    }
    document
}

/// What a bucket tells to others than functions.
pub fn of_bucket(import: &Import<'_>, resource: &Resource<'_>) -> Option<ResourceDeclaration> {
    let properties = import.properties(resource);
    let said = document(&import.resolver, properties.raw("NotificationConfiguration")?);
    let tells = ["QueueConfigurations", "TopicConfigurations", "EventBridgeConfiguration"];
    tells.iter().any(|name| said.get(name).is_some()).then(|| {
        let bucket = import.resolver.physical_name(resource).unwrap_or_default();
        declaration(import, resource, "AWS::S3::BucketNotification", &bucket, said)
    })
}

fn declaration(
    import: &Import<'_>,
    resource: &Resource<'_>,
    kind: &str,
    name: &str,
    properties: Value,
) -> ResourceDeclaration {
    ResourceDeclaration {
        cloud: "aws".into(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        properties: properties.to_string(),
        from: import.provenance(resource),
    }
}

/// A part of the template as JSON, resolved throughout. What was written without quotes is what it looks like.
fn document(resolver: &Resolver<'_>, node: &Arc<Node>) -> Value {
    let Some(node) = resolver.resolve(node) else { return Value::Null };
    let inner = resolver.deeper(|| match &node.kind {
        Kind::Null => Value::Null,
        Kind::Scalar { text, plain: true } => serde_json::from_str::<Value>(text)
            .ok()
            .filter(|value| value.is_boolean() || value.is_number())
            .unwrap_or_else(|| Value::String(text.clone())),
        Kind::Scalar { text, .. } => Value::String(text.clone()),
        Kind::List(items) => Value::Array(items.iter().map(|item| document(resolver, item)).collect()),
        Kind::Map(map) => {
            let members = map.iter().map(|(key, node)| (key.text.clone(), document(resolver, node)));
            Value::Object(members.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
    });
    inner.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use serde_json::{Value, json};

    const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters: { Least: { Type: Number, Default: 3 } }
Resources:
  News: { Type: AWS::SNS::Topic, Properties: { TopicName: news } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Inbox:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: inbox
      NotificationConfiguration: { TopicConfigurations: [{ Topic: !Ref News, Event: 's3:ObjectCreated:*' }] }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.12
      AutoPublishAlias: live
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }
      EventInvokeConfig: { MaximumRetryAttempts: 0 }
      Events:
        Told: { Type: SNS, Properties: { Topic: !Ref News, FilterPolicy: { n: [1, 'two'] } } }
        Ruled: { Type: EventBridgeRule, Properties: { Pattern: { detail: { n: [{ numeric: ['>', !Ref Least] }] } } } }
";

    #[test]
    fn what_belongs_to_a_function_is_resources_of_its_own() {
        let project = read(TEMPLATE).unwrap_or_else(|error| panic!("{error}")).project;
        assert_eq!(project.warnings, Vec::<String>::new());
        let function = &project.functions[0];
        let dead = r#"{"TargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#;
        assert_eq!(function.options["DeadLetterConfig"], dead);
        assert!(function.triggers.is_empty());
        let said = |kind: &str, name: &str| -> Value {
            let found = project.resources.iter().find(|one| one.kind == kind && one.name == name);
            let found = found.unwrap_or_else(|| panic!("{kind} {name} in {:?}", project.resources));
            serde_json::from_str(&found.properties).unwrap()
        };
        assert_eq!(said("AWS::SNS::Topic", "news"), json!({ "TopicName": "news" }));
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:F";
        let told = json!({
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:news", "Protocol": "lambda", "Endpoint": arn,
            "FilterPolicy": { "n": [1, "two"] },
        });
        assert_eq!(said("AWS::SNS::Subscription", "F-Told"), told);
        let rule = said("AWS::Events::Rule", "F-Ruled");
        assert_eq!(rule["Targets"], json!([{ "Id": "Target", "Arn": arn }]));
        assert_eq!(rule["EventPattern"]["detail"]["n"][0]["numeric"][0], ">");
        assert_eq!(said("AWS::Lambda::Alias", "F:live")["Name"], "live");
        assert_eq!(said("AWS::Lambda::EventInvokeConfig", "F:live")["Qualifier"], "live");
        let bucket = said("AWS::S3::BucketNotification", "inbox");
        assert_eq!(bucket["TopicConfigurations"][0]["Topic"], "arn:aws:sns:us-east-1:000000000000:news");
    }

    #[test]
    fn a_document_that_refers_to_itself_ends() {
        let deep = format!("{}1{}", "{ a: ".repeat(200), " }".repeat(200));
        let template = format!(
            "Resources:\n  R:\n    Type: AWS::Events::Rule\n    Properties: {{ EventPattern: {deep} }}\n"
        );
        // Whatever it says, it says it soon.
        let _ = read(&template).map(|loaded| loaded.project.resources.len());
    }
}
