//! What a browser gets that asks for what there is not: a page that leads on; and a program, one problem in our words.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Running;

/// The whole answer to this head, and body.
async fn told(running: &Running, head: &str, body: &str) -> String {
    let socket = running.folder.operators_socket().unwrap();
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const BROWSER: &str = "accept: text/html,application/xhtml+xml;q=0.9";

#[tokio::test]
async fn a_page_that_there_is_not_leads_on() {
    let running = Running::start().await;
    for path in ["/nothing", "/incidents/4711", "/services/nobody", "/checks/a/b", "/agents/x"] {
        let page = told(&running, &format!("GET {path} HTTP/1.1\r\n{BROWSER}"), "").await;
        assert!(page.starts_with("HTTP/1.1 404 "), "{path}: {page}");
        assert!(page.contains("<nav aria-label=\"Pages\">"), "{path}: {page}");
    }
    for (path, accept) in [("/nothing", "accept: */*"), ("/api/v1/nothing", BROWSER)] {
        let problem = told(&running, &format!("GET {path} HTTP/1.1\r\n{accept}"), "").await;
        assert!(problem.contains("application/problem+json"), "{path}: {problem}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_parameter_that_cannot_be_taken_is_told_in_our_words() {
    let running = Running::start().await;
    for (path, words) in [
        ("/api/v1/sla?month=9999-99", "a parameter cannot be taken: month: "),
        ("/api/v1/objectives?sevice=x", "a parameter cannot be taken: "),
    ] {
        let problem = told(&running, &format!("GET {path} HTTP/1.1"), "").await;
        assert!(problem.starts_with("HTTP/1.1 400 ") && problem.contains(words), "{problem}");
        assert!(!problem.contains("deserialize"), "{problem}");
    }
    running.stop().await;
}
