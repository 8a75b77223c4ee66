//! Who handed the message to the receiving organisation: the client that its border server saw.
//!
//! Only a server of the receiving organisation can be believed, and which those are only the operator
//! can say. From the newest hop down, the first server that is one of them, and those of them right
//! below it, are the organisation; the oldest of these is its border. A hop over which a user of theirs
//! signed in to hand the message in is no border: SPF is not for it (RFC 7208 section 2.4 speaks of
//! mail from other hosts).

use std::net::IpAddr;

use crate::mail::headers::block::Block;
use crate::mail::headers::{Headers, Hop};

/// The client at the border, and the envelope's sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Its address.
    pub(super) ip: IpAddr,
    /// What it called itself.
    pub(super) helo: String,
    /// The border server that says so.
    pub(super) by: String,
    /// The envelope's sender (Return-Path); empty for the null sender.
    pub(super) sender: String,
}

impl Client {
    /// Who it was, or why that is not known.
    pub(super) fn of(
        block: &Block<'_>,
        headers: &Headers,
        receivers: &[String],
    ) -> Result<Self, &'static str> {
        if receivers.is_empty() {
            return Err("no receiver is configured whose word on the client counts");
        }
        let is_ours = |by: Option<&String>| {
            by.is_some_and(|by| receivers.iter().any(|receiver| is_at_or_below(by, receiver)))
        };
        let hops = headers.way.hops.iter().rev().map(|passed| &passed.hop);
        let border = hops
            .skip_while(|hop| !is_ours(hop.by.as_ref()))
            .take_while(|hop| is_ours(hop.by.as_ref()) && !is_submission(hop))
            .last()
            .ok_or("none of the receiver's servers took it from another organisation")?;
        let ip = border.from_ip.ok_or("the receiver's border server names no client address")?;
        let helo = border.helo.as_ref().or(border.from.as_ref()).cloned().unwrap_or_default();
        let sender = block.first("Return-Path").ok_or("it has no Return-Path")?;
        let sender = sender.trim().trim_matches(['<', '>']).to_owned();
        Ok(Self { ip, helo, by: border.by.clone().unwrap_or_default(), sender })
    }

    /// The domain that SPF was asked for.
    pub(super) fn domain(&self) -> String {
        let domain = self.sender.rsplit_once('@').map(|(_, domain)| domain);
        domain.unwrap_or(&self.helo).to_owned()
    }
}

/// The protocol's word ends with A where the client had signed in (RFC 3848).
fn is_submission(hop: &Hop) -> bool {
    let with = hop.with.as_deref().unwrap_or_default().to_ascii_uppercase();
    ["TPA", "TPSA"].iter().any(|end| with.ends_with(end))
}

fn is_at_or_below(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.trim_end_matches('.'), domain.trim_matches('.'));
    let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
    !domain.is_empty()
        && host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Return-Path: <a@far.test>\r\n\
        Received: from mx.good.test (mx.good.test [10.0.0.2]) by mail.good.test with LMTP id 3\r\n\
        Received: from filter (localhost [127.0.0.1]) by mx.good.test with ESMTP id 2\r\n\
        Received: from out.far.test (out.far.test [192.0.2.7]) by mx.good.test with ESMTPS id 1\r\n\
        Received: from mx.good.test (x [203.0.113.9]) by out.far.test with ESMTP id 0\r\n\
        Received: from forged (x [203.0.113.1]) by mx.good.test with ESMTP id 0\r\n\r\n";

    fn client(message: &str, receivers: &[&str]) -> Result<String, &'static str> {
        let receivers: Vec<_> = receivers.iter().map(|&text| text.to_owned()).collect();
        let block = Block::of(message.as_bytes());
        let client = Client::of(&block, &Headers::of(message.as_bytes()), &receivers)?;
        Ok(format!("{} {} {} {}", client.ip, client.helo, client.by, client.sender))
    }

    #[test]
    fn the_border_server_alone_is_believed() {
        let expected = "192.0.2.7 out.far.test mx.good.test a@far.test";
        for receivers in
            [&["good.test"][..], &["mx.good.test"], &["MX.GOOD.TEST."], &["x.test", "good.test"]]
        {
            assert_eq!(client(MESSAGE, receivers).as_deref(), Ok(expected), "{receivers:?}");
        }
    }

    #[test]
    fn otherwise_nothing_is_guessed() {
        for (message, receivers) in [
            (MESSAGE.to_owned(), &[][..]),
            (MESSAGE.to_owned(), &["ood.test"]),
            (MESSAGE.replace("Return-Path", "X-Return-Path"), &["good.test"]),
            (MESSAGE.replace(" [192.0.2.7]", ""), &["good.test"]),
            // a user of the receiver's own
            (MESSAGE.replace("with LMTP", "with ESMTPSA"), &["good.test"]),
        ] {
            assert!(client(&message, receivers).is_err(), "{message}");
        }
        let null = MESSAGE.replace("<a@far.test>", "<>");
        assert_eq!(client(&null, &["good.test"]).unwrap(), "192.0.2.7 out.far.test mx.good.test ");
    }
}
