//! Monthly reports of a year that was made: in every format, kept, and mailed once. Real processes; `pdftotext` and
//! Python's own parser of mail look at what comes out.

mod reviewed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::tz::TimeZone;
use mailsonde_collector::folder::Folder;
use mailsonde_proto::Clock;
use mailsonde_tests::sandbox::{Sandbox, SandboxOptions, User};
use mailsonde_tests::year::{Size, make};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::process::{PROGRAM, Process, wait_until};

const SIZE: Size = Size { seed: 30, checks: 20, days: 95 };
const PATIENCE: Duration = Duration::from_secs(90);

/// A collector whose year ends now.
struct Kept {
    folder: tempfile::TempDir,
    data: PathBuf,
    collector: Option<Process>,
}

impl Kept {
    fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("year");
        // on a thread of its own: it has a runtime of its own
        let made = std::thread::scope(|scope| {
            scope.spawn(|| make(&data, SIZE, Clock::system().wall())).join()
        });
        made.unwrap().unwrap();
        Self { folder, data, collector: None }
    }

    fn start(&mut self) {
        self.start_by(Command::new(PROGRAM));
    }

    fn start_by(&mut self, mut program: Command) {
        program.args(["collector", "--data"]).arg(&self.data).arg("serve");
        self.collector = Some(Process::spawn("collector", program, self.folder.path()));
        let socket = self.data.join("operators.sock");
        wait_until("it answers", PATIENCE, || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    fn killed(&mut self) {
        self.collector.take().unwrap().kill();
    }

    /// What a command prints; it must succeed.
    fn said(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(PROGRAM);
        command.arg("collector").arg("--data").arg(&self.data).args(arguments);
        let output = command.env("NO_COLOR", "1").output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        output.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.said(arguments)).unwrap()
    }

    fn report(&self, month: &str, format: &str) -> Vec<u8> {
        self.said(&["report", "--month", month, "--format", format])
    }
}

/// The last month that is over for three days at least, on whatever day this runs.
fn month() -> String {
    let now = Clock::system().wall().timestamp();
    let zone = TimeZone::get("Africa/Johannesburg").unwrap();
    let today = now.to_zoned(zone).date();
    let first = today.first_of_month().yesterday().unwrap().first_of_month();
    let month = if today.day() > 4 { first } else { first.yesterday().unwrap() };
    month.strftime("%Y-%m").to_string()
}

fn pdf_text(pdf: &[u8], folder: &Path) -> String {
    let file = folder.join("report.pdf");
    fs::write(&file, pdf).unwrap();
    let output = Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output();
    let output = output.expect("pdftotext is there: tests/install brings it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// As the report and the command line have it.
fn percent(share: &Value) -> String {
    let share = share.as_f64().unwrap();
    let hundredths = (share * 10_000.0 + 1e-6).floor();
    if hundredths >= 10_000.0 { "100 %".into() } else { format!("{:.2} %", hundredths / 100.0) }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one story, told in order")]
fn a_month_is_told_in_every_format_and_kept() {
    let mut kept = Kept::made();
    kept.start();
    let month = month();
    let sla = kept.json(&["--json", "sla", "show", "--month", &month]);
    let promised = sla["agreements"].as_array().unwrap();
    assert!(promised.len() >= 20, "{promised:?}");

    // its numbers are those of `sla show`, in every format
    let json: Value = serde_json::from_slice(&kept.report(&month, "json")).unwrap();
    assert_eq!(json["is_kept"], true, "{}", json["made_at"]);
    let told: Vec<&Value> = json["services"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|service| service["agreements"].as_array().unwrap())
        .map(|agreement| &agreement["kept"])
        .collect();
    assert_eq!(told.len(), promised.len());
    let csv = String::from_utf8(kept.report(&month, "csv")).unwrap();
    let markdown = String::from_utf8(kept.report(&month, "markdown")).unwrap();
    let html = String::from_utf8(kept.report(&month, "html")).unwrap();
    let pdf = kept.report(&month, "pdf");
    let text = pdf_text(&pdf, kept.folder.path());
    for (told, promised) in told.iter().zip(promised) {
        assert_eq!(*told, promised);
        let lower = percent(&promised["lower"]);
        for document in [&markdown, &html, &text] {
            assert!(document.contains(&lower), "{lower} is not in\n{document}");
        }
        let (service, agreement) = (&promised["service"], &promised["agreement"]);
        let line = |figure: &str, value: &Value| {
            format!(
                "{month},agreement,{},{},{figure},{value},{}\r\n",
                service.as_str().unwrap(),
                agreement.as_str().unwrap(),
                promised["unit"].as_str().unwrap()
            )
        };
        for figure in ["good", "bad", "unknown"] {
            let line = line(figure, &promised[figure]);
            assert!(csv.contains(&line), "{line} is not in\n{csv}");
        }
    }
    for words in ["Page 1 of ", "How it is counted", "Agreements met", "Deliverability posture"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }

    // it says the same for ever, also after a SIGKILL
    assert!(kept.report(&month, "pdf") == pdf, "the same month gives another file");
    kept.killed();
    kept.start();
    assert!(kept.report(&month, "pdf") == pdf, "it gives another file after a restart");
    assert_eq!(String::from_utf8(kept.report(&month, "html")).unwrap(), html);

    // a file that was changed is no longer what was kept
    let file = Folder::at(&kept.data).reports().join(format!("{month}.json"));
    let changed = fs::read_to_string(&file).unwrap().replacen(
        "\"result\":\"met\"",
        "\"result\":\"missed\"",
        1,
    );
    fs::write(&file, changed).unwrap();
    let json: Value = serde_json::from_slice(&kept.report(&month, "json")).unwrap();
    assert_eq!(json["is_kept"], false);
    wait_until("the log says it", PATIENCE, || {
        kept.collector.as_ref().unwrap().log().contains("the kept report is gone or was changed")
    });
    kept.killed();
}

/// What Python makes of a mail: headers, parts, and the bytes of the PDF in a file.
const PARSE: &str = r#"
import email, email.policy, json, sys
mail = email.message_from_bytes(open(sys.argv[1], "rb").read(), policy=email.policy.default)
parts, cids, html, text = [], [], "", ""
for part in mail.walk():
    parts.append(part.get_content_type())
    if part.get_content_type() == "image/png":
        cids.append(part["Content-ID"].strip("<>"))
        assert part.get_content().startswith(b"\x89PNG")
    if part.get_content_type() == "text/html":
        html = part.get_content()
    if part.get_content_type() == "text/plain":
        text = part.get_content()
    if part.get_content_type() == "application/pdf":
        open(sys.argv[2], "wb").write(part.get_content())
        name = part.get_filename()
print(json.dumps({"id": mail["Message-ID"], "subject": mail["Subject"], "auto": mail["Auto-Submitted"],
    "to": mail["To"], "parts": parts, "cids": cids, "html": html, "text": text, "name": name,
    "defects": [str(defect) for part in mail.walk() for defect in part.defects]}))
"#;

const PASSWORD: &str = "hunter2-relay-password";

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_report_is_mailed_once_with_its_charts_and_its_pdf() {
    let user =
        |name: &str| User { address: format!("{name}@sandbox.test"), password: PASSWORD.into() };
    let options = SandboxOptions {
        users: vec![user("sonde"), user("board")],
        ..SandboxOptions::named("relay.test")
    };
    let shutdown = CancellationToken::new();
    let sandbox = Sandbox::start(options, shutdown.clone()).await.unwrap();
    let _end = shutdown.drop_guard();
    let mut kept = Kept::made();
    let channels = kept.data.join("channels.d");
    fs::create_dir_all(&channels).unwrap();
    crate::process::write_secret(&kept.data.join("password"), PASSWORD);
    fs::write(kept.data.join("relay.pem"), sandbox.ca_pem()).unwrap();
    let port = sandbox.addresses().smtp.port();
    let channel = format!(
        "[[channel]]\nname = \"mail\"\nkind = \"email\"\nrelay = \"127.0.0.1\"\nport = {port}\n\
         user = \"sonde@sandbox.test\"\npassword_file = \"password\"\nauthority = \"relay.pem\"\n\
         from = \"Mailsonde <sonde@sandbox.test>\"\nto = [\"nobody@sandbox.test\"]\n"
    );
    fs::write(channels.join("mail.toml"), channel).unwrap();
    let config = Folder::at(&kept.data).config();
    let mut text = fs::read_to_string(&config).unwrap();
    text.push_str(
        "\n[[report]]\nname = \"board\"\nchannel = \"mail\"\nto = [\"Board <board@sandbox.test>\"]\nday = 1\nat = \"00:00\"\n",
    );
    fs::write(&config, text).unwrap();
    kept.start();
    wait_until("it is mailed", PATIENCE, || sandbox.messages("board@sandbox.test").len() == 1);
    wait_until("that is written down", PATIENCE, || {
        kept.collector.as_ref().unwrap().log().contains("a report was mailed")
    });
    let [mail] = sandbox.messages("board@sandbox.test").try_into().unwrap();
    let (file, pdf) = (kept.folder.path().join("mail"), kept.folder.path().join("mailed.pdf"));
    fs::write(&file, &mail).unwrap();
    let output = Command::new("python3").args(["-c", PARSE]).args([&file, &pdf]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["defects"], serde_json::json!([]), "{read:#}");
    assert_eq!(read["auto"], "auto-generated");
    assert_eq!(read["to"], "Board <board@sandbox.test>");
    let id = read["id"].as_str().unwrap();
    assert!(id.starts_with("<report-") && id.contains("-board-20"), "{id}");
    let cids = read["cids"].as_array().unwrap();
    assert!(!cids.is_empty());
    for cid in cids {
        let shown = format!("src=\"cid:{}\"", cid.as_str().unwrap());
        assert!(read["html"].as_str().unwrap().contains(&shown), "{shown}");
    }
    assert!(read["text"].as_str().unwrap().contains("Agreements met"), "{read:#}");
    assert!(read["name"].as_str().unwrap().starts_with("mailsonde-report-20"), "{read:#}");
    let text = pdf_text(&fs::read(&pdf).unwrap(), kept.folder.path());
    assert!(text.contains("How it is counted"), "{text}");

    // a restart sends nothing again
    kept.killed();
    kept.start();
    wait_until("it looked again", PATIENCE, || {
        let answer = kept.json(&["--json", "audit", "show"]);
        !answer["acts"].is_null()
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sandbox.messages("board@sandbox.test").len(), 1);
    assert_eq!(kept.json(&["--json", "channel", "list"])["channels"][0]["trouble"], "");
    kept.killed();
}
