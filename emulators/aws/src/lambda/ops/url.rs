//! Create, Get, Update, Delete and ListFunctionUrlConfigs.

use super::super::catalog::{Entry, UrlConfig};
use super::super::decode::{self, Call};
use super::super::encode::{self, created_at};
use super::super::fault::{Code, Fault};
use super::super::target::Target;
use super::super::{Lambda, Settings, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;

pub async fn create(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = owner(lambda, call)?;
    let request: wire::SetUrl = decode::document(body, "CreateFunctionUrlConfig").await?;
    let auth_type = request.auth_type.as_deref();
    let auth_type =
        auth_type.ok_or_else(|| Fault::constraint("null", "authType", "Member must not be null"))?;
    let now = lambda.functions.clock().now();
    let config = UrlConfig {
        auth_type: known_auth(auth_type)?.to_owned(),
        streaming: streams(request.invoke_mode.as_deref())?.unwrap_or(false),
        cors: request.cors,
        created: now,
        modified: now,
    };
    let document = lambda.with_entry_mut(&target, |entry| {
        if entry.url.is_some() {
            let text = format!(
                "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function",
                lambda.arn_of(&entry.id)
            );
            return Err(Fault::new(Code::ResourceConflict, text));
        }
        entry.url = Some(config.clone());
        Ok(told(entry, &config, &lambda.settings))
    })?;
    encode::json(201, &document)
}

pub fn get(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = owner(lambda, call)?;
    let document = lambda
        .with_entry(&target, |entry| entry.url.as_ref().map(|url| told(entry, url, &lambda.settings)))?;
    encode::json(200, &document.ok_or_else(no_url)?)
}

pub async fn update(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = owner(lambda, call)?;
    let request: wire::SetUrl = decode::document(body, "UpdateFunctionUrlConfig").await?;
    request.auth_type.as_deref().map(known_auth).transpose()?;
    let streaming = streams(request.invoke_mode.as_deref())?;
    let document = lambda.with_entry_mut(&target, |entry| {
        let url = entry.url.as_mut().ok_or_else(no_url)?;
        url.auth_type = request.auth_type.unwrap_or_else(|| url.auth_type.clone());
        url.streaming = streaming.unwrap_or(url.streaming);
        url.cors = request.cors.or_else(|| url.cors.take());
        url.modified = lambda.functions.clock().now();
        let url = url.clone();
        Ok(told(entry, &url, &lambda.settings))
    })?;
    encode::json(200, &document)
}

pub fn delete(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = owner(lambda, call)?;
    lambda.with_entry_mut(&target, |entry| entry.url.take().ok_or_else(no_url))?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = owner(lambda, call)?;
    let found = lambda.with_entry(&target, |entry| {
        entry.url.iter().map(|url| told(entry, url, &lambda.settings)).collect()
    })?;
    encode::json(200, &wire::ListFunctionUrls { function_url_configs: found })
}

/// Aliases, the only qualifiers that URLs take, are not there yet.
fn owner(lambda: &Lambda, call: &Call<'_>) -> Result<Target, Fault> {
    let target = call.target(&lambda.settings)?;
    match target.qualifier {
        None => Ok(target),
        Some(_) => Err(Fault::no_function(&target.arn(&lambda.settings))),
    }
}

fn known_auth(auth_type: &str) -> Result<&str, Fault> {
    if matches!(auth_type, "NONE" | "AWS_IAM") {
        return Ok(auth_type);
    }
    let expected = "Member must satisfy enum value set: [NONE, AWS_IAM]";
    Err(Fault::constraint(auth_type, "authType", expected))
}

fn streams(invoke_mode: Option<&str>) -> Result<Option<bool>, Fault> {
    match invoke_mode {
        None => Ok(None),
        Some("BUFFERED") => Ok(Some(false)),
        Some("RESPONSE_STREAM") => Ok(Some(true)),
        Some(other) => {
            let expected = "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]";
            Err(Fault::constraint(other, "invokeMode", expected))
        }
    }
}

fn no_url() -> Fault {
    Fault::new(Code::ResourceNotFound, "The resource you requested does not exist.")
}

fn told(entry: &Entry, url: &UrlConfig, settings: &Settings) -> wire::FunctionUrl {
    wire::FunctionUrl {
        function_url: settings.url(&entry.id.name),
        function_arn: settings.arn(&entry.id.name, None),
        auth_type: url.auth_type.clone(),
        cors: url.cors.clone(),
        creation_time: created_at(url.created),
        last_modified_time: created_at(url.modified),
        invoke_mode: if url.streaming { "RESPONSE_STREAM" } else { "BUFFERED" },
    }
}
