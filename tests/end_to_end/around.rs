//! What people run already, for real, beside a collector: Prometheus scrapes it and raises alerts, Icinga and Nagios ask
//! it by their commands; an OTLP endpoint is a double.

mod logs;
mod otlp;
mod plugins;
mod prometheus;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::api::DEPLOY;
use crate::process::PROGRAM;

/// A file of `deploy`.
fn deployed(file: &str) -> String {
    let path = Path::new(DEPLOY).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Programs called `mailsonde-agent` and `mailsonde-collector` in a folder, as packages bring them.
fn programs(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for role in ["agent", "collector"] {
        let file = bin.join(format!("mailsonde-{role}"));
        fs::write(&file, format!("#!/bin/sh\nexec {PROGRAM} {role} \"$@\"\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}
