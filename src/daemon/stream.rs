//! The stream of one connection, which can also say when its client has hung up.
//!
//! A client that has said all may close its half and still wait for the answer, so an end of the stream ends
//! nothing by itself. Only who waits for long on behalf of a client wants to know.

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;
use mlemu_core::HangUp;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// The longest that a client may take nothing of what it is sent.
const STALL: Duration = Duration::from_secs(30);

pub struct Stream {
    progress: Progress,
    /// Runs while its client takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
}

/// A stream, and whether the last that went over it was the client's: then it awaits an answer.
#[derive(Clone)]
pub struct Progress {
    stream: Arc<TcpStream>,
    awaits: Arc<AtomicBool>,
    ambiguous: Ambiguous,
}

/// Whether the head of the request says in two ways where its body ends. The server of HTTP takes the one that
/// RFC 9112 prefers and hides the other; who sends both is mistaken, or tries something.
#[derive(Clone, Default)]
pub struct Ambiguous(Arc<AtomicBool>);

impl Ambiguous {
    /// Asked once for each request.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    /// Looks at what came first of a request; nearly always that is its whole head.
    fn look(&self, first: &[u8]) {
        let named = |line: &[u8], name: &str| {
            line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        let head = || first.split(|byte| *byte == b'\n').take_while(|line| !matches!(*line, [] | [b'\r']));
        if head().any(|line| named(line, "transfer-encoding:"))
            && head().any(|line| named(line, "content-length:"))
        {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Progress {
    /// Answers a client whose request was given up before it was whole; who sent nothing hears nothing.
    pub async fn last_words(&self, answer: Response<Body>) {
        if !self.awaits.load(Ordering::Relaxed) {
            return;
        }
        let (head, body) = answer.into_parts();
        let Ok(body) = body.collect().await else { return };
        let body = body.to_bytes();
        let mut bytes = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
        for (name, value) in &head.headers {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).bytes());
        bytes.extend_from_slice(&body);
        // A few hundred bytes into an empty buffer: what does not fit is not waited for.
        let _ = self.stream.try_write(&bytes);
    }
}

/// Ends a connection so that its client sees it reset.
#[derive(Clone)]
pub struct Cut(Arc<TcpStream>);

impl Cut {
    /// From the next close on: whatever is not sent is lost.
    pub fn sever(&self) {
        // A connection that is gone needs no cut.
        let _ = rustix::net::sockopt::set_socket_linger(&*self.0, Some(Duration::ZERO));
    }
}

impl Stream {
    pub fn new(stream: TcpStream) -> Self {
        // Without it small answers wait 40 ms for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let progress =
            Progress { stream: Arc::new(stream), awaits: Arc::default(), ambiguous: Ambiguous::default() };
        Self { progress, stall: None }
    }

    /// The first bytes that have come, which stay to be read. Waits for one.
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.progress.stream.peek(into).await
    }

    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    pub fn hang_up(&self) -> HangUp {
        let stream = self.progress.stream.clone();
        HangUp::new(move || {
            let stream = stream.clone();
            Box::pin(async move {
                // The next request may be there already: then nobody can tell.
                if matches!(stream.peek(&mut [0]).await, Ok(1..)) {
                    std::future::pending::<()>().await;
                }
            })
        })
    }

    pub fn ambiguous(&self) -> Ambiguous {
        self.progress.ambiguous.clone()
    }

    /// Can end the connection without a word.
    pub fn cut(&self) -> Cut {
        Cut(self.progress.stream.clone())
    }

    fn write(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.progress.stream.poll_write_ready(context)?.is_ready() {
            match write(&self.progress.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => {
                    self.stall = None;
                    self.progress.awaits.store(false, Ordering::Relaxed);
                    return Poll::Ready(written);
                }
            }
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL)));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.progress.stream.poll_read_ready(context))?;
            match self.progress.stream.try_read_buf(into) {
                Ok(read) => {
                    if !self.progress.awaits.swap(true, Ordering::Relaxed) {
                        let filled = into.filled();
                        self.progress.ambiguous.look(&filled[filled.len() - read..]);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().write(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(
            rustix::net::shutdown(&*self.progress.stream, rustix::net::Shutdown::Write).map_err(Into::into),
        )
    }
}
