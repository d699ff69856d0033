//! Path to operation.

use http::Method;
use percent_encoding::percent_decode_str;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    InvokeEndpoint,
    InvokeEndpointAsync,
    InvokeEndpointWithResponseStream,
}

const TABLE: [(Operation, &str, &str); 3] = [
    (Operation::InvokeEndpoint, "InvokeEndpoint", "invocations"),
    (Operation::InvokeEndpointAsync, "InvokeEndpointAsync", "async-invocations"),
    (
        Operation::InvokeEndpointWithResponseStream,
        "InvokeEndpointWithResponseStream",
        "invocations-response-stream",
    ),
];

impl Operation {
    /// As the vendor spells it.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(operation, ..)| *operation == self).map_or("", |(_, name, _)| name)
    }
}

/// The operation, and the endpoint that it is asked of.
pub(super) fn find(method: &Method, path: &str) -> Option<(Operation, String)> {
    let (endpoint, what) = path.strip_prefix("/endpoints/")?.split_once('/')?;
    let (operation, ..) = TABLE.iter().find(|(_, _, path)| *path == what && method == Method::POST)?;
    let endpoint = percent_decode_str(endpoint).decode_utf8().ok()?.into_owned();
    (!endpoint.is_empty()).then_some((*operation, endpoint))
}

/// Every operation, all of them had.
pub fn coverage() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(_, name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_operations() {
        let of = |path: &str| find(&Method::POST, path);
        assert_eq!(of("/endpoints/a%20b/invocations"), Some((Operation::InvokeEndpoint, "a b".into())));
        assert_eq!(
            of("/endpoints/e/async-invocations").map(|found| found.0),
            Some(Operation::InvokeEndpointAsync)
        );
        for other in
            ["/endpoints/e", "/endpoints//invocations", "/endpoints/e/x/invocations", "/e/invocations", "/"]
        {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(find(&Method::GET, "/endpoints/e/invocations"), None);
    }
}
