//! The connected clients. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

/// Clients at one time, at most.
const MAX_CLIENTS: usize = 1000;

#[derive(Default)]
pub(super) struct Clients {
    last_id: u64,
    connected: BTreeMap<u64, Client>,
}

pub(super) struct Client {
    pub(super) addr: SocketAddr,
    pub(super) name: Vec<u8>,
    killed: CancellationToken,
}

impl Clients {
    /// Adds a client, whose connection `killed` ends; returns its id, or `None` when there are too
    /// many.
    pub(super) fn add(&mut self, addr: SocketAddr, killed: CancellationToken) -> Option<u64> {
        if self.connected.len() >= MAX_CLIENTS {
            return None;
        }
        self.last_id += 1;
        self.connected.insert(self.last_id, Client { addr, name: Vec::new(), killed });
        Some(self.last_id)
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.connected.remove(&id);
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Client> {
        self.connected.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.connected.len()
    }

    /// Ends the connections that match all filters given, but not `own`; returns how many.
    pub(super) fn kill(&mut self, own: u64, id: Option<u64>, addr: Option<&[u8]>) -> usize {
        let fits = |&(&this, client): &(&u64, &Client)| {
            this != own
                && id.is_none_or(|id| id == this)
                && addr.is_none_or(|addr| client.addr.to_string().as_bytes() == addr)
        };
        let killed: Vec<u64> = self.connected.iter().filter(fits).map(|(&id, _)| id).collect();
        for id in &killed {
            // The client is off the list at once; its task notices a little later.
            if let Some(client) = self.connected.remove(id) {
                client.killed.cancel();
            }
        }
        killed.len()
    }
}
