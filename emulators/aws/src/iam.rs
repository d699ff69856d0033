//! STS and the few IAM calls that tools make before CreateFunction.
