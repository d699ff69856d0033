//! Resources that a project declares and that have no form shared by all clouds: topics, rules, aliases, what becomes
//! of queued calls, and what buckets tell.
//!
//! Properties are those of CloudFormation's "AWS resource and property types reference".

use crate::plug::Aws;
use crate::{events, sns};
use mlemu_core::declare::ResourceDeclaration;
use mlemu_engine::endpoints;
use serde_json::Value;
use std::collections::BTreeMap;

impl Aws {
    /// Makes exactly these real: what was declared before and is not any more goes.
    pub fn declare_resources(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        let now: Vec<ResourceDeclaration> = resources.iter().map(|one| (*one).clone()).collect();
        let before = self.swap_declared(now.clone());
        let is_same =
            |a: &ResourceDeclaration, b: &ResourceDeclaration| (&a.kind, &a.name) == (&b.kind, &b.name);
        for gone in before.iter().filter(|was| !now.iter().any(|is| is_same(was, is))) {
            self.withdraw_resource(gone);
        }
        // Topics are there before anybody subscribes to them, and buses before their rules.
        let mut sorted: Vec<_> = now.iter().collect();
        sorted.sort_by_key(|one| !matches!(one.kind.as_str(), "AWS::SNS::Topic" | "AWS::Events::EventBus"));
        for resource in sorted {
            let declared = self.declare_resource(resource);
            declared.map_err(|why| format!("{} `{}`: {why}", resource.kind, resource.name))?;
        }
        Ok(())
    }

    fn declare_resource(&self, resource: &ResourceDeclaration) -> Result<(), String> {
        let said: Value = serde_json::from_str(&resource.properties).map_err(|error| error.to_string())?;
        match resource.kind.as_str() {
            "AWS::SNS::Topic" => self.declare_topic(&resource.name, &said),
            "AWS::SNS::Subscription" => self.declare_subscription(&text(&said, "TopicArn"), &said),
            "AWS::Events::EventBus" => {
                let declared = self.events().declare(events::Declared::Bus { name: resource.name.clone() });
                declared.map_err(|lost| lost.why)
            }
            "AWS::Events::Rule" => {
                let rule =
                    events::Declared::rule(&resource.name, &said).map_err(|error| error.to_string())?;
                self.events().declare(rule).map_err(|lost| lost.why)
            }
            "AWS::Lambda::EventInvokeConfig" => {
                self.lambda().declare_queued(&said).map_err(|fault| fault.text)
            }
            "AWS::Lambda::Alias" => self.lambda().declare_alias(&said).map_err(|fault| fault.text),
            endpoints::KIND => {
                let endpoint = serde_json::from_value(said).map_err(|error| error.to_string())?;
                self.sagemaker().declare(endpoint);
                Ok(())
            }
            "AWS::S3::BucketNotification" => {
                self.s3().declare_notifications(&resource.name, &said).map_err(|fault| fault.why)
            }
            other => Err(format!("mlemu does not have {other} yet")),
        }
    }

    fn declare_topic(&self, name: &str, said: &Value) -> Result<(), String> {
        let attributes = attributes(
            said,
            &[
                "DisplayName",
                "KmsMasterKeyId",
                "SignatureVersion",
                "FifoTopic",
                "ContentBasedDeduplication",
                "FifoThroughputScope",
            ],
        );
        let topic = sns::Declared::Topic { name: name.to_owned(), attributes };
        self.sns().declare(topic).map_err(|lost| lost.why)?;
        let arn = self.topic_arn(name);
        for one in said["Subscription"].as_array().into_iter().flatten() {
            self.declare_subscription(&arn, one)?;
        }
        Ok(())
    }

    fn declare_subscription(&self, topic: &str, said: &Value) -> Result<(), String> {
        let names =
            ["FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"];
        let subscription = sns::Declared::Subscription {
            topic: topic.to_owned(),
            protocol: text(said, "Protocol"),
            endpoint: text(said, "Endpoint"),
            attributes: attributes(said, &names),
        };
        self.sns().declare(subscription).map_err(|lost| lost.why)
    }

    fn withdraw_resource(&self, gone: &ResourceDeclaration) {
        let said: Value = serde_json::from_str(&gone.properties).unwrap_or_default();
        match gone.kind.as_str() {
            "AWS::SNS::Topic" => self.sns().forget(&self.topic_arn(&gone.name)),
            "AWS::SNS::Subscription" => {
                self.sns().unsubscribe(&text(&said, "TopicArn"), &text(&said, "Endpoint"));
            }
            "AWS::Events::Rule" => self.events().forget(said["EventBusName"].as_str(), &gone.name),
            "AWS::Lambda::EventInvokeConfig" => self.lambda().withdraw_queued(&said),
            endpoints::KIND => self.sagemaker().forget(&gone.name),
            "AWS::S3::BucketNotification" => {
                // Telling nobody is always accepted.
                let _ = self.s3().declare_notifications(&gone.name, &Value::Null);
            }
            _ => {}
        }
    }
}

fn text(said: &Value, name: &str) -> String {
    said[name].as_str().unwrap_or_default().to_owned()
}

/// Properties as attributes: whatever is no text is the text of its JSON.
fn attributes(said: &Value, names: &[&str]) -> BTreeMap<String, String> {
    let each = names.iter().filter_map(|name| Some((name, said.get(*name)?)));
    each.map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ((*name).to_owned(), text)
    })
    .collect()
}
