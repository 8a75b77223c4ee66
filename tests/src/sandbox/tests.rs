//! Speaks to a sandbox as mail clients do: lettre for SMTP, imap-next for IMAP.

mod client;

mod delivering;
mod reading;
mod watching;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::{Sandbox, SandboxOptions, User};
use client::{Reader, submit};

const ALICE: &str = "alice@sandbox.test";
const BOB: &str = "bob@sandbox.test";
const PASSWORD: &str = "correct horse";

/// A running sandbox that ends with the test.
struct Running {
    sandbox: Sandbox,
    _end: DropGuard,
}

fn options() -> SandboxOptions {
    let user = |address: &str| User { address: address.into(), password: PASSWORD.into() };
    SandboxOptions { users: vec![user(ALICE), user(BOB)], ..SandboxOptions::named("mx.test") }
}

async fn start(options: SandboxOptions) -> Running {
    let shutdown = CancellationToken::new();
    let sandbox = Sandbox::start(options, shutdown.clone()).await.unwrap();
    Running { sandbox, _end: shutdown.drop_guard() }
}

impl Running {
    async fn send(&self, to: &str, message: &str) {
        submit(&self.sandbox, to, message.as_bytes()).await.unwrap();
    }

    /// An IMAP session of Alice's with this mailbox open.
    async fn reader(&self, mailbox: &str) -> Reader {
        let mut reader = Reader::connect(&self.sandbox).await;
        reader.sign_in(ALICE, PASSWORD).await.unwrap();
        reader.select(mailbox).await;
        reader
    }
}

/// A message that is easy to find again.
fn message(subject: &str, body: &str) -> String {
    format!("From: <{BOB}>\r\nTo: <{ALICE}>\r\nSubject: {subject}\r\n\r\n{body}")
}

/// Fails a test that hangs.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("took too long")
}

#[tokio::test]
async fn it_ends_at_once_when_it_is_told_to() {
    let shutdown = CancellationToken::new();
    let sandbox = Sandbox::start(options(), shutdown.clone()).await.unwrap();
    let _connected = Reader::connect(&sandbox).await;
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(1), sandbox.join()).await.unwrap();
}

#[tokio::test]
async fn connections_are_limited() {
    let mut few = options();
    few.limits.connections = 2;
    let running = start(few).await;
    let first = Reader::connect(&running.sandbox).await;
    let _second = Reader::connect(&running.sandbox).await;
    assert!(Reader::try_connect(&running.sandbox).await.is_err());
    drop(first);
    soon(async { while Reader::try_connect(&running.sandbox).await.is_err() {} }).await;
}

#[test]
fn a_user_is_printed_without_the_password() {
    let printed = format!("{:?}", options());
    assert!(printed.contains(ALICE) && !printed.contains(PASSWORD), "{printed}");
}

#[tokio::test]
async fn the_ca_is_written_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let running = start(SandboxOptions { ca_pem_file: Some(path.clone()), ..options() }).await;
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, running.sandbox.ca_pem());
    assert!(written.starts_with("-----BEGIN CERTIFICATE-----"));
}
