//! Connections to one framework, each driven by whoever asks on it: between a request and its answer no other task has
//! to wake up, which is most of what a warm call costs.
//!
//! A connection is kept for the next request, though not for long: servers close idle ones.

use bytes::Bytes;
use http::{Request, response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::net::TcpStream;

/// Servers close idle connections after 2 s and more. Ours are not used again after twice this.
const ROUND: Duration = Duration::from_millis(500);

type Body = Full<Bytes>;

/// What came of a request.
pub(super) enum Came {
    Answer(Box<response::Parts>, Bytes),
    /// The answer is larger than was said.
    TooLarge,
    /// The connection broke off, or there was none.
    Broken,
}

struct Line {
    sender: SendRequest<Body>,
    driver: Connection<TokioIo<TcpStream>, Body>,
    /// The server has closed it.
    over: bool,
}

#[derive(Default)]
struct Idle {
    /// Those that were used last at the end, with the round in which that was.
    lines: Vec<(u64, Line)>,
    round: u64,
    /// Whether somebody counts the rounds.
    counted: bool,
}

/// All connections to one address.
pub(super) struct Connections {
    to: SocketAddr,
    idle: Arc<Mutex<Idle>>,
}

fn locked(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    pub(super) fn new(to: SocketAddr) -> Self {
        Self { to, idle: Arc::default() }
    }

    /// Sends a request and takes the whole answer in, of `limit` bytes at most.
    pub(super) async fn ask(&self, request: Request<Body>, limit: usize) -> Came {
        let Some(mut line) = self.line().await else { return Came::Broken };
        let came = line.ask(request, limit).await;
        if let Came::Answer(..) = came
            && !line.over
        {
            self.keep(line);
        }
        came
    }

    /// One that is open, or a new one.
    async fn line(&self) -> Option<Line> {
        loop {
            let kept = locked(&self.idle).lines.pop();
            let Some((_, mut line)) = kept else { return Line::open(self.to).await };
            if line.is_ready().await {
                return Some(line);
            }
        }
    }

    fn keep(&self, line: Line) {
        let mut idle = locked(&self.idle);
        let round = idle.round;
        idle.lines.push((round, line));
        if !std::mem::replace(&mut idle.counted, true) {
            tokio::spawn(count(Arc::downgrade(&self.idle)));
        }
    }
}

/// Counts rounds and closes what was idle for one whole round, until nothing is kept.
async fn count(idle: Weak<Mutex<Idle>>) {
    loop {
        tokio::time::sleep(ROUND).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = locked(&idle);
        idle.round += 1;
        let round = idle.round;
        idle.lines.retain(|(used, _)| used + 1 >= round);
        if idle.lines.is_empty() {
            idle.counted = false;
            return;
        }
    }
}

impl Line {
    async fn open(to: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(to).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        Some(Self { sender, driver, over: false })
    }

    /// Whether it takes a request; else the server has closed it.
    async fn is_ready(&mut self) -> bool {
        let Self { sender, driver, over } = self;
        if *over {
            return false;
        }
        tokio::select! {
            biased;
            _ = driver => false,
            ready = sender.ready() => ready.is_ok(),
        }
    }

    async fn ask(&mut self, request: Request<Body>, limit: usize) -> Came {
        let Self { sender, driver, over } = self;
        let mut answer = pin!(answer(sender, request, limit));
        tokio::select! {
            biased;
            came = &mut answer => return came,
            // The server closes it behind the answer, which may be here already.
            _ = driver => *over = true,
        }
        answer.await
    }
}

async fn answer(sender: &mut SendRequest<Body>, request: Request<Body>, limit: usize) -> Came {
    let Ok(response) = sender.send_request(request).await else { return Came::Broken };
    let (parts, body) = response.into_parts();
    match Limited::new(body, limit).collect().await {
        Ok(body) => Came::Answer(Box::new(parts), body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Came::TooLarge,
        Err(_) => Came::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server whose connections each give these answers and close then; says how many there were.
    async fn server(answers: &'static [&'static str]) -> (SocketAddr, Arc<Mutex<usize>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (to, count) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(0)));
        let counted = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    for answer in answers {
                        let _ = stream.read(&mut buffer).await;
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        (to, count)
    }

    fn request() -> Request<Body> {
        Request::get("/").header("host", "h").body(Full::default()).unwrap()
    }

    async fn said(connections: &Connections) -> String {
        match connections.ask(request(), 10).await {
            Came::Answer(parts, body) => {
                format!("{} {}", parts.status.as_u16(), String::from_utf8_lossy(&body))
            }
            Came::TooLarge => "too large".into(),
            Came::Broken => "broken".into(),
        }
    }

    const ONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none";
    const CHUNKED: &str = "HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";

    #[tokio::test]
    async fn a_connection_is_used_again_and_one_that_was_closed_is_not() {
        let (to, count) = server(&[ONE, CHUNKED]).await;
        let connections = Connections::new(to);
        assert_eq!(
            (said(&connections).await, said(&connections).await),
            ("200 one".into(), "404 two".into())
        );
        assert_eq!(*count.lock().unwrap(), 1);
        let kept = locked(&connections.idle).lines.pop();
        // Unless its end was here already, it is on its way.
        if let Some((round, mut line)) = kept {
            let _ = (&mut line.driver).await;
            line.over = true;
            locked(&connections.idle).lines.push((round, line));
        }
        assert_eq!(said(&connections).await, "200 one");
        assert_eq!(*count.lock().unwrap(), 2);
    }

    #[tokio::test]
    async fn an_answer_without_a_length_ends_with_its_connection() {
        let (to, _) = server(&["HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nwords"]).await;
        assert_eq!(said(&Connections::new(to)).await, "200 words");
    }

    #[tokio::test]
    async fn what_is_no_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n12345678901", "too large"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "broken"),
            ("nonsense\r\n\r\n", "broken"),
        ] {
            let (to, _) = server(std::slice::from_ref(Box::leak(Box::new(answer)))).await;
            assert_eq!(said(&Connections::new(to)).await, expected, "{answer}");
        }
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(said(&Connections::new(nobody)).await, "broken");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_idle_for_long_is_closed() {
        let (to, count) = server(&[ONE, ONE]).await;
        let connections = Connections::new(to);
        assert_eq!(said(&connections).await, "200 one");
        tokio::time::sleep(ROUND * 3).await;
        assert!(locked(&connections.idle).lines.is_empty());
        assert_eq!(said(&connections).await, "200 one");
        assert_eq!(*count.lock().unwrap(), 2);
    }
}
