//! Roles, with the policies in them and attached to them.

use super::xml::{element, members, text};
use super::{Answer, Call, Fault, Store};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What RFC 3986 leaves unreserved stays as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    name: String,
    path: String,
    arn: String,
    id: String,
    created: String,
    trust: String,
    description: String,
    /// Documents by their names.
    inline: BTreeMap<String, String>,
    /// ARNs.
    attached: Vec<String>,
}

/// `None`: not an action on roles.
pub fn run(action: &str, call: &Call<'_>, store: &mut Store) -> Option<Answer> {
    Some(match action {
        "CreateRole" => create(call, store),
        "GetRole" => role(call, store).map(|role| element("Role", &told(role))),
        "ListRoles" => Ok(list("Roles", store.roles.values().map(told))),
        "DeleteRole" => delete(call, store),
        "UpdateAssumeRolePolicy" => trust(call, store),
        "PutRolePolicy" => put(call, store),
        "GetRolePolicy" => get(call, store),
        "DeleteRolePolicy" => remove(call, store),
        "ListRolePolicies" => role(call, store).map(|role| {
            members("PolicyNames", role.inline.keys().map(|name| name_only(name)))
                + &text("IsTruncated", "false")
        }),
        "AttachRolePolicy" => attach(call, store),
        "DetachRolePolicy" => detach(call, store),
        "ListAttachedRolePolicies" => role(call, store)
            .map(|role| list("AttachedPolicies", role.attached.iter().map(|arn| attached(arn)))),
        "ListRoleTags" => role(call, store).map(|_| list("Tags", std::iter::empty())),
        "ListInstanceProfilesForRole" => {
            role(call, store).map(|_| list("InstanceProfiles", std::iter::empty()))
        }
        _ => return None,
    })
}

/// A policy document as answers carry it.
pub fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

/// A list that is always whole.
pub fn list(name: &str, items: impl Iterator<Item = String>) -> String {
    members(name, items) + &text("IsTruncated", "false")
}

fn create(call: &Call<'_>, store: &mut Store) -> Answer {
    let name = call.want_name("RoleName")?.to_owned();
    if store.roles.contains_key(&name) {
        return Err(Fault::exists(&format!("Role with name {name}")));
    }
    let path = Some(call.get("Path")).filter(|path| !path.is_empty()).unwrap_or("/").to_owned();
    let role = Role {
        arn: format!("arn:aws:iam::{}:role{path}{name}", call.settings.account),
        id: format!("AROA{:0>17}", store.roles.len() + 1),
        created: call.now.clone(),
        trust: call.want("AssumeRolePolicyDocument")?.to_owned(),
        description: call.get("Description").to_owned(),
        inline: BTreeMap::new(),
        attached: Vec::new(),
        path,
        name: name.clone(),
    };
    let document = element("Role", &told(&role));
    store.roles.insert(name, role);
    Ok(document)
}

fn delete(call: &Call<'_>, store: &mut Store) -> Answer {
    let found = role(call, store)?;
    if !found.attached.is_empty() || !found.inline.is_empty() {
        return Err(Fault::new(
            409,
            "DeleteConflict",
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    let name = found.name.clone();
    store.roles.remove(&name);
    Ok(String::new())
}

fn trust(call: &Call<'_>, store: &mut Store) -> Answer {
    let document = call.want("PolicyDocument")?.to_owned();
    role(call, store)?.trust = document;
    Ok(String::new())
}

fn put(call: &Call<'_>, store: &mut Store) -> Answer {
    let name = call.want_name("PolicyName")?.to_owned();
    let document = call.want("PolicyDocument")?.to_owned();
    role(call, store)?.inline.insert(name, document);
    Ok(String::new())
}

fn get(call: &Call<'_>, store: &mut Store) -> Answer {
    let name = call.want_name("PolicyName")?;
    let role = role(call, store)?;
    let document = role.inline.get(name).ok_or_else(|| no_inline(name))?;
    Ok(text("RoleName", &role.name) + &text("PolicyName", name) + &text("PolicyDocument", &encoded(document)))
}

fn remove(call: &Call<'_>, store: &mut Store) -> Answer {
    let name = call.want_name("PolicyName")?;
    role(call, store)?.inline.remove(name).ok_or_else(|| no_inline(name))?;
    Ok(String::new())
}

fn attach(call: &Call<'_>, store: &mut Store) -> Answer {
    let arn = call.want("PolicyArn")?.to_owned();
    // The vendor's own policies exist without anybody having made them.
    if !arn.starts_with("arn:aws:iam::aws:policy/") && !store.policies.contains_key(&arn) {
        return Err(Fault::missing(&format!("Policy {arn}")));
    }
    let role = role(call, store)?;
    if !role.attached.contains(&arn) {
        role.attached.push(arn);
    }
    Ok(String::new())
}

fn detach(call: &Call<'_>, store: &mut Store) -> Answer {
    let arn = call.want("PolicyArn")?;
    let role = role(call, store)?;
    let at = role.attached.iter().position(|have| have == arn);
    role.attached.remove(at.ok_or_else(|| Fault::missing(&format!("Policy {arn}")))?);
    Ok(String::new())
}

fn role<'a>(call: &Call<'_>, store: &'a mut Store) -> Result<&'a mut Role, Fault> {
    let name = call.want_name("RoleName")?;
    let missing = || Fault::missing(&format!("The role with name {name}"));
    store.roles.get_mut(name).ok_or_else(missing)
}

fn no_inline(name: &str) -> Fault {
    Fault::missing(&format!("The role policy with name {name}"))
}

fn told(role: &Role) -> String {
    let description =
        if role.description.is_empty() { String::new() } else { text("Description", &role.description) };
    text("Path", &role.path)
        + &text("RoleName", &role.name)
        + &text("RoleId", &role.id)
        + &text("Arn", &role.arn)
        + &text("CreateDate", &role.created)
        + &text("AssumeRolePolicyDocument", &encoded(&role.trust))
        + &description
        + &text("MaxSessionDuration", "3600")
}

fn attached(arn: &str) -> String {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    text("PolicyName", name) + &text("PolicyArn", arn)
}

/// The text of a name, as it stands in a list.
fn name_only(name: &str) -> String {
    quick_xml::escape::escape(name).into_owned()
}
