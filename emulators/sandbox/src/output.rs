//! Carries what a function writes from its pipes to the instance's [`Output`].
//!
//! One task for each instance. It reads a bounded amount in each turn, so that a flood from one function
//! takes nothing from the others; what is not read yet stays in the pipe and holds the writer back.

use bytes::{Bytes, BytesMut};
use mlemu_core::Stream;
use mlemu_core::sandbox::Output;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};

/// Most that is read at once: what a pipe holds.
const CHUNK: usize = 64 * 1024;
/// Chunks in a row before others have their turn.
const TURN: usize = 4;

/// Asks the task to hand over what is in the pipes.
#[derive(Clone)]
pub struct Drain {
    requests: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Drain {
    /// Completes once everything written before was handed over.
    pub async fn finish(self) {
        let (done, finished) = oneshot::channel();
        if self.requests.send(done).is_ok() {
            // The task gone means that both pipes were read to their end.
            let _ = finished.await;
        }
    }
}

/// Starts to carry. The pipes must not block.
pub fn carry(stdout: OwnedFd, stderr: OwnedFd, output: Arc<dyn Output>) -> io::Result<Drain> {
    let (requests, asked) = mpsc::unbounded_channel();
    let stdout = Pipe::new(stdout, Stream::Stdout)?;
    let stderr = Pipe::new(stderr, Stream::Stderr)?;
    tokio::spawn(Carrier { stdout, stderr, output, buffer: BytesMut::new() }.run(asked));
    Ok(Drain { requests })
}

struct Carrier {
    stdout: Pipe,
    stderr: Pipe,
    output: Arc<dyn Output>,
    buffer: BytesMut,
}

impl Carrier {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>) {
        let mut turns = 0;
        while self.stdout.is_open() || self.stderr.is_open() {
            tokio::select! {
                biased;
                Some(done) = asked.recv() => {
                    self.stdout.empty(&mut self.buffer, &*self.output);
                    self.stderr.empty(&mut self.buffer, &*self.output);
                    // Nobody waits any more: fine.
                    let _ = done.send(());
                }
                () = self.stderr.readable() => self.stderr.read(&mut self.buffer, &*self.output),
                () = self.stdout.readable() => self.stdout.read(&mut self.buffer, &*self.output),
            }
            turns += 1;
            if turns % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

struct Pipe {
    stream: Stream,
    /// `None`: read to its end.
    end: Option<Receiver>,
}

impl Pipe {
    fn new(end: OwnedFd, stream: Stream) -> io::Result<Self> {
        Ok(Self { stream, end: Some(Receiver::from_owned_fd(end)?) })
    }

    fn is_open(&self) -> bool {
        self.end.is_some()
    }

    /// Completes when there is something to read; never for a closed pipe.
    async fn readable(&self) {
        match &self.end {
            // A fault shows again, and ends the pipe, when it is read.
            Some(end) => drop(end.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Hands over one chunk, if there is one.
    fn read(&mut self, buffer: &mut BytesMut, output: &dyn Output) {
        let Some(end) = &self.end else { return };
        buffer.resize(CHUNK, 0);
        match end.try_read(&mut buffer[..]) {
            Ok(read) if read > 0 => output.write(self.stream, Bytes::copy_from_slice(&buffer[..read])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => self.end = None,
        }
    }

    /// Hands over what is in the pipe at this moment, not what a flood adds meanwhile.
    fn empty(&mut self, buffer: &mut BytesMut, output: &dyn Output) {
        let Some(end) = &self.end else { return };
        let mut left = rustix::io::ioctl_fionread(end).unwrap_or(0) as usize;
        buffer.resize(CHUNK, 0);
        while left > 0 {
            // Not through the receiver, which may not have heard yet that there is something to read.
            match rustix::io::retry_on_intr(|| rustix::io::read(end, &mut buffer[..])) {
                Ok(read) if read > 0 => {
                    left = left.saturating_sub(read);
                    output.write(self.stream, Bytes::copy_from_slice(&buffer[..read]));
                }
                _ => return,
            }
        }
    }
}
