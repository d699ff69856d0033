//! What names in a template stand for: parameters, resources, pseudo parameters, mappings.

use super::intrinsics::{Call, Resolver, UNRESOLVED};
use super::node::{Kind, Node};
use super::strings::split;
use super::template::Resource;
use crate::config::text::Position;
use std::sync::Arc;

impl Resolver<'_> {
    /// What `Ref name` is.
    pub(super) fn reference(&self, name: &str, at: Position) -> Arc<Node> {
        let known = match name.strip_prefix("AWS::") {
            Some(pseudo) => self.pseudo(pseudo, at),
            None => self.parameter(name, at).or_else(|| Some(Node::text(self.identity(name)?, at))),
        };
        known.map_or_else(|| self.unresolved(at, &format!("Ref {name}")), Arc::new)
    }

    /// What `${name}` in a Sub is: a reference, or `Resource.Attribute`.
    pub(super) fn named(&self, name: &str, at: Position) -> Arc<Node> {
        match name.split_once('.') {
            None => self.reference(name, at),
            Some((id, attribute)) => match self.attribute_of(id, attribute) {
                Some(text) => Arc::new(Node::text(text, at)),
                None => self.unresolved(at, name),
            },
        }
    }

    pub(super) fn attribute(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let (id, attribute) = match call.parts() {
            [] => call.argument.as_text()?.split_once('.').map(|(id, name)| (id, name.to_owned()))?,
            [id, attribute] => (id.as_text()?, self.text(attribute)?),
            _ => return None,
        };
        Some(Arc::new(Node::text(self.attribute_of(id, &attribute)?, call.at)))
    }

    pub(super) fn find_in_map(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let [map, top, second, ..] = call.parts() else { return None };
        let rows = self.template.section("Mappings").get(&self.text(map)?);
        let found = rows.and_then(|rows| rows.get(&self.text(top)?)?.get(&self.text(second)?).cloned());
        match found {
            Some(value) => self.resolve(&value),
            None => self.resolve(call.parts().get(3)?.get("DefaultValue")?),
        }
    }

    pub(super) fn zones(&self, at: Position) -> Arc<Node> {
        let zone = |letter| Arc::new(Node::text(format!("{}{letter}", self.world.region), at));
        Arc::new(Node::new(Kind::List(["a", "b", "c"].into_iter().map(zone).collect()), at))
    }

    /// The physical name of a resource: the one that the template gives or the one that we make from its id.
    pub fn physical_name(&self, resource: &Resource<'_>) -> Option<String> {
        let given = |property: &str| resource.property(property).and_then(|name| self.text(name));
        let stack = &self.world.stack;
        match resource.kind {
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
                let name = given("FunctionName").filter(|name| !name.contains(UNRESOLVED));
                Some(name.unwrap_or_else(|| resource.id.to_owned()))
            }
            "AWS::S3::Bucket" => {
                Some(given("BucketName").unwrap_or_else(|| format!("{stack}-{}", resource.id).to_lowercase()))
            }
            "AWS::SQS::Queue" => {
                Some(given("QueueName").unwrap_or_else(|| format!("{stack}-{}", resource.id)))
            }
            "AWS::SNS::Topic" => {
                Some(given("TopicName").unwrap_or_else(|| format!("{stack}-{}", resource.id)))
            }
            "AWS::Events::Rule" => Some(given("Name").unwrap_or_else(|| format!("{stack}-{}", resource.id))),
            "AWS::Events::EventBus" => given("Name"),
            _ => None,
        }
    }

    fn pseudo(&self, name: &str, at: Position) -> Option<Node> {
        let world = self.world;
        let text = match name {
            "AccountId" => world.account.clone(),
            "Region" => world.region.clone(),
            "Partition" => "aws".into(),
            "StackName" => world.stack.clone(),
            "StackId" => format!("arn:aws:cloudformation:{}:{}:stack/{1}/0", world.region, world.stack),
            "URLSuffix" => "amazonaws.com".into(),
            "NotificationARNs" => return Some(Node::new(Kind::List(Vec::new()), at)),
            _ => return None,
        };
        Some(Node::text(text, at))
    }

    fn parameter(&self, name: &str, at: Position) -> Option<Node> {
        let parameter = self.template.section("Parameters").get(name)?;
        let kind = parameter.get("Type").and_then(|kind| kind.as_text()).unwrap_or("String");
        let value = match self.world.parameters.get(name) {
            Some(given) => given.clone(),
            // The default of such a parameter is the name of a value that only the account has.
            None if kind.starts_with("AWS::SSM::") => return None,
            None => parameter.get("Default")?.as_text()?.to_owned(),
        };
        self.spend_text(&value);
        let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        Some(if is_list { split(&value, ",", at) } else { Node::text(value, at) })
    }

    /// What `Ref` gives for a resource.
    fn identity(&self, id: &str) -> Option<String> {
        if matches!(id, "ServerlessRestApi" | "ServerlessHttpApi") {
            return Some(id.to_owned());
        }
        let resource = self.template.resource(id)?;
        match resource.kind {
            "AWS::SQS::Queue" => self.attribute_of(id, "QueueUrl"),
            "AWS::SNS::Topic" => self.attribute_of(id, "TopicArn"),
            "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" => Some(id.to_owned()),
            _ => self.deeper(|| self.physical_name(&resource)).flatten(),
        }
    }

    fn attribute_of(&self, id: &str, attribute: &str) -> Option<String> {
        let resource = self.template.resource(id)?;
        let name = self.deeper(|| self.physical_name(&resource)).flatten()?;
        let (region, account) = (&self.world.region, &self.world.account);
        match (resource.kind, attribute) {
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => {
                Some(format!("arn:aws:lambda:{region}:{account}:function:{name}"))
            }
            ("AWS::S3::Bucket", "Arn") => Some(format!("arn:aws:s3:::{name}")),
            ("AWS::S3::Bucket", "DomainName") => Some(format!("{name}.s3.amazonaws.com")),
            ("AWS::S3::Bucket", "RegionalDomainName") => Some(format!("{name}.s3.{region}.amazonaws.com")),
            ("AWS::SNS::Topic", "TopicArn") => Some(format!("arn:aws:sns:{region}:{account}:{name}")),
            ("AWS::Events::Rule", "Arn") => Some(format!("arn:aws:events:{region}:{account}:rule/{name}")),
            ("AWS::Events::EventBus", "Arn") => {
                Some(format!("arn:aws:events:{region}:{account}:event-bus/{name}"))
            }
            ("AWS::SQS::Queue", "Arn") => Some(format!("arn:aws:sqs:{region}:{account}:{name}")),
            ("AWS::SQS::Queue", "QueueName") | ("AWS::SNS::Topic", "TopicName") => Some(name),
            ("AWS::SQS::Queue", "QueueUrl") => Some(format!("{}/{account}/{name}", self.world.endpoint)),
            _ => None,
        }
    }
}
