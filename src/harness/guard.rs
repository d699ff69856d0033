//! Proof of being offline: a proxy that lets nobody out, and remembers who wanted what.
//!
//! Who asks says so by the user name in the proxy's address, which is another for each function and for the command.
//! Programs that heed no proxy variables pass beside it; that is their clients' choice, and documented.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlemu_core::Environment;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest head of a request, in bytes.
const HEAD: u64 = 16 * 1024;
const VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
const OURS: &str = "127.0.0.1,localhost,::1";

/// Who wanted what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// A function's name, or `the command`.
    pub who: String,
    /// The host, with its port if it was named.
    pub to: String,
}

/// Listens until it is dropped.
pub struct Guard {
    address: SocketAddr,
    attempts: Arc<Mutex<BTreeMap<Attempt, usize>>>,
    task: JoinHandle<()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Guard {
    /// # Errors
    /// When no port of the loopback interface can be had.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let attempts = Arc::<Mutex<BTreeMap<Attempt, usize>>>::default();
        let known = attempts.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(refuse(stream, known.clone()));
            }
        });
        Ok(Self { address, attempts, task })
    }

    /// Variables that send whatever is not of this machine here.
    pub fn variables(&self, who: &str) -> Environment {
        let who = percent_encoding::utf8_percent_encode(who, percent_encoding::NON_ALPHANUMERIC);
        let proxy = format!("http://{who}:offline@{}", self.address);
        let all = VARIABLES.map(|name| (name.to_owned(), proxy.clone()));
        let none = ["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), OURS.to_owned()));
        all.into_iter().chain(none).collect()
    }

    /// Who wanted what so far, and how often.
    pub fn attempts(&self) -> Vec<(Attempt, usize)> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.iter().map(|(attempt, times)| (attempt.clone(), *times)).collect()
    }
}

async fn refuse(mut stream: TcpStream, attempts: Arc<Mutex<BTreeMap<Attempt, usize>>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && (head.len() as u64) < HEAD {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let Some(attempt) = attempt(&String::from_utf8_lossy(&head)) else { return };
    let why = format!("mlemu's offline guard: {} tried {}\n", attempt.who, attempt.to);
    *attempts.lock().unwrap_or_else(PoisonError::into_inner).entry(attempt).or_default() += 1;
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{why}",
        why.len()
    );
    // Whoever has gone needs no answer.
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// What the head of a request says.
fn attempt(head: &str) -> Option<Attempt> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let host = |line: &str| {
        Some(line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host"))?.1.trim().to_owned())
    };
    let to = if method == "CONNECT" {
        target.to_owned()
    } else {
        let rest = target.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        rest.map(str::to_owned).or_else(|| head.lines().find_map(host))?
    };
    let who = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let given = value.trim().strip_prefix("Basic ")?;
        let decoded =
            STANDARD.decode(given).ok().filter(|_| name.eq_ignore_ascii_case("proxy-authorization"))?;
        let text = String::from_utf8(decoded).ok()?;
        let user = text.split(':').next().unwrap_or_default();
        Some(percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned())
    });
    Some(Attempt { who: who.unwrap_or_else(|| "somebody".into()), to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_say_who_wants_what() {
        let user = STANDARD.encode("my%2Dscore:offline");
        let connect = format!(
            "CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic {user}\r\n\r\n"
        );
        let expected = Attempt { who: "my-score".into(), to: "sts.amazonaws.com:443".into() };
        assert_eq!(attempt(&connect), Some(expected));
        let plain = attempt("GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\n\r\n");
        assert_eq!(plain, Some(Attempt { who: "somebody".into(), to: "example.com".into() }));
        for nonsense in ["", "GET", "GET / HTTP/1.1\r\n\r\n", "\0\0 \0"] {
            assert!(attempt(nonsense).is_none_or(|attempt| attempt.who == "somebody"), "{nonsense:?}");
        }
    }

    #[tokio::test]
    async fn nobody_gets_out_and_all_is_remembered() {
        let guard = Guard::open().await.expect("a port");
        let proxy = guard.variables("a b")["HTTPS_PROXY"].clone();
        assert!(proxy.starts_with("http://a%20b:offline@127.0.0.1:"), "{proxy}");
        for _ in 0..2 {
            let mut stream = TcpStream::connect(guard.address).await.expect("there");
            stream.write_all(b"CONNECT a.example:443 HTTP/1.1\r\n\r\n").await.expect("sent");
            let mut said = String::new();
            stream.read_to_string(&mut said).await.expect("answered");
            assert!(said.starts_with("HTTP/1.1 403") && said.contains("tried a.example:443"), "{said}");
        }
        let tried = Attempt { who: "somebody".into(), to: "a.example:443".into() };
        assert_eq!(guard.attempts(), [(tried, 2)]);
    }
}
