//! The stream of one connection, which can also say when its client has hung up.
//!
//! A client that has said all may close its half and still wait for the answer, so an end of the stream ends
//! nothing by itself. Only who waits for long on behalf of a client wants to know.

use mlemu_core::HangUp;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub struct Stream(Arc<TcpStream>);

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
        Self(Arc::new(stream))
    }

    pub fn hang_up(&self) -> HangUp {
        let stream = self.0.clone();
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

    /// Can end the connection without a word.
    pub fn cut(&self) -> Cut {
        Cut(self.0.clone())
    }

    fn write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match write() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(into.initialize_unfilled()) {
                Ok(read) => {
                    into.advance(read);
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
        self.write(context, || self.0.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, || self.0.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Write).map_err(Into::into))
    }
}
