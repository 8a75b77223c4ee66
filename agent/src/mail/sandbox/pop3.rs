//! A small POP3 server: each session sees INBOX as it was at the sign-in, and removes at QUIT.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Folders, Stored};

pub(super) async fn serve(stream: TcpStream, folders: Folders) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"+OK sandbox\r\n").await.ok()?;
    let mut shown: Vec<Stored> = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let index = words.get(1).and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
        let of_number = shown.get(index.wrapping_sub(1)).cloned();
        let answer = match (words.first().copied()?, of_number) {
            ("CAPA", _) => "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN\r\n.\r\n".to_owned(),
            ("AUTH", _) => {
                shown = folders.all(0);
                "+OK in\r\n".to_owned()
            }
            ("UIDL", _) => {
                let lines = shown.iter().enumerate();
                let lines: String =
                    lines.map(|(at, stored)| format!("{} u{}\r\n", at + 1, stored.uid)).collect();
                format!("+OK\r\n{lines}.\r\n")
            }
            ("STAT", _) => {
                let bytes: usize = shown.iter().map(|stored| stored.text.len()).sum();
                format!("+OK {} {bytes}\r\n", shown.len())
            }
            ("LIST", Some(stored)) => format!("+OK {index} {}\r\n", stored.text.len()),
            ("TOP", Some(stored)) => {
                let (head, body) = stored.text.split_once("\r\n\r\n")?;
                let lines = words.get(2)?.parse().ok()?;
                let body: String = body.split_inclusive('\n').take(lines).collect();
                let text = stuffed(&format!("{head}\r\n\r\n{body}"));
                format!("+OK\r\n{}\r\n\r\n.\r\n", text.trim_end())
            }
            ("RETR", Some(stored)) => format!("+OK\r\n{}\r\n.\r\n", stuffed(&stored.text)),
            ("DELE", Some(_)) => {
                shown[index - 1].deleted = true;
                "+OK\r\n".to_owned()
            }
            ("QUIT", _) => {
                folders.forget(0, &shown);
                stream.write_all(b"+OK bye\r\n").await.ok()?;
                return None;
            }
            _ => "-ERR what\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn stuffed(text: &str) -> String {
    format!("\r\n{}", text.trim_end()).replace("\r\n.", "\r\n..").replacen("\r\n", "", 1)
}
