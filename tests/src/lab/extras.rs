//! Servers of the lab that not every test needs, started when they are asked for: the spam filter and
//! greylisting.

use std::time::Duration;

use super::server::Server;
use super::{Lab, LabError};

/// DKIM keys that the filter signs with; the ed25519 one is its seed in base64, as rspamd takes it.
const KEYS: [(&str, &str); 3] = [
    ("s2048", include_str!("templates/dkim.s2048.key")),
    ("s1024", include_str!("templates/dkim.s1024.key")),
    ("ed", include_str!("templates/dkim.ed.key")),
];

impl Lab {
    /// Starts rspamd at [`super::FILTER`], if it does not run yet; takes about a second.
    ///
    /// What comes for `NAME@filter.test` arrives in the mailbox of `NAME@good.test`, with
    /// Authentication-Results of the authserv-id `mx.filter.test` (RFC 8601) about SPF, DKIM and DMARC, and the
    /// headers X-Spamd-Result and X-Spam; GTUBE and EICAR are refused in any encoding, and its variant that
    /// begins with `YJS` and a subject with LAB-SPAM go to Junk. What users submit at port 587 is signed for
    /// good.test with `s2048` (RSA) and `ed` (ed25519), for sender.test with `s2048`, for dkim.test with `s1024`,
    /// and for nospf.test with a selector that is not in DNS.
    ///
    /// # Errors
    /// rspamd is not installed, or does not come up.
    pub fn start_filter(&self) -> Result<(), LabError> {
        self.start_once(Server::Rspamd, || {
            let folder = &self.folder;
            for (name, key) in KEYS {
                folder.write(&format!("dkim/{name}.key"), key)?;
            }
            folder.make_for("rspamd", "_rspamd")?;
            folder.make_for("rspamd/db", "_rspamd")?;
            let text = folder.fill(include_str!("templates/rspamd.conf"), &[]);
            folder.write("rspamd/rspamd.conf", &text)?;
            folder.write("rspamd/rules.lua", include_str!("templates/rspamd.lua"))?;
            folder.write("rspamd/tld", "test\ncom\norg\nnet\nexample\n")?;
            folder.write("log/rspamd.log", "")?;
            folder.give_to("log/rspamd.log", "_rspamd", Duration::ZERO)
        })
    }

    /// Starts postgrey behind [`super::GREY`], if it does not run yet; with this delay (whole seconds), or
    /// with that of whoever was first. What comes there for `NAME@grey.test` is refused with 450 until so much
    /// later, and then arrives in the mailbox of `NAME@good.test`.
    ///
    /// # Errors
    /// postgrey is not installed, or does not come up.
    pub fn start_greylisting(&self, delay: Duration) -> Result<(), LabError> {
        self.start_once(Server::Postgrey, || {
            let folder = &self.folder;
            folder.make_for("postgrey", "postgrey")?;
            folder.write("postgrey/nobody", "")?;
            let path = |name: &str| folder.join(name).display().to_string();
            let arguments = [
                "--inet=127.0.0.1:10023".to_owned(),
                format!("--dbdir={}", path("postgrey")),
                format!("--delay={}", delay.as_secs()),
                "--retry-window=1".to_owned(),
                "--auto-whitelist-clients=0".to_owned(),
                format!("--whitelist-clients={}", path("postgrey/nobody")),
                format!("--whitelist-recipients={}", path("postgrey/nobody")),
                "--greylist-text=Greylisted by the lab, try again later".to_owned(),
            ];
            folder.write("postgrey/arguments", &arguments.join("\n"))
        })
    }

    fn start_once(
        &self,
        server: Server,
        prepare: impl FnOnce() -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        // tests that share a lab ask at the same time: one starts it, the others wait
        let _starting = self.starting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.running().contains_key(&server) {
            return Ok(());
        }
        if !std::path::Path::new(server.program()).exists() {
            return Err(LabError::Missing(server.program()));
        }
        prepare()?;
        self.launch(server)?;
        self.wait_for(server)
    }
}
