//! AddPermission, GetPolicy, RemovePermission: kept and told again, not enforced.

use super::super::decode::{self, Call};
use super::super::encode;
use super::super::fault::{Code, Fault};
use super::super::target::Target;
use super::super::{Lambda, wire};
use super::update::check_revision;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

pub async fn add(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let request: wire::AddPermission = decode::document(body, "AddPermission").await?;
    let (id, _) = lambda.pick(&target)?;
    let named = Target { name: id.name.to_string(), ..target.clone() };
    let statement = statement(&request, &named.arn(&lambda.settings))?;
    lambda.with_entry_mut(&target, |entry| {
        check_revision(entry, request.revision_id.as_deref())?;
        let statements = entry.policies.entry(key(&target)).or_default();
        if statements.iter().any(|had| had["Sid"] == statement["Sid"]) {
            let text = format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
                statement["Sid"].as_str().unwrap_or_default()
            );
            return Err(Fault::new(Code::ResourceConflict, text));
        }
        statements.push(statement.clone());
        entry.latest.revision_id = lambda.fresh_id();
        Ok(())
    })?;
    encode::json(201, &json!({ "Statement": statement.to_string() }))
}

pub fn get(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    lambda.pick(&target)?;
    let (statements, revision_id) = lambda.with_entry(&target, |entry| {
        (entry.policies.get(&key(&target)).cloned().unwrap_or_default(), entry.latest.revision_id.clone())
    })?;
    if statements.is_empty() {
        return Err(Fault::new(Code::ResourceNotFound, "The resource you requested does not exist."));
    }
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements }).to_string();
    encode::json(200, &wire::Policy { policy, revision_id })
}

pub fn remove(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let sid = call.path.get(1).map_or("", String::as_str);
    lambda.with_entry_mut(&target, |entry| {
        check_revision(entry, call.query.get("RevisionId"))?;
        let statements = entry.policies.entry(key(&target)).or_default();
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != sid);
        if statements.len() == before {
            let text = format!("Statement {sid} is not found in resource policy.");
            return Err(Fault::new(Code::ResourceNotFound, text));
        }
        entry.latest.revision_id = lambda.fresh_id();
        Ok(())
    })?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

fn key(target: &Target) -> String {
    target.qualifier.clone().unwrap_or_default()
}

fn statement(request: &wire::AddPermission, arn: &str) -> Result<Value, Fault> {
    let required = |given: &Option<String>, member: &str| {
        given.clone().ok_or_else(|| Fault::constraint("null", member, "Member must not be null"))
    };
    let sid = required(&request.statement_id, "statementId")?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if sid.is_empty() || sid.len() > 100 || !sid.bytes().all(is_word) {
        let expected = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
        return Err(Fault::constraint(&sid, "statementId", expected));
    }
    let action = required(&request.action, "action")?;
    if !(action == "*" || action.starts_with("lambda:")) {
        let expected = "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])";
        return Err(Fault::constraint(&action, "action", expected));
    }
    let mut statement = Map::new();
    statement.insert("Sid".into(), json!(sid));
    statement.insert("Effect".into(), json!("Allow"));
    statement.insert("Principal".into(), principal(&required(&request.principal, "principal")?));
    statement.insert("Action".into(), json!(action));
    statement.insert("Resource".into(), json!(arn));
    let conditions = conditions(request);
    if !conditions.is_empty() {
        statement.insert("Condition".into(), Value::Object(conditions));
    }
    Ok(Value::Object(statement))
}

fn principal(principal: &str) -> Value {
    let is_account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
    if principal == "*" {
        json!("*")
    } else if is_account {
        json!({ "AWS": format!("arn:aws:iam::{principal}:root") })
    } else if principal.starts_with("arn:") {
        json!({ "AWS": principal })
    } else {
        json!({ "Service": principal })
    }
}

fn conditions(request: &wire::AddPermission) -> Map<String, Value> {
    let mut equals = Map::new();
    let pairs = [
        ("AWS:SourceAccount", &request.source_account),
        ("lambda:EventSourceToken", &request.event_source_token),
        ("aws:PrincipalOrgID", &request.principal_org_id),
        ("lambda:FunctionUrlAuthType", &request.function_url_auth_type),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            equals.insert(name.into(), json!(value));
        }
    }
    let mut conditions = Map::new();
    if !equals.is_empty() {
        conditions.insert("StringEquals".into(), Value::Object(equals));
    }
    if let Some(arn) = &request.source_arn {
        conditions.insert("ArnLike".into(), json!({ "AWS:SourceArn": arn }));
    }
    conditions
}
