//! The real program, driven by the vendors' own clients: the AWS CLI, boto3, the AWS SDK for JavaScript, and
//! raw sockets where a client would be too polite.
//!
//! Each test has a daemon in a project of its own (`plan.rs`): inside of the test, as the harness starts it for anybody's
//! tests (`house.rs`), or the program itself where the test is about that (`program.rs`). Both are waited for, never
//! slept for. The scripts in `clients/` speak the SDKs' own language.

#![expect(clippy::disallowed_methods, reason = "tests start the real program and measure real time")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod aws_events;
mod azure_bindings;
mod azure_blob;
mod azure_events;
mod azure_fixtures;
mod azure_functions;
mod azure_handlers;
mod azure_host;
mod azure_keeping;
mod azure_models;
mod azure_queue;
mod azure_settings;
mod azure_workers;
mod cli;
mod clients;
mod crowds;
mod endings;
mod endpoints;
mod examples;
mod exec;
mod faults;
mod fit;
mod frontends;
mod gateway;
mod gcp_conformance;
mod gcp_deploy;
mod gcp_functions;
mod gcp_pubsub;
mod gcp_reload;
mod gcp_serving;
mod gcp_storage;
mod house;
mod http;
mod lambda_api;
mod lasting;
mod lives;
mod onnx;
mod openapi;
mod plan;
mod processes;
mod program;
mod promises;
mod recording;
mod reload;
mod repeats;
mod reports;
mod runtimes;
mod s3;
mod safety;
mod scopes;
mod settling;
mod sqs;
mod suite;
mod truth;
mod watch;
