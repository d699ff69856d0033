//! Frames of `application/vnd.amazon.eventstream`.
//!
//! A frame: total length, length of the headers, CRC-32 of these two (all big-endian 32 bits), the headers,
//! the payload, CRC-32 of everything before. Smithy specification, "Amazon Event Stream".

use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};

pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// Lengths and their checksum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// Type of a header's value: a string with a 16-bit length.
const STRING: u8 = 7;

/// One event of this type.
pub fn event(kind: &str, content_type: &str, payload: &[u8]) -> Bytes {
    frame([(":message-type", "event"), (":event-type", kind), (":content-type", content_type)], payload)
}

/// An error of this type, which ends the stream.
pub fn exception(kind: &str, document: &[u8]) -> Bytes {
    let json = (":content-type", "application/json");
    frame([(":message-type", "exception"), (":exception-type", kind), json], document)
}

fn frame(headers: [(&str, &str); 3], payload: &[u8]) -> Bytes {
    let headers_length: usize = headers.iter().map(|(name, value)| 4 + name.len() + value.len()).sum();
    let total = PRELUDE + headers_length + payload.len() + CHECKSUM;
    let mut frame = BytesMut::with_capacity(total);
    frame.put_u32(total as u32);
    frame.put_u32(headers_length as u32);
    frame.put_u32(crc32(&frame));
    for (name, value) in headers {
        frame.put_u8(name.len() as u8);
        frame.put_slice(name.as_bytes());
        frame.put_u8(STRING);
        frame.put_u16(value.len() as u16);
        frame.put_slice(value.as_bytes());
    }
    frame.put_slice(payload);
    frame.put_u32(crc32(&frame));
    frame.freeze()
}

fn crc32(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_frame_is_laid_out_as_specified() {
        let frame = event("PayloadChunk", "application/octet-stream", b"abc");
        let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        assert_eq!(word(0) as usize, frame.len());
        assert_eq!(word(8), crc32(&frame[..8]));
        assert_eq!(word(frame.len() - 4), crc32(&frame[..frame.len() - 4]));
        let headers = word(4) as usize;
        assert_eq!(&frame[PRELUDE + headers..frame.len() - 4], b"abc");
        assert_eq!(&frame[PRELUDE..PRELUDE + 22], b"\x0d:message-type\x07\x00\x05event");
    }
}
