//! A port for an instance, kept for it until it listens there itself.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use tokio::net::TcpSocket;

/// A bound socket that never listens. The framework may bind beside it, since both allow the reuse of their
/// address; nobody is given the port by chance meanwhile.
pub(super) struct Reservation {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl Reservation {
    pub(super) fn take() -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: socket.local_addr()?, _socket: socket })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::Reservation;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn the_instance_can_listen_on_it_and_nobody_answers_before() {
        let reserved = Reservation::take().unwrap();
        assert!(TcpStream::connect(reserved.address()).await.is_err());
        let _listener = TcpListener::bind(reserved.address()).await.unwrap();
        assert!(TcpStream::connect(reserved.address()).await.is_ok());
    }
}
