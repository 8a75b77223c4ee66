//! One question to one server over one socket of its own: UDP, or TCP.
//!
//! The socket is connected, its port and the question's number are random, and only an answer with that
//! number and that question counts (RFC 5452 section 9). Absent on purpose: retries and time limits.

use std::io;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::op::Message;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::super::Net;
use super::super::gate::note;
use crate::dns::{Question, message};
use crate::policy::Refusal;

pub(super) const PORT: u16 = 53;
/// More than was announced is not taken off a UDP socket.
const UDP_BUFFER: usize = 4096;
/// Datagrams that are not the answer are passed over, so many of them.
const MOST_STRANGERS: usize = 64;

/// A server that is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// The host's own configuration names it, not a check.
    pub(super) is_ours: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(in crate::net) enum Trouble {
    /// The agent's policy says no.
    Forbidden(Refusal),
    /// The socket does not work: refused, no route, closed.
    Io(String),
    /// What came is not an answer.
    Malformed(String),
    /// Nothing came in time.
    Timeout,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Asks over UDP, and again over TCP where the answer is truncated and `follows` is set
/// (RFC 7766 section 5).
pub(super) async fn ask(
    net: &Net,
    server: Server,
    question: &Question,
    is_unchecked: bool,
    follows: bool,
) -> Result<Message, Trouble> {
    let Server { address, is_ours } = server;
    let allowed = net.may_ask(&question.name, 1).and_then(|()| net.may_query(address, is_ours));
    allowed.map_err(|refusal| Trouble::Forbidden(note(refusal)))?;
    let place = || net.place().map_err(|refusal| Trouble::Forbidden(note(refusal)));
    let mut answer = None;
    if !question.over_tcp {
        let over_udp = over_udp(address, question, is_unchecked).await?;
        answer = Some(over_udp).filter(|answer| !(answer.metadata.truncation && follows));
    }
    let answer = match answer {
        Some(answer) => answer,
        None => {
            let _place = place()?;
            over_tcp(address, question, is_unchecked).await?
        }
    };
    net.learn((&question.name, question.kind), &answer);
    Ok(answer)
}

/// One datagram there and one back. Policy has been asked.
pub(in crate::net) async fn over_udp(
    server: SocketAddr,
    question: &Question,
    is_unchecked: bool,
) -> Result<Message, Trouble> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
        SocketAddr::V6(_) => IpAddr::from([0; 16]),
    };
    let id = random_id()?;
    let bytes = message::question(id, question, is_unchecked).map_err(Trouble::Malformed)?;
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&bytes).await?;
    let mut buffer = vec![0; UDP_BUFFER];
    let mut last = "no datagram is the answer to the question".to_owned();
    for _ in 0..MOST_STRANGERS {
        let length = socket.recv(&mut buffer).await?;
        // Anybody can send a datagram: one that is not the answer does not end the waiting.
        match message::read(buffer.get(..length).unwrap_or_default()) {
            Ok(answer) if message::answers(&answer, id, question) => return Ok(answer),
            Ok(_) => {}
            Err(error) if carries(&buffer, id) => return Err(Trouble::Malformed(error)),
            Err(error) => last = error,
        }
    }
    Err(Trouble::Malformed(last))
}

/// Whether bytes that cannot be read begin with the question's number: then it is the server's answer.
fn carries(bytes: &[u8], id: u16) -> bool {
    bytes.get(..2) == Some(id.to_be_bytes().as_slice())
}

async fn over_tcp(
    server: SocketAddr,
    question: &Question,
    is_unchecked: bool,
) -> Result<Message, Trouble> {
    let id = random_id()?;
    let bytes = message::question(id, question, is_unchecked).map_err(Trouble::Malformed)?;
    let length = u16::try_from(bytes.len())
        .map_err(|error| Trouble::Malformed(format!("the question is too long: {error}")))?;
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let framed = [length.to_be_bytes().as_slice(), &bytes].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    let answer = message::read(&buffer).map_err(Trouble::Malformed)?;
    if message::answers(&answer, id, question) {
        return Ok(answer);
    }
    Err(Trouble::Malformed("it is the answer to another question".to_owned()))
}

fn random_id() -> Result<u16, Trouble> {
    let mut bytes = [0; 2];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|error| Trouble::Io(format!("the system gives no random numbers: {error}")))?;
    Ok(u16::from_be_bytes(bytes))
}
