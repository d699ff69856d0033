//! Names and ARNs of topics and subscriptions.

use super::fault::{Code, Fault};

/// How the names of FIFO topics end.
pub const FIFO: &str = ".fifo";
const LONGEST: usize = 256;

/// The ARN of a topic.
pub fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:sns:{region}:{account}:{name}")
}

/// The topic of a subscription's ARN.
pub fn topic_of(subscription: &str) -> &str {
    subscription.rsplit_once(':').map_or("", |(topic, _)| topic)
}

pub fn check(name: &str) -> Result<(), Fault> {
    if name.ends_with(FIFO) {
        return Err(Fault::new(
            Code::NotImplemented,
            "mlemu does not have FIFO topics yet: use a FIFO queue",
        ));
    }
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if letters && (1..=LONGEST).contains(&name.len()) {
        return Ok(());
    }
    Err(Fault::parameter("Topic Name"))
}
