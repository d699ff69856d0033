//! The query protocol of SQS, SNS, IAM and STS.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlemu_fuzz::{form_of, run};

fuzz_target!(|input: &[u8]| {
    // Waiting for messages is no finding.
    if input.windows(8).any(|part| part.eq_ignore_ascii_case(b"waittime")) {
        return;
    }
    let [service, form @ ..] = input else { return };
    let service = ["sqs", "sns", "iam", "sts"][usize::from(service & 3)];
    run(async |world| {
        let answer = world.ask(form_of(service, form)).await;
        assert!(answer.status.as_u16() != 500, "{answer:?}");
        assert!(!answer.body.is_empty(), "{answer:?}");
    });
});
