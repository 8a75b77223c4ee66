//! The lab's network on paper: who has which address, and the commands that lay the cables.
//!
//! A router stands in the middle. The mail host hangs on its bridge, where more hosts can be added;
//! each branch has a cable and a subnet of its own, which can be taken down alone. IPv4 only so far.

use std::net::Ipv4Addr;

use super::folder::Folder;
use super::{Host, LabError};

/// Postfix and Dovecot; `mail.good.test`, `mx1.good.test`. Besides the standard ports, submission with
/// AUTH PLAIN only at 1587, and with LOGIN only at 2587.
pub const MAIL: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 10);
/// The same Postfix at another address; `mx2.good.test`.
pub const MAIL_2: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 11);
/// An open relay, port 25; `mx.relay.test`. What it takes for domains outside of the lab bounces.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 12);
/// A mail exchanger that greylists, port 25; `mx.grey.test`, for the mailboxes of good.test as
/// `…@grey.test`. It says 451 until [`super::Lab::start_greylisting`].
pub const GREY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 13);
/// The filter: `mx.filter.test`. Port 25 checks what comes for `filter.test`, 587 signs what users send.
/// Both say 451 until [`super::Lab::start_filter`].
pub const FILTER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 14);
/// The authoritative DNS server; `ns1.lab.test`.
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 53);
/// The second authoritative DNS server, which has its zones from the first; `ns2.lab.test`.
pub const NAME_SERVER_2: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 55);
/// The second one at another address; `ns3.lab.test`.
pub const NAME_SERVER_3: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 56);
/// Where [`super::Lab::start_name_server`] puts a DNS server that does not know EDNS; `old.lab.test`.
pub const OLD_NAME_SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 57);
/// The validating resolver; `resolver.lab.test`.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 54);
/// Endpoints with something wrong; `mail.badcert.test`.
///
/// Expired certificate: 465, 993 and 995 (implicit TLS), 25, 143 and 110 (STARTTLS). SMTP with implicit TLS and
/// a certificate that is, at 466, self-signed, 467 for another host, 468 about to expire (three days), 469
/// not yet valid; 470 its intermediate has expired, 471 its intermediate is not sent, 472 a good one with
/// its intermediate; only TLS 1.0 at 473, 1.1 at 474, 1.2 at 475. 587: no STARTTLS.
pub const BAD_ENDPOINTS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 66);
/// A mail exchanger whose address has no PTR record, and which offers no STARTTLS; `mx.noptr.test`.
pub const NO_PTR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 68);
/// A mail exchanger whose PTR record is of another host; `mx.wrongptr.test`.
pub const WRONG_PTR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 69);
/// A mail exchanger with two PTR records; `mx.twoptr.test`.
pub const TWO_PTR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 70);
/// HTTPS at 443 and HTTP at 80: policies of MTA-STS, autoconfig, webmail, tokens; `web.lab.test`.
pub const WEB: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 80);
/// Free for servers that tests start themselves on the mail host; `spare.lab.test`.
pub const SPARE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 67);

/// The address of a branch; `b1.lab.test` and so on.
pub const fn branch_address(branch: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, branch, 2)
}

/// Writes what `ip -batch` does on each host.
pub(super) fn write_batches(folder: &Folder, branches: u8) -> Result<(), LabError> {
    let base = folder.path().display();
    let mut router = format!(
        "link set lo up\nlink add br0 type bridge\nlink set br0 up\naddr add 198.18.0.1/24 dev br0\n\
         link add w-mail type veth peer name eth0 netns {base}/ns/mail\n\
         link set w-mail master br0\nlink set w-mail up\n"
    );
    for branch in 1..=branches {
        let host = Host::Branch(branch).name();
        let cable = cable(branch);
        let lines = format!(
            "link add {cable} type veth peer name eth0 netns {base}/ns/{host}\n\
             addr add 198.18.{branch}.1/24 dev {cable}\nlink set {cable} up\n"
        );
        router.push_str(&lines);
        folder.write(
            &format!("net/{host}.batch"),
            &format!(
                "link set lo up\naddr add {}/24 dev eth0\nlink set eth0 up\n\
                 route add default via 198.18.{branch}.1\n",
                branch_address(branch)
            ),
        )?;
    }
    folder.write("net/router.batch", &router)?;
    let mut mail = String::from("link set lo up\n");
    for address in [
        MAIL,
        MAIL_2,
        RELAY,
        GREY,
        FILTER,
        NAME_SERVER,
        NAME_SERVER_2,
        NAME_SERVER_3,
        OLD_NAME_SERVER,
        RESOLVER,
        BAD_ENDPOINTS,
        SPARE,
        NO_PTR,
        WRONG_PTR,
        TWO_PTR,
        WEB,
    ] {
        mail.push_str(&format!("addr add {address}/24 dev eth0\n"));
    }
    mail.push_str("link set eth0 up\nroute add default via 198.18.0.1\n");
    folder.write("net/mail.batch", &mail)
}

/// The router's end of a branch's cable.
pub(super) fn cable(branch: u8) -> String {
    format!("w-b{branch}")
}
