//! Places for connections, so many for each address: one host cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::network;

/// Connections of one address at once.
const MOST: usize = 64;

/// Who has how many. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; free again when it is dropped.
pub(super) struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    /// A place for one more connection of this address; `None` when it has its share.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = taken.entry(address).or_default();
        if *of_address >= MOST {
            return None;
        }
        *of_address += 1;
        Some(Seat { seats: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_address) = taken.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_does_not_take_the_places_of_others() {
        let seats = Seats::default();
        let [one, other]: [IpAddr; 2] =
            ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let mut taken: Vec<_> = (0..MOST).map(|_| seats.take(one).unwrap()).collect();
        assert!(seats.take(one).is_none());
        assert!(seats.take("::ffff:192.0.2.1".parse().unwrap()).is_none());
        assert!(seats.take(other).is_some());
        taken.pop();
        assert!(seats.take(one).is_some());
        drop(taken);
        assert!(seats.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_host() {
        let seats = Seats::default();
        let address = |host: usize| format!("2001:db8::{host:x}").parse().unwrap();
        let _taken: Vec<_> = (0..MOST).map(|host| seats.take(address(host)).unwrap()).collect();
        assert!(seats.take(address(9_999)).is_none());
        assert!(seats.take("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
