//! Which operation a method and a path ask for: all operations of the vendor's model, had or not.
//!
//! The table follows the service model 2015-03-31 (Lambda API reference, "Actions").

use http::Method;
use percent_encoding::percent_decode_str;

/// Declares the operations, their names and their routes in one place.
macro_rules! operations {
    ($($name:ident $method:ident $path:literal,)+) => {
        /// Everything that the Lambda API has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($name,)+ }

        impl Operation {
            /// All of them, in the order in which routes are tried.
            pub const ALL: &[Operation] = &[$(Operation::$name,)+];

            /// As the vendor spells it.
            pub fn name(self) -> &'static str {
                match self { $(Operation::$name => stringify!($name),)+ }
            }
        }

        const ROUTES: &[Route] = &[
            $(Route { operation: Operation::$name, method: Method::$method, path: $path },)+
        ];
    };
}

// `{}` stands for one percent-encoded part; what follows `?` must be in the query string.
operations! {
    Invoke POST "/2015-03-31/functions/{}/invocations",
    GetLayerVersionByArn GET "/2018-10-31/layers?find=LayerVersion",
    ListProvisionedConcurrencyConfigs GET "/2019-09-30/functions/{}/provisioned-concurrency?List=ALL",
    AddLayerVersionPermission POST "/2018-10-31/layers/{}/versions/{}/policy",
    AddPermission POST "/2015-03-31/functions/{}/policy",
    CheckpointDurableExecution POST "/2025-12-01/durable-executions/{}/checkpoint",
    CreateAlias POST "/2015-03-31/functions/{}/aliases",
    CreateCapacityProvider POST "/2025-11-30/capacity-providers",
    CreateCodeSigningConfig POST "/2020-04-22/code-signing-configs",
    CreateEventSourceMapping POST "/2015-03-31/event-source-mappings",
    CreateFunction POST "/2015-03-31/functions",
    CreateFunctionUrlConfig POST "/2021-10-31/functions/{}/url",
    DeleteAlias DELETE "/2015-03-31/functions/{}/aliases/{}",
    DeleteCapacityProvider DELETE "/2025-11-30/capacity-providers/{}",
    DeleteCodeSigningConfig DELETE "/2020-04-22/code-signing-configs/{}",
    DeleteDurableExecution DELETE "/2025-12-01/durable-executions/{}",
    DeleteEventSourceMapping DELETE "/2015-03-31/event-source-mappings/{}",
    DeleteFunction DELETE "/2015-03-31/functions/{}",
    DeleteFunctionCodeSigningConfig DELETE "/2020-06-30/functions/{}/code-signing-config",
    DeleteFunctionConcurrency DELETE "/2017-10-31/functions/{}/concurrency",
    DeleteFunctionEventInvokeConfig DELETE "/2019-09-25/functions/{}/event-invoke-config",
    DeleteFunctionUrlConfig DELETE "/2021-10-31/functions/{}/url",
    DeleteLayerVersion DELETE "/2018-10-31/layers/{}/versions/{}",
    DeleteProvisionedConcurrencyConfig DELETE "/2019-09-30/functions/{}/provisioned-concurrency",
    DeleteResourcePolicy DELETE "/2026-07-09/resource-policy/{}",
    GetAccountSettings GET "/2016-08-19/account-settings",
    GetAlias GET "/2015-03-31/functions/{}/aliases/{}",
    GetCapacityProvider GET "/2025-11-30/capacity-providers/{}",
    GetCodeSigningConfig GET "/2020-04-22/code-signing-configs/{}",
    GetDurableExecution GET "/2025-12-01/durable-executions/{}",
    GetDurableExecutionHistory GET "/2025-12-01/durable-executions/{}/history",
    GetDurableExecutionState GET "/2025-12-01/durable-executions/{}/state",
    GetEventSourceMapping GET "/2015-03-31/event-source-mappings/{}",
    GetFunction GET "/2015-03-31/functions/{}",
    GetFunctionCodeSigningConfig GET "/2020-06-30/functions/{}/code-signing-config",
    GetFunctionConcurrency GET "/2019-09-30/functions/{}/concurrency",
    GetFunctionConfiguration GET "/2015-03-31/functions/{}/configuration",
    GetFunctionEventInvokeConfig GET "/2019-09-25/functions/{}/event-invoke-config",
    GetFunctionRecursionConfig GET "/2024-08-31/functions/{}/recursion-config",
    GetFunctionScalingConfig GET "/2025-11-30/functions/{}/function-scaling-config",
    GetFunctionUrlConfig GET "/2021-10-31/functions/{}/url",
    GetLayerVersion GET "/2018-10-31/layers/{}/versions/{}",
    GetLayerVersionPolicy GET "/2018-10-31/layers/{}/versions/{}/policy",
    GetPolicy GET "/2015-03-31/functions/{}/policy",
    GetProvisionedConcurrencyConfig GET "/2019-09-30/functions/{}/provisioned-concurrency",
    GetResourcePolicy GET "/2026-07-09/resource-policy/{}",
    GetRuntimeManagementConfig GET "/2021-07-20/functions/{}/runtime-management-config",
    InvokeAsync POST "/2014-11-13/functions/{}/invoke-async",
    InvokeWithResponseStream POST "/2021-11-15/functions/{}/response-streaming-invocations",
    ListAliases GET "/2015-03-31/functions/{}/aliases",
    ListCapacityProviders GET "/2025-11-30/capacity-providers",
    ListCodeSigningConfigs GET "/2020-04-22/code-signing-configs",
    ListDurableExecutionsByFunction GET "/2025-12-01/functions/{}/durable-executions",
    ListEventSourceMappings GET "/2015-03-31/event-source-mappings",
    ListFunctionEventInvokeConfigs GET "/2019-09-25/functions/{}/event-invoke-config/list",
    ListFunctionUrlConfigs GET "/2021-10-31/functions/{}/urls",
    ListFunctionVersionsByCapacityProvider GET "/2025-11-30/capacity-providers/{}/function-versions",
    ListFunctions GET "/2015-03-31/functions",
    ListFunctionsByCodeSigningConfig GET "/2020-04-22/code-signing-configs/{}/functions",
    ListLayerVersions GET "/2018-10-31/layers/{}/versions",
    ListLayers GET "/2018-10-31/layers",
    ListTags GET "/2017-03-31/tags/{}",
    ListVersionsByFunction GET "/2015-03-31/functions/{}/versions",
    PauseDurableExecution POST "/2025-12-01/durable-executions/{}/pause",
    PublishLayerVersion POST "/2018-10-31/layers/{}/versions",
    PublishVersion POST "/2015-03-31/functions/{}/versions",
    PutFunctionCodeSigningConfig PUT "/2020-06-30/functions/{}/code-signing-config",
    PutFunctionConcurrency PUT "/2017-10-31/functions/{}/concurrency",
    PutFunctionEventInvokeConfig PUT "/2019-09-25/functions/{}/event-invoke-config",
    PutFunctionRecursionConfig PUT "/2024-08-31/functions/{}/recursion-config",
    PutFunctionScalingConfig PUT "/2025-11-30/functions/{}/function-scaling-config",
    PutProvisionedConcurrencyConfig PUT "/2019-09-30/functions/{}/provisioned-concurrency",
    PutResourcePolicy PUT "/2026-07-09/resource-policy/{}",
    PutRuntimeManagementConfig PUT "/2021-07-20/functions/{}/runtime-management-config",
    RemoveLayerVersionPermission DELETE "/2018-10-31/layers/{}/versions/{}/policy/{}",
    RemovePermission DELETE "/2015-03-31/functions/{}/policy/{}",
    ResumeDurableExecution POST "/2025-12-01/durable-executions/{}/resume",
    SendDurableExecutionCallbackFailure POST "/2025-12-01/durable-execution-callbacks/{}/fail",
    SendDurableExecutionCallbackHeartbeat POST "/2025-12-01/durable-execution-callbacks/{}/heartbeat",
    SendDurableExecutionCallbackSuccess POST "/2025-12-01/durable-execution-callbacks/{}/succeed",
    StopDurableExecution POST "/2025-12-01/durable-executions/{}/stop",
    TagResource POST "/2017-03-31/tags/{}",
    UntagResource DELETE "/2017-03-31/tags/{}",
    UpdateAlias PUT "/2015-03-31/functions/{}/aliases/{}",
    UpdateCapacityProvider PUT "/2025-11-30/capacity-providers/{}",
    UpdateCodeSigningConfig PUT "/2020-04-22/code-signing-configs/{}",
    UpdateEventSourceMapping PUT "/2015-03-31/event-source-mappings/{}",
    UpdateFunctionCode PUT "/2015-03-31/functions/{}/code",
    UpdateFunctionConfiguration PUT "/2015-03-31/functions/{}/configuration",
    UpdateFunctionEventInvokeConfig POST "/2019-09-25/functions/{}/event-invoke-config",
    UpdateFunctionUrlConfig PUT "/2021-10-31/functions/{}/url",
}

struct Route {
    operation: Operation,
    method: Method,
    path: &'static str,
}

/// The operation that a request asks for, and the decoded parts of its path that vary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub operation: Operation,
    pub parts: Vec<String>,
}

/// `None`: the API has no such operation. `query` is the raw query string.
pub fn find(method: &Method, path: &str, query: &str) -> Option<Found> {
    ROUTES.iter().filter(|route| route.method == *method).find_map(|route| {
        let (template, wanted) = route.path.split_once('?').unwrap_or((route.path, ""));
        if !wanted.is_empty() && !query.split('&').any(|pair| pair == wanted) {
            return None;
        }
        let parts = fit(template, path)?;
        Some(Found { operation: route.operation, parts })
    })
}

/// Whether a path belongs to this API at all, whatever the method.
pub fn is_ours(path: &str) -> bool {
    ROUTES.iter().any(|route| {
        let template = route.path.split_once('?').map_or(route.path, |(path, _)| path);
        match template.find("{}") {
            Some(at) => path.starts_with(&template[..at]),
            None => path.strip_suffix('/').unwrap_or(path) == template,
        }
    })
}

/// The varying parts of `path`, if it has the template's form. One trailing slash is forgiven, as some
/// clients' models end their paths in it.
fn fit(template: &str, path: &str) -> Option<Vec<String>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = Vec::new();
    let mut have = path.split('/');
    for want in template.split('/') {
        let segment = have.next()?;
        if want == "{}" {
            if segment.is_empty() {
                return None;
            }
            parts.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
        } else if want != segment {
            return None;
        }
    }
    have.next().is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_reached_by_its_own_route() {
        assert_eq!(Operation::ALL.len(), 91);
        for route in ROUTES {
            let (path, query) = route.path.split_once('?').unwrap_or((route.path, ""));
            let found = find(&route.method, &path.replace("{}", "x"), query);
            assert_eq!(found.map(|found| found.operation), Some(route.operation), "{}", route.path);
        }
    }

    #[test]
    fn parts_are_decoded_and_slashes_forgiven() {
        let found = find(&Method::POST, "/2015-03-31/functions/a%3Ab%2Fc/invocations", "").unwrap();
        assert_eq!((found.operation, found.parts), (Operation::Invoke, vec!["a:b/c".to_owned()]));
        let old = find(&Method::POST, "/2014-11-13/functions/f/invoke-async/", "").unwrap();
        assert_eq!(old.operation, Operation::InvokeAsync);
        let list = find(&Method::GET, "/2015-03-31/functions/", "").unwrap();
        assert_eq!(list.operation, Operation::ListFunctions);
    }

    #[test]
    fn what_is_not_in_the_model_is_not_found() {
        assert_eq!(find(&Method::PATCH, "/2015-03-31/functions/f", ""), None);
        assert_eq!(find(&Method::GET, "/2015-03-31/functions//configuration", ""), None);
        assert_eq!(find(&Method::GET, "/2015-03-31/functions/%ff", ""), None);
        assert_eq!(find(&Method::GET, "/bucket/key", ""), None);
    }

    #[test]
    fn buckets_and_lambda_paths_do_not_mix() {
        assert!(is_ours("/2015-03-31/functions"));
        assert!(is_ours("/2015-03-31/functions/f/nonsense"));
        assert!(is_ours("/2017-03-31/tags/arn"));
        assert!(!is_ours("/photos/2015-03-31/functions"));
        assert!(!is_ours("/2015-03-31/photo.jpg"));
        assert!(!is_ours("/2015-03-31/functions.txt"));
        assert!(!is_ours("/"));
    }
}
