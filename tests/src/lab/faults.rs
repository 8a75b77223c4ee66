//! What tests do to the servers of a lab while it runs.

use std::time::Duration;

use super::server::{Running, Server};
use super::{Host, Lab, LabError, layout, output_of, within};

const QUEUED_WITHIN: Duration = Duration::from_secs(10);

impl Lab {
    /// Stops all processes of a server (SIGSTOP): the kernel still accepts connections for it, and
    /// nothing answers.
    pub fn stop(&self, server: Server) {
        if let Some(running) = self.running().get(&server) {
            running.stop();
        }
    }

    /// Lets a stopped server go on (SIGCONT).
    pub fn resume(&self, server: Server) {
        if let Some(running) = self.running().get(&server) {
            running.resume();
        }
    }

    /// Kills all processes of a server (SIGKILL): its ports refuse connections.
    ///
    /// # Errors
    /// The server cannot be waited for.
    pub fn kill(&self, server: Server) -> Result<(), LabError> {
        let running = self.running().remove(&server);
        match running {
            Some(running) => running.kill().map_err(LabError::io("wait for a killed server")),
            None => Ok(()),
        }
    }

    /// Kills a server if it runs, starts it and waits until it answers. Mail and queue are kept.
    ///
    /// # Errors
    /// It does not come up again.
    pub fn restart(&self, server: Server) -> Result<(), LabError> {
        self.kill(server)?;
        self.launch(server)?;
        self.wait_for(server)
    }

    /// Takes the cable of a branch down: packets vanish, no connection is reset.
    ///
    /// # Errors
    /// There is no such branch.
    pub fn take_link_down(&self, branch: u8) -> Result<(), LabError> {
        self.set_link(branch, "down")
    }

    /// Puts the cable of a branch up again.
    ///
    /// # Errors
    /// There is no such branch.
    pub fn bring_link_up(&self, branch: u8) -> Result<(), LabError> {
        self.set_link(branch, "up")
    }

    /// Releases a message that Postfix holds for `hold@good.test` and its like: now it is delivered.
    ///
    /// # Errors
    /// Postfix has not queued it, or is not running.
    pub fn release_held(&self, message_id: &str) -> Result<(), LabError> {
        let what = || format!("queueing of {message_id}");
        let mut id = None;
        within(QUEUED_WITHIN, || {
            id = self.mail_log().queue_id(message_id);
            id.is_some()
        });
        let id = id.ok_or_else(|| LabError::TooLate { what: what(), within: QUEUED_WITHIN })?;
        let mut command = self.supervisor.server_command("mail");
        command.args(["postsuper", "-c"]).arg(self.folder.join("postfix")).args(["-H", &id]);
        output_of(&mut command).map(drop)
    }

    /// From now on, records what clients say to Dovecot by IMAP as this user, for
    /// [`Lab::imap_commands`]. Connections that are open already are not recorded.
    ///
    /// # Errors
    /// The folder for it cannot be made.
    pub fn record_imap(&self, name: &str) -> Result<(), LabError> {
        let room = format!("rawlog/{name}");
        std::fs::create_dir_all(self.folder.join(&room)).map_err(LabError::io("make a folder"))?;
        self.folder.permit(&room, 0o1777)
    }

    /// How many lines clients have sent by IMAP after login as this user, since
    /// [`Lab::record_imap`].
    pub fn imap_commands(&self, name: &str) -> usize {
        let Ok(files) = std::fs::read_dir(self.folder.join(&format!("rawlog/{name}"))) else {
            return 0;
        };
        let sent = files.flatten().map(|entry| entry.path());
        sent.filter(|path| path.extension().is_some_and(|extension| extension == "in"))
            .map(|path| {
                let text = std::fs::read(path).unwrap_or_default();
                text.iter().filter(|byte| **byte == b'\n').count()
            })
            .sum()
    }

    /// Memory of all servers in bytes, shared pages counted by their part.
    pub fn memory_bytes(&self) -> u64 {
        self.running().values().map(Running::memory_bytes).sum()
    }

    fn set_link(&self, branch: u8, state: &str) -> Result<(), LabError> {
        let mut command = self.command(Host::Router, "ip");
        output_of(command.args(["link", "set", &layout::cable(branch), state])).map(drop)
    }
}
