use super::*;
use crate::query::report::sample::october;

const ALL: [Format; 5] = [Format::Html, Format::Pdf, Format::Csv, Format::Json, Format::Markdown];

fn text(format: Format) -> String {
    String::from_utf8(written(&october(), format).unwrap()).unwrap()
}

#[test]
fn a_month_is_a_document() {
    let text = text(Format::Markdown);
    for line in [
        "# E-mail in October 2026\n",
        "**✗ Of 2 agreements, 1 was missed in October 2026.**\n",
        "- Agreements met: **1 of 2** (1 missed, 0 not proven)\n",
        "| Mail in Durban | uptime | uptime 99.9 % | 99.46 % to 99.55 % | missed |\n",
        "## How it is counted\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("\\<script\\>"), "{text}");
    assert!(!text.replace("\\<", "").contains('<'), "{text}");
}

#[test]
fn a_month_is_lines_for_spreadsheets() {
    let text = text(Format::Csv);
    for line in [
        "month,part,service,item,figure,value,unit\r\n",
        "2026-10,agreement,mail-durban,uptime,good,44400,minutes\r\n",
        "2026-10,agreement,mail-durban,uptime,result,missed,\r\n",
        "2026-10,summary,,incidents,down,200,minutes\r\n",
        // no formula for a spreadsheet
        ",what,'=cmd|' /C",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_page_shows_what_markdown_says_and_does_nothing() {
    let page = text(Format::Html);
    for good in [
        "<h1>E-mail in October 2026</h1>",
        "<p class=\"verdict bad\">Of 2 agreements, 1 was missed in October 2026.</p>",
        "<td class=\"bad\">missed</td>",
        "Mail &lt;b&gt;in&lt;/b&gt; |Cape|",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "Кейптаун · Αθήνα",
    ] {
        assert!(page.contains(good), "{good} is not in\n{page}");
    }
    for bad in ["<script", "<img", "<b>in", "href", "http:", "https:", "javascript"] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(bad), "{bad} is in\n{page}");
    }
    // two of agreements, two of services a failing and a timing chart
    assert_eq!(page.matches("<svg").count(), 6);
}

#[test]
fn the_same_month_is_the_same_bytes() {
    for format in ALL {
        let [one, other] = [(); 2].map(|()| written(&october(), format).unwrap());
        assert!(one == other, "{format:?} differs");
        assert!(!one.is_empty());
    }
    assert!(written(&october(), Format::Pdf).unwrap().starts_with(b"%PDF-1."));
}

#[test]
fn json_is_the_answer_with_its_summary() {
    let json = text(Format::Json);
    let read: ReportAnswer = serde_json::from_str(&json).unwrap();
    assert_eq!(read, october());
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["summary"]["missed"], 1);
    assert_eq!(value["summary"]["kpi"]["opened"], 2);
}

#[test]
fn a_mail_brings_its_charts_along() {
    let letter = letter(&october()).unwrap();
    assert_eq!(letter.subject, "E-mail in October 2026");
    let names: Vec<&str> = letter.pictures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["chart-1"]);
    assert!(letter.html.contains("src=\"cid:chart-1\"") && !letter.html.contains("<svg"));
    let (_, png) = &letter.pictures[0];
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{} bytes", png.len());
    assert!(
        letter.text.contains("Agreements met: 1 of 2 (1 missed, 0 not proven)"),
        "{}",
        letter.text
    );
    let mut early = october();
    early.is_kept = false;
    assert!(super::letter(&early).unwrap().subject.ends_with("(preliminary)"));
}

#[test]
fn nothing_at_all_is_a_report_too() {
    let mut report = october();
    report.services.clear();
    report.incidents.clear();
    report.capacity.clear();
    report.posture = None;
    report.feedback = None;
    for format in ALL {
        written(&report, format).unwrap();
    }
    let text = String::from_utf8(written(&report, Format::Markdown).unwrap()).unwrap();
    assert!(text.contains("There were no agreements in October 2026"), "{text}");
}
