//! Receipt handles: a lease as clients carry it.

use super::fault::{Code, Fault};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use mlemu_core::Epoch;
use mlemu_engine::queues::Receipt;

pub fn handle(queue: &str, receipt: &Receipt) -> String {
    let Receipt { epoch, sequence, token } = receipt;
    BASE64.encode(format!("{}:{sequence}:{token}:{queue}", epoch.0))
}

/// The lease that a handle of this queue means.
pub fn read(queue: &str, handle: &str) -> Result<Receipt, Fault> {
    parse(queue, handle).ok_or_else(|| {
        let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        Fault::new(Code::ReceiptHandleIsInvalid, text)
    })
}

fn parse(queue: &str, handle: &str) -> Option<Receipt> {
    let text = String::from_utf8(BASE64.decode(handle).ok()?).ok()?;
    let mut parts = text.splitn(4, ':');
    let mut number = || parts.next()?.parse().ok();
    let receipt = Receipt { epoch: Epoch(number()?), sequence: number()?, token: number()? };
    (parts.next()? == queue).then_some(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_for_its_queue_alone() {
        let receipt = Receipt { epoch: Epoch(1), sequence: 22, token: 333 };
        let text = handle("q", &receipt);
        assert_eq!(read("q", &text), Ok(receipt));
        for wrong in ["", "x", "%%%", &text[1..], &handle("r", &receipt)] {
            assert_eq!(read("q", wrong).unwrap_err().code, Code::ReceiptHandleIsInvalid, "{wrong}");
        }
    }
}
