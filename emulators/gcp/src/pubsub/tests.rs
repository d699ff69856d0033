//! Pub/Sub by its operations, without a connection.
