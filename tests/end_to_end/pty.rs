//! A program on a terminal of its own: a pseudo-terminal, what stands on its screen, and keys for it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

use crate::process::wait_until;

/// The program, its terminal and its screen; it is killed when this is dropped.
pub(crate) struct Pty {
    child: Child,
    controller: File,
    /// The program's end, so that its modes can be read when the program has ended.
    line: Option<File>,
    screen: Arc<Mutex<Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Pty {
    /// Starts the program on a terminal of so many columns and lines.
    pub(crate) fn start(command: Command, size: (u16, u16)) -> Self {
        Self::start_with(command, &[], size)
    }

    /// The same with these variables of its environment.
    pub(crate) fn start_with(
        mut command: Command,
        variables: &[(&str, &str)],
        (columns, lines): (u16, u16),
    ) -> Self {
        let controller =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        // it must not become the tests' own: its end would be theirs
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let line = File::from(open(name, flags, Mode::empty()).unwrap());
        tcsetwinsize(&line, size(columns, lines)).unwrap();
        let end = || Stdio::from(line.try_clone().unwrap());
        command
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let controller = File::from(controller);
        let screen = Arc::new(Mutex::new(Parser::new(lines, columns, 0)));
        let (mut output, seen) = (controller.try_clone().unwrap(), Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // an error: nobody has the other end any more
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Self { child, controller, line: Some(line), screen, reader: Some(reader) }
    }

    /// Types this.
    pub(crate) fn press(&mut self, keys: &str) {
        self.controller.write_all(keys.as_bytes()).unwrap();
    }

    /// What stands on the screen.
    pub(crate) fn seen(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// What stands on the screen by lines as they were written: those that the terminal broke are whole again.
    pub(crate) fn lines(&self) -> Vec<(String, bool)> {
        let parser = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = parser.screen();
        let (_, columns) = screen.size();
        let mut lines: Vec<(String, bool)> = Vec::new();
        let mut is_broken = false;
        for (at, row) in (0..).zip(screen.rows(0, columns)) {
            match lines.last_mut().filter(|_| is_broken) {
                Some((line, was_broken)) => {
                    line.push_str(&row);
                    *was_broken = true;
                }
                None => lines.push((row, false)),
            }
            is_broken = screen.row_wrapped(at);
        }
        lines
    }

    /// Waits until everything that it wrote is on the screen, once it has ended.
    pub(crate) fn drain(&mut self) {
        self.line = None;
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }

    /// Whether anything on the screen has a colour.
    pub(crate) fn has_colours(&self) -> bool {
        let parser = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let has_colour = |(row, column)| {
            screen.cell(row, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
        };
        cells.into_iter().any(has_colour)
    }

    /// Whether the program has the other screen, which it gives back.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().alternate_screen()
    }

    /// Whether the terminal takes lines and shows what is typed, as it did before.
    pub(crate) fn is_as_before(&self) -> bool {
        let modes = tcgetattr(self.line.as_ref().unwrap()).unwrap().local_modes;
        !self.is_taken() && modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Waits until all of these words are seen.
    pub(crate) fn expect(&self, words: &[&str]) {
        let is_there = || {
            let seen = self.seen();
            words.iter().all(|words| seen.contains(words))
        };
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until("words are seen", Duration::from_secs(60), is_there);
        }));
        assert!(waited.is_ok(), "not seen: {words:?}\n{}", self.seen());
    }

    /// The terminal gets another size.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.screen_mut().set_size(lines, columns);
        drop(screen);
        tcsetwinsize(self.line.as_ref().unwrap(), size(columns, lines)).unwrap();
        // the system tells only whose controlling terminal it is
        self.signal(Signal::WINCH);
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the program ends", Duration::from_secs(30), || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended and been waited for already.
        self.child.kill().ok();
        self.child.wait().ok();
        self.drain();
    }
}

fn size(columns: u16, lines: u16) -> Winsize {
    Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
