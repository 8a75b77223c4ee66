//! The lab: real mail and DNS servers in network namespaces of their own, started in a second or two,
//! gone without a trace when dropped.
//!
//! Postfix and Dovecot stand on the mail host at the standard ports; Knot serves a signed root and about a
//! hundred zones below `test.`, most of them broken on purpose in one way each, and a second Knot has them
//! by transfer; Unbound validates; a web server has what mail needs of the web. The spam filter and
//! greylisting start when a test asks for them. Branches are hosts of their own behind a router:
//! [`Lab::command`] starts a program there, with the lab's resolver, so that `mail.good.test` has an
//! address. Several labs run at once, each with the same addresses, and none sees another.
//!
//! # What is where
//!
//! **Hosts** are the constants of addresses, each with its ports. **Domains** are in `lab/templates/zones`:
//! good.zones (nothing is wrong), spf.zones, dmarc.zones (BIMI too), dkim.zones, mx.zones (MX, addresses, PTR,
//! SRV, CAA, TTLs), transport.zones (MTA-STS, TLSRPT, DANE), dnssec.zones (DNSSEC and name servers), dnsbl.zones;
//! a line above each zone says what is wrong with it. Their web pages are in `lab/web`.
//!
//! **Users** at good.test, each with the password `secret-NAME`: `alice`, `bob`; `full` (its mailbox is), `nearly`
//! (95 % of its quota of 100 KiB), `stuck` (INBOX with messages of 3 days, 2 hours and now, `Outgoing` with two
//! of 5 and 4 hours), `away` (answers automatically), `copied` (a copy of what it sends is put into `Sent`). `p001` and
//! on have the password `probe`.
//!
//! **Recipients** for any mailbox, here p007: `p007+tag`; the aliases `fwd-p007`, `dup-p007` (arrives twice),
//! `hold-p007` (until [`Lab::release_held`]), `discard-p007` (never arrives), `list-p007` (a list: bob has it too),
//! `away-p007` and `p007+away` (arrives, and is answered), `p007@grey.test` (greylisted at [`GREY`]),
//! `p007@filter.test` (checked at [`FILTER`]). `list` is alice and bob. `reject` and `tempfail` are refused at RCPT, `full` too
//! at port 25; to `full` through submission, and to anybody at bounce.test, mail is accepted and bounces.
//!
//! **Content**: a subject with LAB-SPAM, `X-Spam-Flag: YES` or `X-Spam: Yes` goes to Junk, one with LAB-FILED to
//! `Filed`; GTUBE, EICAR (plain, or in base64 from its beginning), attachments of programs (`.exe` and the like)
//! and more than 5 MiB are refused after DATA; a line that begins with LAB-CORRUPT-ME is altered, a header
//! X-Lab-Strip taken away.
//!
//! Deliberately absent: IPv6, which has room.

mod dns;
mod error;
mod extras;
mod faults;
mod folder;
mod layout;
mod mail;
mod mail_log;
mod process;
mod server;
mod supervisor;
mod troubles;
mod users;
mod web;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::dns::{Manner, OddNameServer};
pub use self::error::LabError;
pub use self::layout::{
    BAD_ENDPOINTS, FILTER, GREY, MAIL, MAIL_2, NAME_SERVER, NAME_SERVER_2, NAME_SERVER_3, NO_PTR,
    OLD_NAME_SERVER, RELAY, RESOLVER, SPARE, TWO_PTR, WEB, WRONG_PTR, branch_address,
};
pub use self::mail_log::{Delivery, Entry, MailLog};
pub use self::server::Server;
pub use self::users::User;
pub use self::web::{Page, Request};

use self::folder::Folder;
use self::server::Running;
use self::supervisor::Supervisor;
use self::web::Web;
use crate::certificates::{Authority, Identity, Validity};
use crate::network::Network;

/// How often a condition is looked at while we wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What kind of lab.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// How many branches, each in a network of its own: 1 to 250.
    pub branches: u8,
    /// How many mailboxes for probes: `p001@good.test` and on, each with a uid of its own.
    pub probe_users: u16,
    /// How long Postfix tries to deliver before it bounces.
    pub queue_lifetime: Duration,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self { branches: 1, probe_users: 60, queue_lifetime: Duration::from_secs(3600) }
    }
}

/// A host of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Between the others.
    Router,
    /// Where the servers are.
    Mail,
    /// A branch, from 1.
    Branch(u8),
}

impl Host {
    fn name(self) -> String {
        match self {
            Self::Router => "router".to_owned(),
            Self::Mail => "mail".to_owned(),
            Self::Branch(number) => format!("b{number}"),
        }
    }
}

/// Running servers; see the module. Dropping it ends and removes everything.
pub struct Lab {
    // in the order in which they go: servers first, the folder last
    web: Web,
    running: Mutex<BTreeMap<Server, Running>>,
    supervisor: Supervisor,
    authority: Authority,
    users: Vec<User>,
    claimed: AtomicUsize,
    starting: Mutex<()>,
    folder: Folder,
}

/// One lab for all tests of this process that only send and read, each with a user that it claims.
/// Nobody drops it: it goes when the process ends, like every lab.
///
/// # Errors
/// Why it could not be started; the same for every caller.
pub fn shared() -> Result<&'static Lab, &'static LabError> {
    static SHARED: LazyLock<Result<Lab, LabError>> =
        LazyLock::new(|| Lab::start(LabOptions { probe_users: 250, ..LabOptions::default() }));
    SHARED.as_ref()
}

impl Lab {
    /// Starts all servers and waits until they answer. Blocks for a second or two.
    ///
    /// # Errors
    /// Not root, a program is missing, or a server does not come up: the error has its log.
    pub fn start(options: LabOptions) -> Result<Self, LabError> {
        check_requirements()?;
        dns::begin();
        let folder = Folder::new()?;
        let hosts: Vec<String> = [Host::Router, Host::Mail]
            .into_iter()
            .chain((1..=options.branches).map(Host::Branch))
            .map(Host::name)
            .collect();
        layout::write_batches(&folder, options.branches)?;
        folder.write("etc/resolv.conf", include_str!("lab/templates/resolv.conf"))?;
        folder.write("etc/nsswitch.conf", include_str!("lab/templates/nsswitch.conf"))?;
        folder.write("supervisor.sh", include_str!("lab/templates/supervisor.sh"))?;
        let supervisor = Supervisor::start(folder.path(), &hosts)?;
        let authority = Authority::new()?;
        let users = users::everybody(options.probe_users);
        let running = Mutex::default();
        let claimed = AtomicUsize::new(0);
        let starting = Mutex::default();
        let router = supervisor.network(&Host::Mail.name());
        let network = Network::open(&router).map_err(LabError::io("open a network"))?;
        let web = Web::start(&network, &authority)?;
        let lab = Self { web, running, supervisor, authority, users, claimed, starting, folder };
        lab.start_servers(&options)?;
        Ok(lab)
    }

    fn start_servers(&self, options: &LabOptions) -> Result<(), LabError> {
        let folder = &self.folder;
        let identities = mail::write_certificates(folder, &self.authority)?;
        mail::prepare_postfix(folder, &self.users, options.queue_lifetime)?;
        self.launch(Server::Postfix)?; // the slowest to come up, so it goes first
        mail::prepare_dovecot(folder, &self.users)?;
        users::write_old_messages(folder)?;
        self.launch(Server::Dovecot)?;
        dns::prepare(folder, options.branches, &identities)?;
        self.launch(Server::Knot)?;
        self.wait_for(Server::Knot)?; // or Unbound would remember it as dead
        dns::delegate(self)?;
        self.launch(Server::SecondKnot)?;
        self.launch(Server::Unbound)?;
        for server in Server::ALL {
            self.wait_for(server)?;
        }
        dns::wait_for_transfers(self)?;
        users::fill_mailboxes(&folder.join("dovecot/run/lmtp"))
            .map_err(LabError::io("fill mailboxes"))
    }

    /// A command on a host, to which arguments can be added. It sees the lab's network and resolver and
    /// otherwise the machine as it is; its process id is that of the program itself.
    pub fn command(&self, host: Host, program: impl AsRef<std::ffi::OsStr>) -> Command {
        const ENTER: &str = "mount --bind \"$1\" \"$(readlink -f /etc/resolv.conf)\" && \
                             mount --bind \"$2\" /etc/nsswitch.conf && shift 2 && exec \"$@\"";
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.supervisor.network(&host.name()).display()))
            .args(["--", "unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-c"])
            .args([ENTER, "sh"])
            .arg(self.folder.join("etc/resolv.conf"))
            .arg(self.folder.join("etc/nsswitch.conf"))
            .arg(program);
        command
    }

    /// A host's network, for sockets of the tests' own process, a [`crate::proxy::Proxy`] or a
    /// [`crate::hostile::Script`].
    ///
    /// # Errors
    /// There is no such host.
    pub fn network(&self, host: Host) -> Result<Network, LabError> {
        Network::open(&self.supervisor.network(&host.name()))
            .map_err(LabError::io(format!("open the network of {}", host.name())))
    }

    /// The folder with everything in it; `log` has the servers' logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the lab's authority.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("tls/ca.crt")
    }

    /// The lab's authority, for a client's TLS configuration.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A certificate for a server that a test starts itself.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn identity(&self, names: &[&str]) -> Result<Identity, LabError> {
        Ok(self.authority.issue(names, Validity::Current)?)
    }

    /// Everybody who has a mailbox: alice, bob, full, then p001 and on.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// One of them by name, such as `alice` or `p001`.
    ///
    /// # Errors
    /// There is no such user in this lab.
    pub fn user(&self, name: &str) -> Result<User, LabError> {
        let address = format!("{name}@good.test");
        let user = self.users.iter().find(|user| user.address == address).cloned();
        user.ok_or_else(|| LabError::Program { what: "the lab", output: format!("no user {name}") })
    }

    /// A probe user that nobody else has claimed, so that tests can share a lab.
    ///
    /// # Errors
    /// All are taken: start the lab with more.
    pub fn claim_user(&self) -> Result<User, LabError> {
        let next = self.claimed.fetch_add(1, Ordering::Relaxed) + 1;
        self.user(&format!("p{next:03}"))
    }

    /// The logs of Postfix and Dovecot as they are now.
    pub fn mail_log(&self) -> MailLog {
        let paths = [Server::Postfix, Server::Dovecot].map(|server| self.log_file(server));
        MailLog::read(&paths.each_ref().map(PathBuf::as_path))
    }

    /// Where a server's log is.
    pub fn log_file(&self, server: Server) -> PathBuf {
        self.folder.join(server.log())
    }

    /// Waits until a message is stored in a mailbox.
    ///
    /// # Errors
    /// It was not, in that time.
    pub fn wait_for_delivery(
        &self,
        message_id: &str,
        in_time: Duration,
    ) -> Result<Delivery, LabError> {
        let mut delivery = None;
        within(in_time, || {
            delivery = self.mail_log().deliveries_of(message_id).into_iter().next();
            delivery.is_some()
        });
        let what = format!("delivery of {message_id}");
        delivery.ok_or(LabError::TooLate { what, within: in_time })
    }
}

impl Lab {
    fn running(&self) -> MutexGuard<'_, BTreeMap<Server, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self, server: Server) -> Result<(), LabError> {
        let running = Running::start(server, &self.folder, &self.supervisor)?;
        self.running().insert(server, running);
        Ok(())
    }

    fn wait_for(&self, server: Server) -> Result<(), LabError> {
        let network = self.network(Host::Mail)?;
        match self.running().get_mut(&server) {
            Some(running) => running.wait_until_it_listens(&network, &self.folder),
            None => Ok(()),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // the folder goes with the lab, and the reason is often in here
            let logs = [Server::Postfix, Server::Dovecot].map(|s| server::tail(&self.log_file(s)));
            drop(io::stderr().write_all(logs.concat().as_bytes()));
        }
        drop(self.supervisor.end());
        for running in self.running().values_mut() {
            drop(running.finish());
        }
    }
}

fn check_requirements() -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let programs = Server::ALL.map(Server::program);
    match programs.into_iter().find(|program| !Path::new(program).exists()) {
        Some(program) => Err(LabError::Missing(program)),
        None => Ok(()),
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
fn output_of(command: &mut Command) -> Result<String, LabError> {
    let output = command.output().map_err(LabError::io(format!("run {command:?}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = format!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    Err(LabError::Program { what: "a program of the lab", output: said })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Looks at a condition until it holds; whether it did. Counts looks instead of asking a clock, because
/// a test may have paused its own.
fn within(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let looks = time.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if condition() {
            return true;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    condition()
}
