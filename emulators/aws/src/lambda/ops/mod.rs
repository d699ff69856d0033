//! What each operation does.

mod account;
mod aliases;
mod canned;
mod code;
mod concurrency;
mod create;
mod delete;
mod invoke;
mod mappings;
mod policy;
mod queued;
mod read;
mod stream;
mod tags;
mod update;
mod url;
mod versions;

use super::Lambda;
use super::decode::Call;
use super::fault::Fault;
use super::routes::Operation;
use super::target::Target;
use super::wire;
use axum::body::Body;
use axum::response::Response;

/// Sets what becomes of queued calls, for a project.
pub(super) fn set_queued(
    lambda: &Lambda,
    target: &Target,
    given: wire::SetQueuedConfig,
) -> Result<(), Fault> {
    queued::set(lambda, target, given, queued::Before::Forgotten).map(drop)
}

/// Lets an alias stand for the newest version, for a project.
pub(super) fn set_alias(lambda: &Lambda, target: &Target, name: &str) -> Result<(), Fault> {
    aliases::lead_to_latest(lambda, target, name)
}

/// Runs one operation.
pub(super) async fn run(
    lambda: &Lambda,
    operation: Operation,
    call: &Call<'_>,
    body: Body,
) -> Result<Response, Fault> {
    use Operation as Op;
    match operation {
        Op::Invoke => invoke::run(lambda, call, body).await,
        Op::InvokeAsync => invoke::run_async(lambda, call, body).await,
        Op::InvokeWithResponseStream => stream::run(lambda, call, body).await,
        Op::CreateFunction => create::run(lambda, body).await,
        Op::GetFunction => read::function(lambda, call).await,
        Op::GetFunctionConfiguration => read::configuration(lambda, call).await,
        Op::ListFunctions => read::list(lambda, call).await,
        Op::UpdateFunctionCode => update::code(lambda, call, body).await,
        Op::UpdateFunctionConfiguration => update::configuration(lambda, call, body).await,
        Op::DeleteFunction => delete::run(lambda, call),
        Op::PublishVersion => versions::publish(lambda, call, body).await,
        Op::ListVersionsByFunction => versions::list(lambda, call).await,
        Op::GetAccountSettings => account::settings(lambda).await,
        Op::PutFunctionConcurrency => concurrency::put(lambda, call, body).await,
        Op::GetFunctionConcurrency => concurrency::get(lambda, call),
        Op::DeleteFunctionConcurrency => concurrency::delete(lambda, call),
        Op::CreateFunctionUrlConfig => url::create(lambda, call, body).await,
        Op::GetFunctionUrlConfig => url::get(lambda, call),
        Op::UpdateFunctionUrlConfig => url::update(lambda, call, body).await,
        Op::DeleteFunctionUrlConfig => url::delete(lambda, call),
        Op::ListFunctionUrlConfigs => url::list(lambda, call),
        Op::TagResource => tags::add(lambda, call, body).await,
        Op::UntagResource => tags::remove(lambda, call),
        Op::ListTags => tags::list(lambda, call),
        Op::AddPermission => policy::add(lambda, call, body).await,
        Op::GetPolicy => policy::get(lambda, call),
        Op::RemovePermission => policy::remove(lambda, call),
        Op::CreateEventSourceMapping => mappings::create(lambda, body).await,
        Op::GetEventSourceMapping => mappings::get(lambda, call),
        Op::ListEventSourceMappings => mappings::list(lambda, call),
        Op::UpdateEventSourceMapping => mappings::update(lambda, call, body).await,
        Op::DeleteEventSourceMapping => mappings::delete(lambda, call),
        Op::PutFunctionEventInvokeConfig => queued::put(lambda, call, body).await,
        Op::UpdateFunctionEventInvokeConfig => queued::update(lambda, call, body).await,
        Op::GetFunctionEventInvokeConfig => queued::get(lambda, call),
        Op::ListFunctionEventInvokeConfigs => queued::list(lambda, call),
        Op::DeleteFunctionEventInvokeConfig => queued::delete(lambda, call),
        Op::CreateAlias => aliases::create(lambda, call, body).await,
        Op::UpdateAlias => aliases::update(lambda, call, body).await,
        Op::GetAlias => aliases::get(lambda, call),
        Op::ListAliases => aliases::list(lambda, call),
        Op::DeleteAlias => aliases::delete(lambda, call),
        Op::GetFunctionCodeSigningConfig => canned::code_signing(lambda, call),
        Op::GetRuntimeManagementConfig => canned::runtime_management(lambda, call),
        Op::GetFunctionRecursionConfig => canned::recursion(lambda, call),
        other => Err(lambda.not_implemented(other)),
    }
}
