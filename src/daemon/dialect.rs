//! Which version of HTTP a connection speaks, by its first bytes.

use super::stream::Stream;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// How every connection of HTTP/2 begins; no method of HTTP/1 is called so.
const PREFACE: &[u8] = b"PRI";
const STREAMS: u32 = 256;
const HEADER_BYTES: u32 = 64 * 1024;
const WINDOW: u32 = 1024 * 1024;
/// A client that says nothing is asked whether it is still there.
const ASK: Duration = Duration::from_secs(20);

/// Completes with the first bytes. `None`: there are none, or none within the patience.
pub async fn is_http2(stream: &Stream, patience: Duration) -> Option<bool> {
    let mut first = [0; PREFACE.len()];
    let peeked = tokio::time::timeout(patience, stream.peek(&mut first)).await;
    let length = peeked.ok()?.ok().filter(|length| *length > 0)?;
    Some(first[..length] == *PREFACE)
}

/// HTTP/2 without TLS, as a client with prior knowledge speaks it.
pub fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(ASK);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn the_first_bytes_tell() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        for (sent, expected) in [("PRI * HTTP/2.0\r\n", true), ("PUT / HTTP/1.1\r\n", false), ("P", false)] {
            let mut client = TcpStream::connect(address).await.expect("connected");
            client.write_all(sent.as_bytes()).await.expect("sent");
            let (stream, _) = listener.accept().await.expect("accepted");
            assert_eq!(is_http2(&Stream::new(stream), ASK).await, Some(expected), "{sent}");
        }
        let client = TcpStream::connect(address).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        let stream = Stream::new(stream);
        assert_eq!(is_http2(&stream, Duration::from_millis(1)).await, None, "silence");
        drop(client);
        assert_eq!(is_http2(&stream, ASK).await, None, "gone");
    }
}
