//! Put, Get and DeleteFunctionConcurrency.

use super::super::decode::{self, Call};
use super::super::encode;
use super::super::fault::Fault;
use super::super::{Lambda, wire};
use super::account::{ACCOUNT_CONCURRENCY, reserved_by_others};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;

/// What an account keeps for functions without a reservation.
const LEAST_UNRESERVED: u32 = 100;

pub async fn put(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let request: wire::Concurrency = decode::document(body, "PutFunctionConcurrency").await?;
    let member = "reservedConcurrentExecutions";
    let wanted = request
        .reserved_concurrent_executions
        .ok_or_else(|| Fault::constraint("null", member, "Member must not be null"))?;
    let wanted = u32::try_from(wanted).map_err(|_| {
        let expected = "Member must have value greater than or equal to 0";
        Fault::constraint(&wanted.to_string(), member, expected)
    })?;
    let (id, _) = lambda.pick(&target)?;
    if reserved_by_others(lambda, &id).saturating_add(wanted) > ACCOUNT_CONCURRENCY - LEAST_UNRESERVED {
        return Err(Fault::parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
        )));
    }
    lambda.functions.reserve(&id, Some(wanted));
    encode::json(200, &wire::Concurrency { reserved_concurrent_executions: Some(wanted.into()) })
}

pub fn get(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let (id, _) = lambda.pick(&call.target(&lambda.settings)?)?;
    let reserved = lambda.functions.function(&id).and_then(|view| view.reserved);
    encode::json(200, &wire::Concurrency { reserved_concurrent_executions: reserved.map(i64::from) })
}

pub fn delete(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let (id, _) = lambda.pick(&call.target(&lambda.settings)?)?;
    lambda.functions.reserve(&id, None);
    Ok(encode::empty(StatusCode::NO_CONTENT))
}
