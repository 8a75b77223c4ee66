//! The lab itself: it starts, does what its documentation says, and leaves nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use mailsonde_tests::lab::{Host, Lab, LabOptions, MAIL, Server};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn smoke() {
    let t = mailsonde_proto::time::Clock::system().monotonic();
    let lab = Lab::start(LabOptions::default()).expect("the lab starts");
    println!("started {:?} memory {}", t.elapsed(), lab.memory_bytes() / 1048576);
    let out = lab.command(Host::Branch(1), "getent").args(["hosts", "mail.good.test"]).output();
    println!("{out:?}");
    let t = mailsonde_proto::time::Clock::system().monotonic();
    drop(lab);
    println!("stopped {:?}", t.elapsed());
}
