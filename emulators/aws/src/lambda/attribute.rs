//! What travels beside an event: the runtime protocol's own header names, as attributes of an invocation.
//!
//! Lambda Developer Guide, "Lambda runtime API", next invocation.

/// JSON in one line of ASCII, as the caller gave it in base64.
pub const CLIENT_CONTEXT: &str = "Lambda-Runtime-Client-Context";
/// There only when the caller traces: runtimes set their own trace variable by it.
pub const TRACE_ID: &str = "Lambda-Runtime-Trace-Id";
