//! A DNS server that passes questions on to Knot, but for what it cannot or will not: one from before EDNS,
//! and resolvers that keep what proves an answer to themselves. UDP only.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::layout::{NAME_SERVER, OLD_NAME_SERVER, SPARE};
use super::super::{Host, Lab, LabError};

const LOOK_FOR_THE_END_EVERY: Duration = Duration::from_millis(100);
const MESSAGE_MAX_BYTES: usize = 4096;
const HEADER_BYTES: usize = 12;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
/// DNSKEY (RFC 4034 section 2).
const DNSKEY: [u8; 2] = [0, 48];

/// What is odd about a DNS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// FORMERR to whoever asks with an OPT record (RFC 6891 section 7), and right answers without. It is the
    /// only server of `noedns.test`, at [`OLD_NAME_SERVER`]: one at a time.
    NoEdns,
    /// Answers without any signature, as if it were never asked for one.
    NoSignatures,
    /// SERVFAIL to questions for keys, but for the root's.
    NoKeys,
}

/// A running server; see [`Lab::start_name_server`]. Dropping it ends it.
#[derive(Debug)]
pub struct OddNameServer {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lab {
    /// Starts a DNS server that is odd in one way, on the mail host.
    ///
    /// # Errors
    /// The address is taken.
    pub fn start_name_server(&self, manner: Manner) -> Result<OddNameServer, LabError> {
        let network = self.network(Host::Mail)?;
        let listen = match manner {
            Manner::NoEdns => (OLD_NAME_SERVER, 53),
            Manner::NoSignatures | Manner::NoKeys => (SPARE, 0),
        };
        let open = || {
            network.inside(|| {
                let socket = UdpSocket::bind(SocketAddr::from(listen))?;
                socket.set_read_timeout(Some(LOOK_FOR_THE_END_EVERY))?;
                let upstream = UdpSocket::bind(SocketAddr::from((listen.0, 0)))?;
                upstream.connect(SocketAddr::from((NAME_SERVER, 53)))?;
                upstream.set_read_timeout(Some(Duration::from_secs(1)))?;
                Ok((socket, upstream))
            })
        };
        let start = || {
            let (socket, upstream) = open()?;
            let address = socket.local_addr()?;
            let end = Arc::new(AtomicBool::new(false));
            let ends = Arc::clone(&end);
            let thread = std::thread::Builder::new().name("odd name server".to_owned());
            let thread = thread.spawn(move || serve(manner, (&socket, &upstream), &ends))?;
            Ok(OddNameServer { address, end, thread: Some(thread) })
        };
        start().map_err(LabError::io("start an odd name server"))
    }
}

impl OddNameServer {
    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for OddNameServer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(manner: Manner, (socket, upstream): (&UdpSocket, &UdpSocket), end: &AtomicBool) {
    let mut question = [0; MESSAGE_MAX_BYTES];
    while !end.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
        let question = question.get(..length).unwrap_or_default();
        if let Ok(Some(answer)) = answer(manner, question, upstream) {
            drop(socket.send_to(&answer, from));
        }
    }
}

fn answer(manner: Manner, message: &[u8], upstream: &UdpSocket) -> io::Result<Option<Vec<u8>>> {
    let Some((header, question)) = parts(message) else { return Ok(None) };
    let has_opt = header.get(10..12) != Some(&[0, 0]);
    let is_root = question.first() == Some(&0);
    let asks_for_keys = question.rchunks(2).nth(1) == Some(&DNSKEY);
    match manner {
        Manner::NoEdns if has_opt => Ok(Some(without_records(header, &[], FORMERR))),
        Manner::NoKeys if asks_for_keys && !is_root => {
            Ok(Some(without_records(header, question, SERVFAIL)))
        }
        Manner::NoSignatures => {
            // without its OPT record the question does not ask for signatures (RFC 3225 section 3)
            let mut plain = header.to_vec();
            plain.splice(10..12, [0, 0]);
            plain.extend(question);
            passed_on(&plain, upstream).map(Some)
        }
        Manner::NoEdns | Manner::NoKeys => passed_on(message, upstream).map(Some),
    }
}

/// The header, and the one question: a name, which is not compressed, a type and a class (RFC 1035
/// section 4.1.2).
fn parts(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = message.split_at_checked(HEADER_BYTES)?;
    let mut length = 0;
    while *rest.get(length)? != 0 {
        length += 1 + usize::from(*rest.get(length)?);
    }
    Some((header, rest.get(..length + 5)?))
}

/// QR, and the code; no records follow (RFC 1035 section 4.1.1).
fn without_records(header: &[u8], question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = header.to_vec();
    answer.splice(2..12, [0x80, code, 0, u8::from(!question.is_empty()), 0, 0, 0, 0, 0, 0]);
    answer.extend(question);
    answer
}

fn passed_on(message: &[u8], upstream: &UdpSocket) -> io::Result<Vec<u8>> {
    upstream.send(message)?;
    let mut answer = vec![0; MESSAGE_MAX_BYTES];
    let length = upstream.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}
