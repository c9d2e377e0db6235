//! Ports that two users of the configuration want.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::{Admin, Listener};
use crate::document::{Document, Located};

/// Ports of one address that one user binds.
struct Claim {
    user: String,
    address: IpAddr,
    ports: RangeInclusive<u16>,
    at: usize,
}

/// Notes every two users of one port, where the later one stands.
pub(super) fn check(document: &Document<'_>, admin: Option<(Admin, usize)>, listeners: &[Located<Listener>]) {
    let mut claims: Vec<Claim> = Vec::new();
    let admin = admin.map(|(admin, at)| single("[admin]".to_owned(), admin.bind, at));
    for claim in admin.into_iter().chain(listeners.iter().flat_map(claims_of)) {
        if let Some(other) = claims.iter().find(|other| overlap(other, &claim)) {
            let port = other.ports.start().max(claim.ports.start());
            let message = format!("port {port} is wanted twice: by {} and by {}", other.user, claim.user);
            document.mistake(claim.at, message);
        }
        claims.push(claim);
    }
}

fn claims_of(listener: &Located<Listener>) -> Vec<Claim> {
    let Located { value: listener, at } = listener;
    let bootstrap = single(format!("the bootstrap of listener `{}`", listener.name), listener.bind, *at);
    let ranges = listener.brokers.ranges().iter();
    let brokers = ranges.filter_map(|range| {
        let ports = listener.broker_port(*range.start())?..=listener.broker_port(*range.end())?;
        let user = format!("the brokers of listener `{}`", listener.name);
        Some(Claim { user, address: listener.bind.ip(), ports, at: *at })
    });
    std::iter::once(bootstrap).chain(brokers).collect()
}

fn single(user: String, bind: SocketAddr, at: usize) -> Claim {
    Claim { user, address: bind.ip(), ports: bind.port()..=bind.port(), at }
}

/// Port 0 is whatever is free, and an unspecified address is every address.
fn overlap(one: &Claim, other: &Claim) -> bool {
    let same_address =
        one.address == other.address || one.address.is_unspecified() || other.address.is_unspecified();
    let same_port = one.ports.start() <= other.ports.end() && other.ports.start() <= one.ports.end();
    same_address && same_port && *one.ports.end() != 0
}
