//! The variables of functions that a template makes out of other resources, as another world needs them.
//!
//! When a template is read, the account and the address are those of the world that is there from the start, at the
//! port that its listener should get. Another world has an account of its own, and a listener any port.

use mlemu_core::Environment;

/// What is written for what. Nothing of it changes what a person means by any other text.
#[derive(Clone, Debug, Default)]
pub struct Relocated {
    account: Option<(String, String)>,
    address: Option<(String, String)>,
}

impl Relocated {
    /// Accounts, and addresses such as `http://127.0.0.1:4566`: as a template takes them, and as they are.
    pub fn new(account: (&str, &str), address: (&str, &str)) -> Self {
        let other = |(from, to): (&str, &str)| (from != to).then(|| (from.to_owned(), to.to_owned()));
        Self { account: other(account), address: other(address) }
    }

    pub fn of(&self, env: &Environment) -> Environment {
        env.iter().map(|(name, value)| (name.clone(), self.text(value))).collect()
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((from, to)) = &self.address {
            text = text.replace(&format!("{from}/"), &format!("{to}/"));
        }
        if let Some((from, to)) = &self.account {
            if text == *from {
                return to.clone();
            }
            // In names of resources, and in addresses of queues.
            text = text.replace(&format!(":{from}:"), &format!(":{to}:"));
            text = text.replace(&format!("/{from}/"), &format!("/{to}/"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_account_or_the_address_names_those_of_this_world() {
        let relocated = Relocated::new(
            ("000000000000", "912345678901"),
            ("http://127.0.0.1:4566", "http://127.0.0.1:41000"),
        );
        for (said, meant) in [
            ("arn:aws:sns:us-east-1:000000000000:news", "arn:aws:sns:us-east-1:912345678901:news"),
            ("http://127.0.0.1:4566/000000000000/jobs", "http://127.0.0.1:41000/912345678901/jobs"),
            ("000000000000", "912345678901"),
            ("id-000000000000-7", "id-000000000000-7"),
            ("http://127.0.0.1:45661/x", "http://127.0.0.1:45661/x"),
        ] {
            assert_eq!(relocated.text(said), meant);
            assert_eq!(Relocated::new(("1", "1"), ("a", "a")).text(said), said);
        }
    }
}
