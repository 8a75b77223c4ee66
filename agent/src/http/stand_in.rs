//! A web server for the tests of this crate: says whatever bytes it is told to, over TCP or TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::net::TlsTrust;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Request line and header fields, as sent.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    /// The path and query of the request line.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// The value of a form's field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut fields = url::form_urlencoded::parse(self.body.as_bytes());
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// What is said.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes after so long.
    Late(Duration, Vec<u8>),
    /// These bytes one by one, with such a pause after each.
    Dripping(Duration, Vec<u8>),
    /// These bytes, and again and again, without end.
    Endless(Vec<u8>),
    /// These bytes, and then nothing.
    Stalled(Vec<u8>),
}

/// An answer with its length.
pub(crate) fn answer(status: &str, media_type: &str, body: &str) -> Said {
    let length = body.len();
    Said::Bytes(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// The server; it ends when it is dropped.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Web {
    /// Over TCP.
    pub(crate) async fn start(say: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        Self::listen(None, say).await
    }

    /// Over TLS, with a certificate for this name; and whom to trust for it.
    pub(crate) async fn start_tls(
        name: &str,
        say: impl Fn(&Asked) -> Said + Send + Sync + 'static,
    ) -> (Self, TlsTrust) {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let web = Self::listen(Some(TlsAcceptor::from(Arc::new(config))), say).await;
        (web, TlsTrust::roots(roots))
    }

    /// A URL of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn listen(
        acceptor: Option<TlsAcceptor>,
        say: impl Fn(&Asked) -> Said + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (say, heard) = (Arc::new(say), Arc::clone(&asked));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, say) = (acceptor.clone(), Arc::clone(&say));
                let heard = Arc::clone(&heard);
                connections.spawn(async move {
                    match acceptor {
                        None => serve(stream, &*say, &heard).await,
                        Some(acceptor) => {
                            serve(acceptor.accept(stream).await.ok()?, &*say, &heard).await
                        }
                    }
                });
            }
        });
        Self { address, asked, _tasks: tasks }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    say: &impl Fn(&Asked) -> Said,
    heard: &Mutex<Vec<Asked>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let asked = Asked { head, body: String::from_utf8(body).ok()? };
    heard.lock().unwrap().push(asked.clone());
    match say(&asked) {
        Said::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
        Said::Late(pause, bytes) => {
            tokio::time::sleep(pause).await;
            stream.write_all(&bytes).await.ok()?;
        }
        Said::Dripping(pause, bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        Said::Endless(bytes) => loop {
            stream.write_all(&bytes).await.ok()?;
        },
        Said::Stalled(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            std::future::pending::<()>().await;
        }
    }
    stream.shutdown().await.ok()
}
