//! A TCP proxy that delays, cuts and swallows, switched while it runs.
//!
//! It passes bytes on as they are: what it does to a connection, a bad line or a firewall could do too.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mailsonde_proto::time::{Clock, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::network::{Backstage, Network};

const CHUNK_MAX_BYTES: usize = 16 * 1024;
/// Chunks that are on their way in one direction of a delayed connection.
const CHUNKS_UNDERWAY_MAX: usize = 256;
const CONNECTIONS_MAX: usize = 1024;
const TARGET_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A running proxy; dropping it ends it and its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rules: watch::Sender<Rules>,
    counts: Arc<Counts>,
    _backstage: Backstage,
}

/// What passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Passing {
    #[default]
    Everything,
    /// Connections are accepted, and nothing goes either way.
    Nothing,
    /// Connections are reset.
    Cut,
    /// Each connection is reset when it has passed so many bytes, both directions counted.
    CutAfter(u64),
    /// Each connection is reset when the client is about to say this; it is not passed on.
    CutAt(Vec<u8>),
}

#[derive(Clone, Debug, Default)]
struct Rules {
    delay: Duration,
    passing: Passing,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    to_target_bytes: AtomicU64,
    to_client_bytes: AtomicU64,
}

impl Proxy {
    /// Starts a proxy in the machine's own network. Port 0 takes any port.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(listen: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        Self::start_in(&Network::here(), listen, target)
    }

    /// Starts a proxy on a host of a lab.
    ///
    /// # Errors
    /// The address cannot be bound there.
    pub fn start_in(network: &Network, listen: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let (rules, seen) = watch::channel(Rules::default());
        let counts = Arc::<Counts>::default();
        let theirs = Arc::clone(&counts);
        let (backstage, address) = Backstage::start(network, listen, move |listener| {
            serve(listener, target, seen, theirs)
        })?;
        Ok(Self { address, rules, counts, _backstage: backstage })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds every byte back for this long, in each direction; zero for no delay.
    pub fn delay(&self, delay: Duration) {
        self.rules.send_modify(|rules| rules.delay = delay);
    }

    /// Resets all connections now, and new ones as they come, until [`Proxy::resume`].
    pub fn cut(&self) {
        self.pass(Passing::Cut);
    }

    /// Resets each connection after so many bytes, both directions counted from its start.
    pub fn cut_after(&self, bytes: u64) {
        self.pass(Passing::CutAfter(bytes));
    }

    /// Resets each connection when its client says this; such as `DATA`. Useless inside TLS.
    pub fn cut_at(&self, words: &str) {
        self.pass(Passing::CutAt(words.as_bytes().to_vec()));
    }

    /// Accepts connections and passes nothing, neither on new ones nor on old ones.
    pub fn blackhole(&self) {
        self.pass(Passing::Nothing);
    }

    /// Passes everything again, also what was swallowed. The delay stays.
    pub fn resume(&self) {
        self.pass(Passing::Everything);
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many bytes went to the target so far.
    pub fn to_target_bytes(&self) -> u64 {
        self.counts.to_target_bytes.load(Ordering::Relaxed)
    }

    /// How many bytes went to clients so far.
    pub fn to_client_bytes(&self) -> u64 {
        self.counts.to_client_bytes.load(Ordering::Relaxed)
    }

    fn pass(&self, passing: Passing) {
        self.rules.send_modify(|rules| rules.passing = passing);
    }
}

async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    rules: watch::Receiver<Rules>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let Ok((client, _)) = listener.accept().await else { continue };
        counts.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(connection(client, target, rules.clone(), Arc::clone(&counts)));
    }
}

/// A connection ends because of us, and the client is to see a reset.
struct Cut;

async fn connection(
    mut client: TcpStream,
    target: SocketAddr,
    rules: watch::Receiver<Rules>,
    counts: Arc<Counts>,
) {
    let mut watched = rules.clone();
    let passed = AtomicU64::new(0);
    let ended = {
        let through = async {
            let connecting =
                tokio::time::timeout(TARGET_ANSWERS_WITHIN, TcpStream::connect(target));
            let Ok(Ok(mut server)) = connecting.await else { return Err(Cut) };
            // a line has no Nagle: what it is given, it passes on
            client.set_nodelay(true).ok();
            server.set_nodelay(true).ok();
            let up = Direction { rules: rules.clone(), passed: &passed, from_client: true };
            let down = Direction { rules: rules.clone(), passed: &passed, from_client: false };
            let (client_reads, client_writes) = client.split();
            let (server_reads, server_writes) = server.split();
            let result = tokio::try_join!(
                up.pass(client_reads, server_writes, &counts.to_target_bytes),
                down.pass(server_reads, client_writes, &counts.to_client_bytes),
            );
            if result.is_err() {
                reset(server);
            }
            result.map(drop)
        };
        let cut = watched.wait_for(|rules| rules.passing == Passing::Cut);
        tokio::select! {
            biased;
            _ = cut => Err(Cut),
            ended = through => ended,
        }
    };
    if ended.is_err() {
        reset(client);
    }
}

/// Closes with RST instead of FIN.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().ok();
    drop(stream);
}

struct Direction<'a> {
    rules: watch::Receiver<Rules>,
    passed: &'a AtomicU64,
    from_client: bool,
}

impl Direction<'_> {
    /// Passes bytes on until either side closes. Reading and writing go side by side, so that a delay
    /// lengthens the way without narrowing it.
    async fn pass(
        mut self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        count: &AtomicU64,
    ) -> Result<(), Cut> {
        let (underway, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_UNDERWAY_MAX);
        let rules = self.rules.clone();
        let reading = async move {
            let mut buffer = vec![0; CHUNK_MAX_BYTES];
            // a reset by either side ends the pipe as a close does
            while let Ok(length @ 1..) = from.read(&mut buffer).await {
                let due = Clock::system().monotonic() + rules.borrow().delay;
                let chunk = buffer.get(..length).unwrap_or_default().to_vec();
                if underway.send((due, chunk)).await.is_err() {
                    return;
                }
            }
        };
        let writing = async move {
            let mut before = Vec::new();
            while let Some((due, chunk)) = arriving.recv().await {
                tokio::time::sleep_until(due).await;
                let (allowed, cut) = self.allowed(&before, &chunk).await;
                let part = chunk.get(..allowed).unwrap_or_default();
                if to.write_all(part).await.is_err() {
                    return Ok(());
                }
                let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
                count.fetch_add(length, Ordering::Relaxed);
                self.passed.fetch_add(length, Ordering::Relaxed);
                if cut {
                    return Err(Cut);
                }
                before = chunk;
            }
            to.shutdown().await.ok();
            Ok(())
        };
        tokio::pin!(writing);
        tokio::select! {
            result = &mut writing => return result,
            () = reading => {}
        }
        writing.await
    }

    /// Waits until something may pass; then how many bytes of the chunk, and whether that is the end.
    async fn allowed(&mut self, before: &[u8], chunk: &[u8]) -> (usize, bool) {
        let open = self.rules.wait_for(|rules| rules.passing != Passing::Nothing).await;
        let Ok(rules) = open else { return (chunk.len(), false) };
        match &rules.passing {
            Passing::Everything | Passing::Nothing => (chunk.len(), false),
            Passing::Cut => (0, true),
            Passing::CutAfter(limit) => {
                let left = limit.saturating_sub(self.passed.load(Ordering::Relaxed));
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                (left.min(chunk.len()), left <= chunk.len())
            }
            Passing::CutAt(words) if self.from_client && !words.is_empty() => {
                // the words may come in two pieces
                let tail = before.len().saturating_sub(words.len() - 1);
                let both = [before.get(tail..).unwrap_or_default(), chunk].concat();
                let said = both.windows(words.len()).any(|window| window == words);
                if said { (0, true) } else { (chunk.len(), false) }
            }
            Passing::CutAt(_) => (chunk.len(), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Ipv4Addr;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A server that says everything back, and a proxy before it.
    fn echo() -> (Backstage, Proxy) {
        let (server, address) = Backstage::start(&Network::here(), ANY, |listener| async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut reads, mut writes) = stream.split();
                    tokio::io::copy(&mut reads, &mut writes).await.ok();
                });
            }
        })
        .expect("a server starts");
        (server, Proxy::start(ANY, address).expect("a proxy starts"))
    }

    fn connect(proxy: &Proxy) -> std::net::TcpStream {
        let stream = std::net::TcpStream::connect(proxy.address()).expect("the proxy accepts");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        stream
    }

    fn say(stream: &mut std::net::TcpStream, words: &str) -> io::Result<String> {
        stream.write_all(words.as_bytes())?;
        let mut answer = vec![0; words.len()];
        stream.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[test]
    fn it_passes_and_counts() {
        let (_server, proxy) = echo();
        let mut stream = connect(&proxy);
        assert_eq!(say(&mut stream, "hello").expect("an echo"), "hello");
        assert_eq!(proxy.connections(), 1);
        // It counts what it has written, which may be read before.
        for _ in 0..100 {
            if proxy.to_client_bytes() == 5 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!((proxy.to_target_bytes(), proxy.to_client_bytes()), (5, 5));
    }

    #[test]
    fn a_delay_lengthens_each_direction() {
        let (_server, proxy) = echo();
        let mut stream = connect(&proxy);
        proxy.delay(Duration::from_millis(60));
        let start = Clock::system().monotonic();
        say(&mut stream, "hello").expect("an echo");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(120), "{took:?}");
        assert!(took < Duration::from_millis(450), "{took:?}");
    }

    #[test]
    fn a_black_hole_swallows_until_it_is_resumed() {
        let (_server, proxy) = echo();
        let mut stream = connect(&proxy);
        proxy.blackhole();
        let error = say(&mut stream, "hello").expect_err("nothing comes back");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let mut second = connect(&proxy);
        say(&mut second, "hello").expect_err("nor on a new connection");
        proxy.resume();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("what was swallowed comes out");
        assert_eq!(&answer, b"hello");
    }

    #[test]
    fn a_cut_resets_old_and_new_connections() {
        let (_server, proxy) = echo();
        let mut stream = connect(&proxy);
        say(&mut stream, "hello").expect("an echo");
        proxy.cut();
        let error = stream.read(&mut [0]).expect_err("the connection is reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        say(&mut connect(&proxy), "hello").expect_err("a new one too");
        proxy.resume();
        say(&mut connect(&proxy), "hello").expect("and then no more");
    }

    #[test]
    fn a_cut_comes_after_so_many_bytes_or_at_a_word() {
        let (_server, proxy) = echo();
        proxy.cut_after(14);
        let mut stream = connect(&proxy);
        say(&mut stream, "hello").expect("ten bytes pass");
        say(&mut stream, "hello").expect_err("twenty do not");
        assert_eq!(proxy.to_target_bytes() + proxy.to_client_bytes(), 14);

        proxy.cut_at("DATA");
        let mut stream = connect(&proxy);
        say(&mut stream, "RCPT").expect("another word passes");
        let before = proxy.to_target_bytes();
        say(&mut stream, "DATA").expect_err("this one does not");
        assert_eq!(proxy.to_target_bytes(), before);
    }
}
