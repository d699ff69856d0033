//! Names and ARNs of topics and subscriptions.

use super::fault::Fault;

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

/// A topic that keeps an order says so in its name, and no other does.
pub fn check(name: &str, fifo: bool) -> Result<(), Fault> {
    let bare = if fifo { name.strip_suffix(FIFO).unwrap_or_default() } else { name };
    let letters = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if letters && !bare.is_empty() && name.len() <= LONGEST {
        return Ok(());
    }
    Err(Fault::parameter(if fifo {
        "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
    } else {
        "Topic Name"
    }))
}
