//! `vendors`: what vendors say of their own services, beside what is measured.

use super::figures::{UNKNOWN, since};
use super::terminal::{Terminal, Tone, cell, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::judge::outside::Announcement;
use crate::vendors::{VendorState, VendorsAnswer};

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<VendorsAnswer>(&setting.collector, path::VENDORS).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &VendorsAnswer, terminal: &Terminal) -> String {
    if answer.vendors.is_empty() {
        return "no vendor is heard: [[vendor]] in collector.toml\n".to_owned();
    }
    let mut table = terminal.table(["vendor", "says", "speaks for", "read"]);
    for vendor in &answer.vendors {
        let tone = match vendor.state {
            VendorState::Quiet => Tone::Good,
            VendorState::Trouble => Tone::Bad,
            VendorState::Unknown => Tone::Doubtful,
        };
        let ours = match vendor.services.is_empty() {
            true => "every service".to_owned(),
            false => vendor.services.join(", "),
        };
        let at = |at| since(at, answer.now, &terminal.zone);
        let mut read = vendor.read_at.map_or_else(|| UNKNOWN.to_owned(), at);
        if let Some(error) = &vendor.error {
            read = format!("{read}; {}", printable(error));
        }
        table.add_row([
            words(&vendor.name),
            cell(tone, vendor.state.as_str()),
            words(ours),
            words(read),
        ]);
    }
    let mut text = lines(&table);
    for vendor in answer.vendors.iter().filter(|vendor| !vendor.trouble.is_empty()) {
        text.push_str(&format!("\n{}\n", terminal.paint(Tone::Bad, &vendor.name)));
        for announcement in &vendor.trouble {
            text.push_str(&told(announcement, answer.now, terminal));
        }
    }
    text
}

fn told(announcement: &Announcement, now: jiff::Timestamp, terminal: &Terminal) -> String {
    let began = announcement.since.map(|at| format!(", since {}", since(at, now, &terminal.zone)));
    let mut text =
        format!("  {}{}\n", printable(&announcement.in_words()), began.unwrap_or_default());
    let more = [Some(&announcement.text).filter(|it| !it.is_empty()), announcement.link.as_ref()];
    for line in more.into_iter().flatten() {
        text.push_str(&format!("    {}\n", printable(line)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::vendors::VendorAnswer;

    #[test]
    fn what_vendors_say_is_told_with_when_it_was_read() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let microsoft = VendorAnswer {
            name: "microsoft365".into(),
            kind: "microsoft365".into(),
            state: VendorState::Trouble,
            services: vec!["mail-*".into()],
            read_at: Some(at("2026-11-29T14:12:00Z")),
            failing_since: None,
            error: None,
            trouble: vec![Announcement {
                id: "EX1064599".into(),
                title: "Some users can't send email messages".into(),
                about: "Exchange Online".into(),
                state: "serviceDegradation".into(),
                text: "Affected users see an error when they send.".into(),
                since: Some(at("2026-11-29T13:10:00Z")),
                link: Some("https://admin.microsoft.com/x".into()),
            }],
        };
        let isp = VendorAnswer {
            name: "isp".into(),
            state: VendorState::Unknown,
            services: vec![],
            read_at: None,
            error: Some("cannot connect: connection refused".into()),
            trouble: vec![],
            ..microsoft.clone()
        };
        let google = VendorAnswer {
            name: "google-workspace".into(),
            state: VendorState::Quiet,
            error: None,
            read_at: microsoft.read_at,
            ..isp.clone()
        };
        let now = at("2026-11-29T14:14:00Z");
        let mut answer = VendorsAnswer { now, vendors: vec![microsoft, isp, google] };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        vendor            says             speaks for     read
        microsoft365      trouble          mail-*         14:12 (2 min)
        isp               unknown          every service  –; cannot connect: connection refused
        google-workspace  no trouble told  every service  14:12 (2 min)

        microsoft365
          Exchange Online: Some users can't send email messages (serviceDegradation), since 13:10 (64 min)
            Affected users see an error when they send.
            https://admin.microsoft.com/x
        ");
        answer.vendors.clear();
        assert!(shown(&answer, &plain(120)).starts_with("no vendor is heard"));
    }
}
