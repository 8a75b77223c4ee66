//! A DNS server from before EDNS: it says FORMERR to whoever asks with an OPT record, and passes other
//! questions on to Knot. UDP only.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::layout::{NAME_SERVER, OLD_NAME_SERVER};
use super::super::{Host, Lab, LabError};

const LOOK_FOR_THE_END_EVERY: Duration = Duration::from_millis(100);
const MESSAGE_MAX_BYTES: usize = 4096;
const HEADER_BYTES: usize = 12;
const FORMERR: u8 = 1;

/// A running server; see [`Lab::start_old_name_server`]. Dropping it ends it.
#[derive(Debug)]
pub struct OldNameServer {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lab {
    /// Starts the only server of `noedns.test`, at [`OLD_NAME_SERVER`]: it answers FORMERR to EDNS
    /// (RFC 6891 section 7), and rightly without it.
    ///
    /// # Errors
    /// The address is taken: one at a time.
    pub fn start_old_name_server(&self) -> Result<OldNameServer, LabError> {
        let network = self.network(Host::Mail)?;
        let open = || {
            network.inside(|| {
                let socket = UdpSocket::bind(SocketAddr::from((OLD_NAME_SERVER, 53)))?;
                socket.set_read_timeout(Some(LOOK_FOR_THE_END_EVERY))?;
                let upstream = UdpSocket::bind(SocketAddr::from((OLD_NAME_SERVER, 0)))?;
                upstream.connect(SocketAddr::from((NAME_SERVER, 53)))?;
                upstream.set_read_timeout(Some(Duration::from_secs(1)))?;
                Ok((socket, upstream))
            })
        };
        let start = || {
            let (socket, upstream) = open()?;
            let end = Arc::new(AtomicBool::new(false));
            let ends = Arc::clone(&end);
            let thread = std::thread::Builder::new().name("old name server".to_owned());
            let thread = thread.spawn(move || serve(&socket, &upstream, &ends))?;
            Ok(OldNameServer { end, thread: Some(thread) })
        };
        start().map_err(LabError::io("start the old name server"))
    }
}

impl Drop for OldNameServer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(socket: &UdpSocket, upstream: &UdpSocket, end: &AtomicBool) {
    let mut question = [0; MESSAGE_MAX_BYTES];
    while !end.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
        let answer = answer(question.get(..length).unwrap_or_default(), upstream);
        if let Ok(Some(answer)) = answer {
            drop(socket.send_to(&answer, from));
        }
    }
}

fn answer(question: &[u8], upstream: &UdpSocket) -> io::Result<Option<Vec<u8>>> {
    let Some(header) = question.get(..HEADER_BYTES) else { return Ok(None) };
    let has_opt = header.get(10..12) != Some(&[0, 0]);
    if has_opt {
        let mut answer = header.to_vec();
        // QR, and the code; no records follow (RFC 1035 section 4.1.1)
        answer.splice(2..12, [0x80, FORMERR, 0, 0, 0, 0, 0, 0, 0, 0]);
        return Ok(Some(answer));
    }
    upstream.send(question)?;
    let mut answer = vec![0; MESSAGE_MAX_BYTES];
    let length = upstream.recv(&mut answer)?;
    answer.truncate(length);
    Ok(Some(answer))
}
