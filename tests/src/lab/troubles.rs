//! What goes wrong in the servers of a lab while they go on running: their settings, their disk, their certificate, the
//! way to them. Each trouble has its end.

use super::mail::GOOD_NAMES;
use super::{Host, Lab, LabError, layout, output_of};
use crate::certificates::Validity;

/// The Sieve script that everybody's mail goes through.
const SCRIPT: &str = "dovecot/sieve/before.sieve";
const AS_EVER: &str = include_str!("templates/before.sieve");
const ALL_TO_JUNK: &str =
    "require [\"fileinto\", \"mailbox\"];\nfileinto :create \"Junk\";\nstop;\n";
/// Where mailboxes are kept.
const MAIL_STORE: &str = "mail/good.test";
/// What takes up the room in a small mail store.
const BALLAST: &str = "mail/good.test/.ballast";

impl Lab {
    /// From now on everything is filed as junk, whatever it is.
    ///
    /// # Errors
    /// The script cannot be written or compiled.
    pub fn file_all_as_junk(&self) -> Result<(), LabError> {
        self.write_script(ALL_TO_JUNK)
    }

    /// From now on mail is filed as ever.
    ///
    /// # Errors
    /// The script cannot be written or compiled.
    pub fn file_as_ever(&self) -> Result<(), LabError> {
        self.write_script(AS_EVER)
    }

    fn write_script(&self, text: &str) -> Result<(), LabError> {
        self.folder.write(SCRIPT, text)?;
        let mut sievec = std::process::Command::new("sievec");
        sievec.arg("-c").arg(self.folder.join("dovecot/dovecot.conf"));
        output_of(sievec.arg(self.folder.join(SCRIPT))).map(drop)
    }

    /// Postfix takes mail, and keeps it in its queue.
    ///
    /// # Errors
    /// Postfix is not running, or refuses.
    pub fn hold_the_queue(&self) -> Result<(), LabError> {
        self.postfix(&["postconf", "-e", "defer_transports=lmtp"])?;
        self.postfix(&["postfix", "reload"])
    }

    /// Postfix delivers what is in its queue, and everything after it.
    ///
    /// # Errors
    /// Postfix is not running, or refuses.
    pub fn let_the_queue_go(&self) -> Result<(), LabError> {
        self.postfix(&["postconf", "-e", "defer_transports="])?;
        self.postfix(&["postfix", "reload"])?;
        self.postfix(&["postqueue", "-f"])
    }

    /// The certificate of Postfix becomes one that is valid so.
    ///
    /// # Errors
    /// It cannot be made, or Postfix is not running.
    pub fn show_certificate(&self, validity: Validity) -> Result<(), LabError> {
        let identity = self.authority.issue(&GOOD_NAMES, validity)?;
        self.folder.write("tls/mail.crt", &identity.certificate_pem())?;
        self.folder.write("tls/mail.key", &identity.key_pem())?;
        self.postfix(&["postfix", "reload"])
    }

    /// Gives the mailboxes a disk of their own, of so many kibibytes: empty, and without those that the lab fills.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn use_small_mail_store(&self, kib: u32) -> Result<(), LabError> {
        let mut command = self.supervisor.server_command("mail");
        command.args(["mount", "-t", "tmpfs", "-o", &format!("size={kib}k,mode=1777"), "tmpfs"]);
        output_of(command.arg(self.folder.join(MAIL_STORE))).map(drop)
    }

    /// Takes up all the room in the small mail store.
    ///
    /// # Errors
    /// There is room left.
    pub fn fill_mail_store(&self) -> Result<(), LabError> {
        let mut command = self.supervisor.server_command("mail");
        // it ends with an error when there is no room left, and that is how it is to end
        let fill = "head -c 1G /dev/zero > \"$1\" 2>/dev/null && exit 1; exit 0";
        output_of(command.args(["sh", "-c", fill, "sh"]).arg(self.folder.join(BALLAST))).map(drop)
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// The disk is not there.
    pub fn empty_mail_store(&self) -> Result<(), LabError> {
        let mut command = self.supervisor.server_command("mail");
        output_of(command.arg("rm").arg(self.folder.join(BALLAST))).map(drop)
    }

    /// On its cable a branch loses so many of a hundred packets, in both directions.
    ///
    /// # Errors
    /// There is no such branch.
    pub fn lose_packets(&self, branch: u8, percent: u8) -> Result<(), LabError> {
        let cable = layout::cable(branch);
        let rules = format!(
            "add table netdev loss; \
             add chain netdev loss in {{ type filter hook ingress device {cable} priority 0; }}; \
             add rule netdev loss in numgen random mod 100 < {percent} drop; \
             add table ip loss; \
             add chain ip loss out {{ type filter hook postrouting priority 0; }}; \
             add rule ip loss out oifname {cable} numgen random mod 100 < {percent} drop"
        );
        output_of(self.command(Host::Router, "nft").arg(rules)).map(drop)
    }

    /// Packets are lost no more.
    ///
    /// # Errors
    /// None were lost.
    pub fn lose_no_packets(&self) -> Result<(), LabError> {
        let rules = "delete table netdev loss; delete table ip loss";
        output_of(self.command(Host::Router, "nft").arg(rules)).map(drop)
    }

    fn postfix(&self, words: &[&str]) -> Result<(), LabError> {
        let mut command = self.supervisor.server_command("mail");
        let (program, rest) = words.split_first().unwrap_or((&"postfix", &[]));
        command.arg(program).arg("-c").arg(self.folder.join("postfix")).args(rest);
        output_of(&mut command).map(drop)
    }
}
