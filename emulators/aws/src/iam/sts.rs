//! Who am I, and credentials that open nothing.

use super::xml::{element, text};
use super::{Answer, Call, Fault};

pub const ACTIONS: [&str; 3] = ["GetCallerIdentity", "GetSessionToken", "AssumeRole"];

/// Of made-up credentials: the prefix says temporary, the rest that they are nobody's.
const ACCESS_KEY: &str = "ASIAMLEMU00000000000";
const SECRET_KEY: &str = "mlemu/mlemu/mlemu/mlemu/mlemu/mlemu/mlem";
const SESSION_TOKEN: &str = "mlemu-session";

/// `None`: not an action of STS.
pub fn run(action: &str, call: &Call<'_>) -> Option<Answer> {
    Some(match action {
        "GetCallerIdentity" => Ok(identity(call)),
        "GetSessionToken" => Ok(element("Credentials", &credentials(call))),
        "AssumeRole" => assume(call),
        _ => return None,
    })
}

fn identity(call: &Call<'_>) -> String {
    let account = &call.settings.account;
    text("Arn", &format!("arn:aws:iam::{account}:root"))
        + &text("UserId", account)
        + &text("Account", account)
}

fn assume(call: &Call<'_>) -> Answer {
    let role = call.want("RoleArn")?;
    let session = call.want_name("RoleSessionName")?;
    let wrong = || Fault::new(400, "ValidationError", format!("{role} is invalid"));
    let (head, path) = role.split_once(":role/").ok_or_else(wrong)?;
    let account = head.strip_prefix("arn:aws:iam::").ok_or_else(wrong)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let user = text("AssumedRoleId", &format!("AROAMLEMU00000000000:{session}")) + &text("Arn", &arn);
    Ok(element("AssumedRoleUser", &user) + &element("Credentials", &credentials(call)))
}

fn credentials(call: &Call<'_>) -> String {
    text("AccessKeyId", ACCESS_KEY)
        + &text("SecretAccessKey", SECRET_KEY)
        + &text("SessionToken", SESSION_TOKEN)
        + &text("Expiration", &call.later)
}
