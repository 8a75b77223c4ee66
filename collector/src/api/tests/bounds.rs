//! A peer that says nothing, too little at a time, or too much, is let go.

use std::time::Duration;

use mailsonde_proto::Clock;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::Running;
use super::walk::tls;

/// The limit is 15 seconds; a machine that is busy gets more.
const AT_MOST: Duration = Duration::from_secs(40);

async fn connected(running: &Running) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tls(&running.enrolment.authorities.current(), false).connect(name, stream).await.unwrap()
}

/// Reads until the other end is gone; how that was is the same.
async fn wait_for_the_end(stream: &mut TlsStream<TcpStream>) {
    let mut bytes = [0; 1_024];
    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_a_connection_for_nothing_loses_it() {
    let running = Running::start().await;
    let silent = async {
        wait_for_the_end(&mut connected(&running).await).await;
    };
    let idle = async {
        let mut stream = connected(&running).await;
        stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        wait_for_the_end(&mut stream).await;
    };
    let dripping = async {
        let mut stream = connected(&running).await;
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (mut incoming, mut outgoing) = tokio::io::split(stream);
        let drip = async {
            while outgoing.write_all(b"a: b\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let mut bytes = Vec::new();
        tokio::select! {
            () = drip => {}
            _ended = incoming.read_to_end(&mut bytes) => {}
        }
    };
    let long = async {
        let mut stream = connected(&running).await;
        let (head, begun) = (vec![b'a'; 1 << 20], Clock::system().monotonic());
        stream.write_all(b"GET /").await.unwrap();
        stream.write_all(&head).await.ok();
        wait_for_the_end(&mut stream).await;
        let took = Clock::system().monotonic() - begun;
        assert!(took < Duration::from_secs(10), "it was not refused at once: {took:?}");
    };
    let all = Box::pin(async { tokio::join!(silent, idle, dripping, long) });
    tokio::time::timeout(AT_MOST, all).await.expect("a connection was kept");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_has_its_share_of_connections_and_no_more() {
    let running = Running::start().await;
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(connected(&running).await);
    }
    wait_for_the_end(&mut connected(&running).await).await;
    // long before those that are held are let go for their silence
    let first = held.first_mut().unwrap();
    first.write_all(b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_much_is_told_to_wait() {
    let running = Running::start().await;
    let mut stream = connected(&running).await;
    let mut last = String::new();
    for asked in 0..1_000 {
        stream.write_all(b"GET /api/v1/me HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // a problem ends so
        while !answer.ends_with(b"}") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it ended after {asked}");
        }
        last = String::from_utf8(answer).unwrap();
        assert!(last.contains("ratelimit-policy: \"default\";q=300;w=30"), "{last}");
        if !last.starts_with("HTTP/1.1 401 ") {
            break;
        }
    }
    assert!(last.starts_with("HTTP/1.1 429 ") && last.contains("retry-after: 1"), "{last}");
    assert!(last.contains("application/problem+json"), "{last}");
    running.stop().await;
}
