//! The S3 API over the object core.
