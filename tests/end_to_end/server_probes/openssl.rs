//! The probe `tls` against OpenSSL's own server, for what neither Postfix nor rustls does: keys of 1,024 bits,
//! suites that nobody should accept, a certificate that must come with a staple.

use std::process::{Child, Stdio};
use std::time::Duration;

use mailsonde_tests::lab::{Host, MAIL, SPARE};
use tempfile::TempDir;

use super::probe;
use crate::agent::{in_company, lab};

/// An authority and a server of OpenSSL's own, for what rustls does not do.
struct OpenSsl {
    folder: TempDir,
    child: Option<Child>,
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl OpenSsl {
    /// Makes a certificate with these arguments of `openssl x509 -req`, for a key of this form.
    fn new(key: &str, sign: &[&str], extensions: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("subjectAltName=DNS:spare.lab.test\n{extensions}\n");
        std::fs::write(folder.path().join("leaf.ext"), text).expect("a file");
        let this = Self { folder, child: None };
        let ca =
            "req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=old -keyout ca.key -out ca.crt";
        this.run(&ca.split(' ').collect::<Vec<_>>());
        let request = "-nodes -subj /CN=spare.lab.test -keyout leaf.key -out leaf.csr";
        let newkey: Vec<_> =
            ["req", "-newkey", key].into_iter().chain(request.split(' ')).collect();
        this.run(&newkey);
        let signing = "x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 90 -extfile \
                       leaf.ext -out leaf.crt";
        this.run(&signing.split(' ').chain(sign.iter().copied()).collect::<Vec<_>>());
        this
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = std::process::Command::new("openssl");
        let output = command.args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("openssl runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn ca(&self) -> String {
        self.folder.path().join("ca.crt").display().to_string()
    }

    /// `openssl s_server` beside the mail host.
    fn serve(&mut self, port: u16, arguments: &[&str]) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = lab().command(Host::Mail, "openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("{SPARE}:{port}")]);
        command.args(["-cert", &path("leaf.crt"), "-key", &path("leaf.key")]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("it starts"));
        let network = lab().network(Host::Mail).expect("the mail host");
        for _ in 0..500 {
            if network.connect((SPARE, port).into(), Duration::from_secs(1)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("openssl does not listen");
    }
}

#[test]
fn weak_keys_and_signatures_are_described_although_nobody_accepts_them() {
    let _company = in_company();
    let mut server = OpenSsl::new("rsa:1024", &["-sha1"], "");
    server.serve(4431, &["-cipher", "ALL:@SECLEVEL=0"]);
    let ca = server.ca();
    let seen = probe("tls", "spare.lab.test", 4431, &[("scan", "none"), ("ca_file", &ca)]);
    seen.assert_fault("tls", "mismatch", "is not accepted");
    assert_eq!(seen.fact("tls.chain.0.key"), "RSA 1024 bits");
    assert_eq!(seen.fact("tls.chain.0.signature"), "sha1WithRSAEncryption");
    let rules = seen.severe_rules();
    for rule in ["tls.weak_key warning", "tls.weak_signature warning", "tls.not_accepted critical"]
    {
        assert!(rules.contains(&rule.to_owned()), "{rule}: {seen:#?}");
    }
}

#[test]
fn weak_suites_are_found_by_asking_for_them() {
    let _company = in_company();
    let mut server = OpenSsl::new("rsa:2048", &["-sha256"], "");
    let suites = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:NULL-SHA256:\
                  ADH-AES128-GCM-SHA256:@SECLEVEL=0";
    server.serve(4432, &["-tls1_2", "-cipher", suites]);
    let ca = server.ca();
    let of = |scan: &str| probe("tls", "spare.lab.test", 4432, &[("scan", scan), ("ca_file", &ca)]);
    for seen in [of("suites"), of("versions")] {
        seen.assert_pass();
        assert_eq!(seen.severe_rules(), ["tls.weak_suite warning"], "{seen:#?}");
        for (rule, suite) in [
            ("tls.weak_suite", "TLS_RSA_WITH_NULL_SHA256"),
            ("tls.anonymous_suite", "TLS_DH_anon_WITH_AES_128_GCM_SHA256"),
            ("tls.no_forward_secrecy", "TLS_RSA_WITH_AES_128_GCM_SHA256"),
        ] {
            assert_eq!(seen.evidence(rule), format!("the server accepts {suite}"));
        }
    }
    let seen = of("suites");
    let mut accepted: Vec<_> = seen.fact("tls.suites.tls12").split(' ').collect();
    accepted.sort_unstable();
    assert_eq!(
        accepted,
        [
            "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_NULL_SHA256",
        ]
    );
}

#[test]
fn a_certificate_that_must_come_with_a_staple_and_does_not_is_found() {
    let _company = in_company();
    let mut server = OpenSsl::new("rsa:2048", &["-sha256"], "tlsfeature=status_request");
    server.serve(4433, &[]);
    let ca = server.ca();
    let seen = probe("tls", "spare.lab.test", 4433, &[("scan", "none"), ("ca_file", &ca)]);
    seen.assert_pass();
    assert_eq!(seen.fact("tls.must_staple"), "yes");
    assert_eq!(seen.severe_rules(), ["tls.must_staple warning"]);
}

/// What OpenSSL's client gets; it says `Cipher is (NONE)` where it gets nothing.
fn gets(port: u16, arguments: &[&str], cipher: &str) -> bool {
    let mut command = lab().command(Host::Branch(1), "openssl");
    command.args(["s_client", "-connect", &format!("{MAIL}:{port}")]).args(arguments);
    let output = command.stdin(Stdio::null()).output().expect("openssl runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.contains(&format!("Cipher is {cipher}")) && !said.contains("Cipher is (NONE)")
}

#[test]
fn what_is_accepted_agrees_with_what_openssl_gets() {
    let _company = in_company();
    let seen = probe("tls", "mail.good.test", 25, &[("scan", "versions")]);
    let all = "ALL:@SECLEVEL=0";
    let versions = [
        ("TLSv1.0", "-tls1"),
        ("TLSv1.1", "-tls1_1"),
        ("TLSv1.2", "-tls1_2"),
        ("TLSv1.3", "-tls1_3"),
    ];
    let starttls = |flag| gets(25, &["-starttls", "smtp", flag, "-cipher", all], "");
    let got: Vec<_> =
        versions.into_iter().filter(|(_, flag)| starttls(flag)).map(|(name, _)| name).collect();
    assert_eq!(seen.fact("tls.versions"), got.join(" "));

    let seen = probe("tls", "mail.good.test", 465, &[]);
    let mut told: Vec<_> = seen.fact("tls.suites.tls12").split(' ').collect();
    let list = ["ciphers", "-stdname", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
    let output = std::process::Command::new("openssl").args(list).output().expect("it runs");
    let known = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut got = Vec::new();
    for line in known.lines() {
        let mut words = line.split_whitespace();
        let (Some(standard), Some("-"), Some(name)) = (words.next(), words.next(), words.next())
        else {
            panic!("{line}");
        };
        // Of a kind that needs the other side's key beforehand, nothing can be learnt.
        if standard.contains("PSK") || standard.contains("SRP") {
            continue;
        }
        if gets(465, &["-tls1_2", "-cipher", &format!("{name}:@SECLEVEL=0")], name) {
            got.push(standard);
        }
    }
    told.sort_unstable();
    got.sort_unstable();
    assert!(got.len() > 3, "{got:?}");
    assert_eq!(told, got);
}
