//! What clients of Alertmanager are told of its cluster: there is one member, this one.
//!
//! *Not here*: a cluster. Nothing is exchanged with others; what connects is hung up on.

use std::net::SocketAddr;

use firebell_model::Timestamp;
use firebell_wire::alertmanager_json::{ClusterJson, PeerJson};
use tokio::net::TcpListener;

use crate::flags::AsAlertmanager;

/// The cluster of one.
pub(crate) struct Cluster {
    name: String,
    address: SocketAddr,
}

impl Cluster {
    /// Takes the address, so that the port that is told is one of ours; `None` without one.
    pub(crate) async fn join(options: &AsAlertmanager, now: Timestamp) -> Option<Self> {
        let wanted = options.cluster_address?;
        let listener = match wanted.ip().is_loopback() {
            true => TcpListener::bind(wanted).await.ok(),
            // Nobody from elsewhere is listened to, as everywhere.
            false => None,
        };
        let address = listener.as_ref().and_then(|it| it.local_addr().ok());
        let address = address.unwrap_or(wanted);
        if let Some(listener) = listener {
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => drop(stream),
                        // Such as too many open files: it passes.
                        Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                    }
                }
            });
        }
        tracing::warn!(
            "there is no cluster yet: this Firebell decides alone, and tells clients so"
        );
        let name = match options.peer_name.as_str() {
            "" => made_up(now, address),
            name => name.to_owned(),
        };
        Some(Self { name, address })
    }

    /// As the API has it.
    pub(crate) fn shown(&self) -> ClusterJson {
        ClusterJson::alone(PeerJson {
            address: self.address.to_string(),
            name: self.name.clone(),
        })
    }
}

// In the form of an ULID: the time first, then what differs between two that start together.
fn made_up(now: Timestamp, address: SocketAddr) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let salt = (u128::from(std::process::id()) << 16) | u128::from(address.port());
    let bits = (u128::from(now.0.unsigned_abs()) << 80) | salt;
    let digit = |idx: u32| char::from(DIGITS[(bits >> (5 * (25 - idx))) as usize % 32]);
    (0..26).map(digit).collect()
}

/// After a connection that could not be taken.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_not_said_is_found_and_told() {
        let options = AsAlertmanager {
            cluster_address: Some(([127, 0, 0, 1], 0).into()),
            ..AsAlertmanager::default()
        };
        let cluster = Cluster::join(&options, Timestamp(1)).await.unwrap();
        let shown = cluster.shown();
        assert!(!shown.peers[0].address.ends_with(":0"), "{shown:?}");
        assert_eq!((shown.status, shown.name.len()), ("ready", 26));
        let alone = Cluster::join(&AsAlertmanager::default(), Timestamp(1)).await;
        assert!(alone.is_none());
    }
}
