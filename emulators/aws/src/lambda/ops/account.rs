//! GetAccountSettings.

use super::super::fault::Fault;
use super::super::target::Target;
use super::super::{Lambda, encode, wire};
use super::code;
use crate::profile::{UNZIPPED_PACKAGE, ZIPPED_PACKAGE};
use axum::response::Response;
use mlemu_core::FunctionId;

/// Invocations of one account at once: the vendor's default quota.
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
/// Code of one account together, in bytes: the vendor's default quota.
const TOTAL_CODE: u64 = 75 * 1024 * 1024 * 1024;

pub async fn settings(lambda: &Lambda) -> Result<Response, Fault> {
    let ids: Vec<FunctionId> = lambda.catalog().iter().map(|entry| entry.id.clone()).collect();
    let (mut bytes, mut reserved, mut count) = (0, 0, 0);
    for id in ids {
        let target = Target { name: id.name.to_string(), qualifier: None };
        let Ok(described) = lambda.described(&target) else { continue };
        bytes += code::size(lambda, &described.revision).await;
        reserved += lambda.functions.function(&id).and_then(|view| view.reserved).unwrap_or(0);
        count += 1;
    }
    let limit = wire::AccountLimit {
        total_code_size: TOTAL_CODE,
        code_size_unzipped: UNZIPPED_PACKAGE,
        code_size_zipped: ZIPPED_PACKAGE,
        concurrent_executions: ACCOUNT_CONCURRENCY,
        unreserved_concurrent_executions: ACCOUNT_CONCURRENCY.saturating_sub(reserved),
    };
    let usage = wire::AccountUsage { total_code_size: bytes, function_count: count };
    encode::json(200, &wire::AccountSettings { account_limit: limit, account_usage: usage })
}

/// Sum of the reservations of all functions but one.
pub fn reserved_by_others(lambda: &Lambda, but: &FunctionId) -> u32 {
    let ids: Vec<FunctionId> = lambda.catalog().iter().map(|entry| entry.id.clone()).collect();
    let others = ids.iter().filter(|id| *id != but);
    others.filter_map(|id| lambda.functions.function(id)?.reserved).sum()
}
