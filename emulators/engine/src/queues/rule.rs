//! What a dialect decides about messages, in the form in which the core can keep it.

use super::message::{Attribute, Message};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which messages a subscription gets at all.
#[derive(Clone)]
pub struct Filter(Arc<dyn Fn(&Message) -> bool + Send + Sync>);

impl Filter {
    pub fn new(wants: impl Fn(&Message) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wants))
    }

    pub(super) fn wants(&self, message: &Message) -> bool {
        (self.0)(message)
    }
}

/// What is said of a message that was lent out too often, beside what its sender said: from the message and how
/// often it was lent out.
#[derive(Clone)]
pub struct Mark(Arc<Says>);

type Says = dyn Fn(&Message, u32) -> Vec<Attribute> + Send + Sync;

impl Mark {
    pub fn new(says: impl Fn(&Message, u32) -> Vec<Attribute> + Send + Sync + 'static) -> Self {
        Self(Arc::new(says))
    }

    pub(super) fn says(&self, message: &Message, count: u32) -> Vec<Attribute> {
        (self.0)(message, count)
    }
}

/// Two are equal when they are the same one.
macro_rules! identity {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0)
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

identity!(Filter);
identity!(Mark);

/// How long a message that came back stays hidden: twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackOff {
    pub first: Duration,
    pub longest: Duration,
}

impl BackOff {
    /// After it was lent out `count` times.
    pub fn after(&self, count: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(count.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_its_longest() {
        let back_off = BackOff { first: Duration::from_secs(10), longest: Duration::from_secs(60) };
        let waits: Vec<u64> = (0..6).map(|count| back_off.after(count).as_secs()).collect();
        assert_eq!(waits, [10, 10, 20, 40, 60, 60]);
        assert_eq!(back_off.after(u32::MAX).as_secs(), 60);
    }
}
