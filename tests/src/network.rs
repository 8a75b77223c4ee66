//! Which network a piece of the tests lives in: the machine's own, or one host of a lab.
//!
//! A socket stays in the network it was made in, so a thread that has entered a lab's network can make
//! one and hand it on. That is how the tests' own process speaks to the lab without a helper program.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio_util::sync::CancellationToken;

/// A network to make sockets in.
#[derive(Clone, Debug)]
pub struct Network {
    namespace: Option<Arc<File>>,
}

impl Network {
    /// The machine's own network.
    pub const fn here() -> Self {
        Self { namespace: None }
    }

    /// The network namespace that this file stands for.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { namespace: Some(Arc::new(File::open(path)?)) })
    }

    /// Moves the current thread into this network, for good.
    ///
    /// # Errors
    /// The kernel refuses: needs root.
    pub fn enter(&self) -> io::Result<()> {
        match &self.namespace {
            Some(file) => {
                Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
            }
            None => Ok(()),
        }
    }

    /// Does something on a thread of its own in this network, and waits for it.
    ///
    /// # Errors
    /// Those of `work`; the network cannot be entered; `work` panicked.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter()?;
                work()
            });
            thread.join().unwrap_or_else(|_| Err(io::Error::other("panicked in the network")))
        })
    }

    /// Connects from this network. The socket works anywhere in this process.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn connect(&self, to: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        self.inside(|| TcpStream::connect_timeout(&to, within))
    }

    /// Listens in this network. The socket works anywhere in this process.
    ///
    /// # Errors
    /// Those of binding.
    pub fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        self.inside(|| TcpListener::bind(at))
    }
}

/// A thread with a small runtime of its own inside a network, for a server that tests talk to.
///
/// It does not share the test's runtime, so that a busy or paused one does not change what the server
/// does. Dropping it ends it.
#[derive(Debug)]
pub struct Backstage {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Backstage {
    /// Binds `listen` in `network` and serves it until dropped. Returns where it listens.
    ///
    /// # Errors
    /// The network cannot be entered, the address cannot be bound, or there is no thread left.
    pub fn start<F>(
        network: &Network,
        listen: SocketAddr,
        serve: impl FnOnce(tokio::net::TcpListener) -> F + Send + 'static,
    ) -> io::Result<(Self, SocketAddr)>
    where
        F: Future<Output = ()>,
    {
        let network = network.clone();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let (tell, bound) = sync_channel(1);
        let thread = std::thread::Builder::new().name("backstage".to_owned()).spawn(move || {
            match open(&network, listen) {
                Ok((runtime, listener, address)) => {
                    let told = tell.send(Ok(address));
                    if told.is_ok() {
                        runtime.block_on(until.run_until_cancelled(serve(listener)));
                    }
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let backstage = Self { stop, thread: Some(thread) };
        let address = bound.recv().map_err(io::Error::other)??;
        Ok((backstage, address))
    }
}

impl Drop for Backstage {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn open(
    network: &Network,
    listen: SocketAddr,
) -> io::Result<(tokio::runtime::Runtime, tokio::net::TcpListener, SocketAddr)> {
    network.enter()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(listen))?;
    let address = listener.local_addr()?;
    Ok((runtime, listener, address))
}
