//! Ack ids: the core's receipts as strings.

use mlemu_core::Epoch;
use mlemu_engine::queues::Receipt;

pub fn written(receipt: &Receipt) -> String {
    format!("mle-{:x}-{:x}-{:x}", receipt.epoch.0, receipt.sequence, receipt.token)
}

/// `None`: no id of ours.
pub fn read(id: &str) -> Option<Receipt> {
    let mut numbers = id.strip_prefix("mle-")?.split('-').map(|part| u64::from_str_radix(part, 16));
    let (epoch, sequence, token) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    numbers.next().is_none().then_some(Receipt { epoch: Epoch(epoch), sequence, token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_receipts_and_others_do_not() {
        let receipt = Receipt { epoch: Epoch(1), sequence: 300, token: u64::MAX };
        assert_eq!(read(&written(&receipt)), Some(receipt));
        for wrong in ["", "mle-", "mle-1-2", "mle-1-2-3-4", "mle-x-1-1", "ack", "mle-1-2-fffffffffffffffff"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
