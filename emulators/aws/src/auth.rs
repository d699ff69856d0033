//! Credentials and signatures of requests.
