//! Reads of settings that cannot be changed here: the answer is the vendor's default.

use super::super::Lambda;
use super::super::decode::Call;
use super::super::encode;
use super::super::fault::Fault;
use axum::response::Response;
use serde_json::json;

pub fn code_signing(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let (id, _) = lambda.pick(&call.target(&lambda.settings)?)?;
    encode::json(200, &json!({ "CodeSigningConfigArn": "", "FunctionName": id.name }))
}

pub fn runtime_management(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    lambda.pick(&target)?;
    encode::json(200, &json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": target.arn(&lambda.settings) }))
}

pub fn recursion(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    lambda.pick(&call.target(&lambda.settings)?)?;
    encode::json(200, &json!({ "RecursiveLoop": "Terminate" }))
}
