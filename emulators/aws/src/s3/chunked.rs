//! The `aws-chunked` framing of request bodies, in all its forms: signed or not, with trailers or not.
//!
//! Follows "Transferring payload in multiple chunks" of the Amazon S3 API reference. The decoder does no
//! I/O: bytes go in, slices of the same bytes come out.

use super::fault::{Code, Fault};
use crate::auth::Verified;
use bytes::{Buf, Bytes};
use futures_util::stream::Stream;
use sha2::{Digest, Sha256};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Longest line of framing, and all trailers together.
const LINE: usize = 1024;
const TRAILERS: usize = 16 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In the line before a chunk.
    Size,
    Data {
        left: u64,
    },
    /// Before the line end that closes a chunk.
    DataEnd,
    Trailers,
    /// After the empty line that ends it all.
    End,
}

/// Checks the signatures of chunks.
struct Signer {
    verified: Verified,
    sha256: Sha256,
    /// What the open chunk says of itself.
    claimed: String,
    good: bool,
}

pub(super) struct Decoder {
    place: Place,
    line: Vec<u8>,
    trailer_bytes: usize,
    total: u64,
    /// `x-amz-decoded-content-length`
    expected: u64,
    trailers: Vec<(String, String)>,
    signer: Option<Signer>,
}

impl Decoder {
    /// With `verified`, the signature of each chunk must be good.
    pub fn new(expected: u64, verified: Option<Verified>) -> Self {
        let signer = verified.map(|verified| Signer {
            verified,
            sha256: Sha256::new(),
            claimed: String::new(),
            good: true,
        });
        Self {
            place: Place::Size,
            line: Vec::new(),
            trailer_bytes: 0,
            total: 0,
            expected,
            trailers: Vec::new(),
            signer,
        }
    }

    /// Takes from `input` until it has a slice of the payload or needs more input.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Fault> {
        while !input.is_empty() {
            if let Place::Data { left } = self.place {
                return self.data(input, left).map(Some);
            }
            let Some(line) = self.take_line(input)? else { return Ok(None) };
            self.line(&line)?;
        }
        Ok(None)
    }

    fn data(&mut self, input: &mut Bytes, left: u64) -> Result<Bytes, Fault> {
        let slice = input.split_to(left.min(input.len() as u64) as usize);
        let left = left - slice.len() as u64;
        self.total += slice.len() as u64;
        if self.total > self.expected {
            return Err(Code::IncompleteBody.into());
        }
        if let Some(signer) = &mut self.signer {
            signer.sha256.update(&slice);
        }
        self.place = if left == 0 { Place::DataEnd } else { Place::Data { left } };
        Ok(slice)
    }

    /// A whole line without its end, or nothing when more input is needed.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<String>, Fault> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(input.len());
        if self.line.len() + taken > LINE {
            return Err(Code::IncompleteBody.into());
        }
        self.line.extend_from_slice(&input[..taken]);
        input.advance(end.map_or(taken, |at| at + 1));
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        match line.last() {
            Some(b'\r') => drop(line.pop()),
            // Some clients end a trailer so.
            _ if matches!(self.place, Place::Trailers | Place::End) => {}
            _ => return Err(Code::IncompleteBody.into()),
        }
        String::from_utf8(line).map(Some).map_err(|_| Code::IncompleteBody.into())
    }

    fn line(&mut self, line: &str) -> Result<(), Fault> {
        match self.place {
            Place::Size => self.size(line),
            Place::DataEnd if line.is_empty() => {
                self.place = Place::Size;
                self.close_chunk();
                Ok(())
            }
            Place::Trailers if line.is_empty() => {
                self.place = Place::End;
                Ok(())
            }
            Place::Trailers => self.trailer(line),
            // Some clients close the trailer's signature with an empty line of its own.
            Place::End if line.is_empty() => Ok(()),
            Place::End if line.starts_with("x-amz-trailer-signature:") => self.trailer(line),
            Place::DataEnd | Place::End | Place::Data { .. } => Err(Code::IncompleteBody.into()),
        }
    }

    fn size(&mut self, line: &str) -> Result<(), Fault> {
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let is_hex = (1..=16).contains(&size.len()) && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16).ok().filter(|_| is_hex).ok_or(Code::IncompleteBody)?;
        if let Some(signer) = &mut self.signer {
            extension.strip_prefix("chunk-signature=").unwrap_or_default().clone_into(&mut signer.claimed);
        }
        if size == 0 {
            self.close_chunk();
            self.place = Place::Trailers;
        } else {
            self.place = Place::Data { left: size };
        }
        Ok(())
    }

    fn close_chunk(&mut self) {
        if let Some(signer) = &mut self.signer {
            let sha256 = signer.sha256.finalize_reset();
            let claimed = std::mem::take(&mut signer.claimed);
            signer.good &= signer.verified.next_chunk("PAYLOAD", &sha256, &claimed);
        }
    }

    fn trailer(&mut self, line: &str) -> Result<(), Fault> {
        self.trailer_bytes += line.len();
        let (name, value) = line.split_once(':').ok_or(Code::MalformedTrailerError)?;
        if self.trailer_bytes > TRAILERS {
            return Err(Code::MalformedTrailerError.into());
        }
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if name == "x-amz-trailer-signature" {
            self.close_trailers(&value);
        } else {
            self.trailers.push((name, value));
        }
        Ok(())
    }

    fn close_trailers(&mut self, signature: &str) {
        let Some(signer) = &mut self.signer else { return };
        let mut sha256 = Sha256::new();
        for (name, value) in &self.trailers {
            sha256.update(format!("{name}:{value}\n"));
        }
        signer.good &= signer.verified.next_chunk("TRAILER", &sha256.finalize(), signature);
    }

    /// The trailers, once all input was given. Fails where something is missing or did not match.
    pub fn finish(&self) -> Result<&[(String, String)], Fault> {
        if self.place != Place::End || self.total != self.expected || !self.line.is_empty() {
            return Err(Code::IncompleteBody.into());
        }
        if self.signer.as_ref().is_some_and(|signer| !signer.good) {
            return Err(Code::SignatureDoesNotMatch.into());
        }
        Ok(&self.trailers)
    }
}

/// The payload of a framed stream.
pub(super) struct Unframed<S> {
    pub decoder: Decoder,
    inner: S,
    input: Bytes,
}

impl<S> Unframed<S> {
    pub fn new(decoder: Decoder, inner: S) -> Self {
        Self { decoder, inner, input: Bytes::new() }
    }
}

impl<S: Stream<Item = Result<Bytes, Fault>> + Unpin> Stream for Unframed<S> {
    type Item = Result<Bytes, Fault>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(slice) = this.decoder.next(&mut this.input).transpose() {
                return Poll::Ready(Some(slice));
            }
            match ready!(Pin::new(&mut this.inner).poll_next(context)) {
                Some(Ok(input)) => this.input = input,
                other => return Poll::Ready(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{self, Keys, Signable};
    use http::HeaderMap;

    /// The payload and the trailers.
    type Decoded = (Vec<u8>, Vec<(String, String)>);

    /// Feeds `text` in pieces of `step` bytes.
    fn decode(text: &str, expected: u64, step: usize) -> Result<Decoded, Fault> {
        let mut decoder = Decoder::new(expected, None);
        let mut payload = Vec::new();
        for piece in text.as_bytes().chunks(step) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(slice) = decoder.next(&mut input)? {
                payload.extend_from_slice(&slice);
            }
        }
        let trailers = decoder.finish()?.to_vec();
        Ok((payload, trailers))
    }

    #[test]
    fn all_forms_in_pieces_of_any_size() {
        let signature = "a".repeat(64);
        let forms = [
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n".to_owned(),
            format!("B;chunk-signature={signature}\r\nhello world\r\n0;chunk-signature={signature}\r\n\r\n"),
            "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n".to_owned(),
            format!(
                "b;chunk-signature={signature}\r\nhello world\r\n0;chunk-signature={signature}\r\n\
                 x-amz-checksum-crc32:DUoRhQ==\n\r\nx-amz-trailer-signature:{signature}\r\n\r\n"
            ),
        ];
        for form in forms {
            for step in [1, 2, 3, 7, 1000] {
                let (payload, trailers) = decode(&form, 11, step).unwrap();
                assert_eq!(payload, b"hello world", "{form:?} in {step}");
                assert_eq!(trailers.len(), usize::from(form.contains("crc32")));
            }
        }
        assert_eq!(decode("0\r\n\r\n", 0, 4).unwrap().0, b"");
        for bare in ["5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5;x\u{e}\nhello\r\n0\r\n\r\n"] {
            assert!(decode(bare, 5, 3).is_err(), "a line ends with both: {bare:?}");
        }
    }

    /// The example of the vendor's page, 65 KiB in two chunks.
    fn example(signature: &str) -> (Vec<u8>, HeaderMap) {
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let headers = [
            ("host", "s3.amazonaws.com".to_owned()),
            ("x-amz-date", "20130524T000000Z".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
            (
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                     SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
                     x-amz-decoded-content-length;x-amz-storage-class,Signature={seed}"
                ),
            ),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned()),
            ("content-encoding", "aws-chunked".to_owned()),
            ("x-amz-decoded-content-length", "66560".to_owned()),
            ("content-length", "66824".to_owned()),
        ];
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let first = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
        let last = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";
        let body = format!(
            "10000;chunk-signature={first}\r\n{}\r\n400;chunk-signature={signature}\r\n{}\r\n\
             0;chunk-signature={last}\r\n\r\n",
            "a".repeat(65_536),
            "a".repeat(1024)
        );
        (body.into_bytes(), headers)
    }

    #[test]
    fn signatures_of_chunks_are_a_chain() {
        let good = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
        for (signature, is_good) in [(good, true), (&good.replace('5', "6"), false), ("", false)] {
            let (body, headers) = example(signature);
            let request = Signable {
                method: "PUT",
                path: "/examplebucket/chunkObject.txt",
                query: &[],
                headers: &headers,
            };
            let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned();
            let keys = Keys::new([("AKIAIOSFODNN7EXAMPLE".to_owned(), secret)]);
            let now = auth::date("20130524T000000Z").unwrap();
            let verified = auth::verify(request, &keys, now, "").unwrap();
            let mut decoder = Decoder::new(66_560, verified);
            let mut input = Bytes::from(body);
            while decoder.next(&mut input).unwrap().is_some() {}
            assert_eq!(decoder.finish().is_ok(), is_good);
        }
    }

    #[test]
    fn hostile_framing_is_refused() {
        let cases = [
            ("5\r\nhello\r\n", 5, "no last chunk"),
            ("5\r\nhello\r\n0\r\n", 5, "no end"),
            ("5\r\nhel", 5, "cut short"),
            ("5\r\nhello\r\n0\r\n\r\n", 6, "claims more"),
            ("5\r\nhello\r\n0\r\n\r\n", 4, "claims less"),
            ("5\r\nhelloX\r\n0\r\n\r\n", 5, "longer than its size"),
            ("-5\r\nhello\r\n0\r\n\r\n", 5, "a negative size"),
            ("+5\r\nhello\r\n0\r\n\r\n", 5, "a signed size"),
            ("\r\n0\r\n\r\n", 0, "no size"),
            ("ffffffffffffffffff\r\n", 5, "a size past any number"),
            ("ffffffffffffffff\r\nhello", 5, "a size past the claim"),
            ("5\r\nhello\r\n0\r\n\r\nmore", 5, "something after the end"),
            ("5\r\nhello\r\n0\r\nno colon\r\n\r\n", 5, "a trailer that is none"),
        ];
        for (text, expected, what) in cases {
            for step in [1, 1000] {
                let code = decode(text, expected, step).expect_err(what).code;
                assert!(
                    matches!(code, Code::IncompleteBody | Code::MalformedTrailerError),
                    "{what}: {code:?}"
                );
            }
        }
        let endless = format!("5;{}", "x".repeat(5000));
        assert_eq!(decode(&endless, 5, 100).unwrap_err().code, Code::IncompleteBody);
        let trailers = format!("0\r\n{}\r\n", "a:b\r\n".repeat(10_000));
        assert_eq!(decode(&trailers, 0, 4096).unwrap_err().code, Code::MalformedTrailerError);
    }
}
