//! A collector, and an agent that looks at one port of this machine: the smallest thing that can break and be mended.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use rustix::process::Signal;

use crate::site::Site;

/// Both of them, and the port; the check is called `port`.
pub(crate) struct OnePort {
    pub(crate) site: Site,
    port: u16,
    listener: Option<TcpListener>,
}

impl OnePort {
    /// The port is open, and the collector listens to operators; no agent is started yet.
    pub(crate) fn open(every: &str, timeout: &str) -> Self {
        let mut site = Site::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        site.set_checks(0, "24h");
        site.add_check(&format!(
            "name = \"port\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             wait = \"0s\"\nevery = \"{every}\"\ntimeout = \"{timeout}\"\n"
        ));
        site.start_collector();
        site.wait_for_operators();
        Self { site, port, listener: Some(listener) }
    }

    /// What the agent sees fails from now on.
    pub(crate) fn close(&mut self) {
        self.listener = None;
    }

    /// It passes again.
    pub(crate) fn reopen(&mut self) {
        self.listener = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap());
    }

    /// Puts this text in force as what the collector's services are.
    pub(crate) fn define(&self, services: &str) {
        let folder = self.site.collector_folder().join("services.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("all.toml"), services).unwrap();
        self.site.apply().expect(0, "in force");
    }

    /// The collector is killed, and starts again.
    pub(crate) fn restart_collector(&mut self) {
        let collector = self.site.collector.take().unwrap();
        collector.signal(Signal::KILL);
        drop(collector);
        self.site.start_collector();
        self.site.wait_for_operators();
    }
}
