//! Policies of their own, in the one version that they have here.

use super::roles::{encoded, list};
use super::xml::{element, text};
use super::{Answer, Call, Fault, Store};
use serde::{Deserialize, Serialize};

/// The version that every policy has.
const VERSION: &str = "v1";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    name: String,
    path: String,
    id: String,
    created: String,
    document: String,
}

/// `None`: not an action on policies.
pub fn run(action: &str, call: &Call<'_>, store: &mut Store) -> Option<Answer> {
    Some(match action {
        "CreatePolicy" => create(call, store),
        "GetPolicy" => find(call, store).map(|(arn, policy)| element("Policy", &told(&arn, &policy))),
        "GetPolicyVersion" => {
            find(call, store).map(|(_, policy)| element("PolicyVersion", &version(&policy, true)))
        }
        "ListPolicyVersions" => {
            find(call, store).map(|(_, policy)| list("Versions", std::iter::once(version(&policy, false))))
        }
        "DeletePolicy" => find(call, store).map(|(arn, _)| {
            store.policies.remove(&arn);
            String::new()
        }),
        _ => return None,
    })
}

fn create(call: &Call<'_>, store: &mut Store) -> Answer {
    let name = call.want_name("PolicyName")?.to_owned();
    let path = Some(call.get("Path")).filter(|path| !path.is_empty()).unwrap_or("/").to_owned();
    let arn = format!("arn:aws:iam::{}:policy{path}{name}", call.settings.account);
    if store.policies.contains_key(&arn) {
        return Err(Fault::exists(&format!("A policy called {name}")));
    }
    let policy = Policy {
        id: format!("ANPA{:0>17}", store.policies.len() + 1),
        created: call.now.clone(),
        document: call.want("PolicyDocument")?.to_owned(),
        name,
        path,
    };
    let document = element("Policy", &told(&arn, &policy));
    store.policies.insert(arn, policy);
    Ok(document)
}

fn find(call: &Call<'_>, store: &Store) -> Result<(String, Policy), Fault> {
    let arn = call.want("PolicyArn")?;
    let found = store.policies.get(arn).cloned().or_else(|| vendors_own(arn, &call.now));
    found.map(|policy| (arn.to_owned(), policy)).ok_or_else(|| Fault::missing(&format!("Policy {arn}")))
}

/// The vendor's own policies exist without anybody having made them.
fn vendors_own(arn: &str, now: &str) -> Option<Policy> {
    let name = arn.strip_prefix("arn:aws:iam::aws:policy/")?.rsplit('/').next()?;
    Some(Policy {
        name: name.to_owned(),
        path: "/".into(),
        id: "ANPA00000000000000000".into(),
        created: now.to_owned(),
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#
            .into(),
    })
}

fn told(arn: &str, policy: &Policy) -> String {
    text("PolicyName", &policy.name)
        + &text("PolicyId", &policy.id)
        + &text("Arn", arn)
        + &text("Path", &policy.path)
        + &text("DefaultVersionId", VERSION)
        + &text("AttachmentCount", "0")
        + &text("IsAttachable", "true")
        + &text("CreateDate", &policy.created)
        + &text("UpdateDate", &policy.created)
}

fn version(policy: &Policy, with_document: bool) -> String {
    let document = if with_document { text("Document", &encoded(&policy.document)) } else { String::new() };
    document
        + &text("VersionId", VERSION)
        + &text("IsDefaultVersion", "true")
        + &text("CreateDate", &policy.created)
}
