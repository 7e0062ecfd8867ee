//! What lies between a server and its database: a wire that can be cut, go silent, or become slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// It works.
    Works,
    /// Each piece of data takes so long, in both directions.
    Slow(Duration),
    /// Nothing comes through, and nobody is told.
    Silent,
    /// Connections are reset, and none is made.
    Cut,
}

/// A wire; it ends with the test.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wire: watch::Sender<Wire>,
    /// How often all connections were lost.
    era: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, state) = watch::channel(Wire::Works);
        let (era, current) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let (state, current) = (state.clone(), current.clone());
                if *state.borrow() != Wire::Cut {
                    tokio::spawn(connection(client, database, state, current));
                }
            }
        });
        Self { address, wire, era }
    }

    /// Lets every connection that there is fall silent for ever, as if the machine behind it were gone; new ones work.
    pub(crate) fn lose(&self) {
        self.era.send_modify(|era| *era += 1);
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn connection(
    client: TcpStream,
    database: SocketAddr,
    state: watch::Receiver<Wire>,
    mut era: watch::Receiver<u64>,
) {
    let Ok(server) = TcpStream::connect(database).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = state.clone();
    era.mark_unchanged();
    let state = Arc::new(state);
    let passed = async {
        tokio::select! {
            () = pass(from_client, to_server, &state) => {}
            () = pass(from_server, to_client, &state) => {}
            _ = cut.wait_for(|wire| *wire == Wire::Cut) => {}
        }
    };
    let mut passed = std::pin::pin!(passed);
    tokio::select! {
        () = passed.as_mut() => {}
        Ok(()) = era.changed() => std::future::pending().await,
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    state: &watch::Receiver<Wire>,
) {
    let mut buffer = vec![0; 65_536];
    let mut state = state.clone();
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let wire = *state.borrow();
        if let Wire::Slow(time) = wire {
            tokio::time::sleep(time).await;
        }
        if state.wait_for(|wire| *wire != Wire::Silent).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
