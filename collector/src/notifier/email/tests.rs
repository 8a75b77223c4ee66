use lettre::message::Mailbox;
use mailsonde_proto::WallTime;

use super::super::samples::{hostile, long, opened, over};
use super::*;
use crate::judge::message::Message;

fn composed(message: &Message, earlier: Option<&str>) -> String {
    let from: Mailbox = "Mailsonde <mailsonde@example.net>".parse().unwrap();
    let to = ["ops@example.net", "Desk <desk@example.net>"].map(|it| it.parse().unwrap());
    let date = WallTime::from_s(1_795_946_400);
    let letter = compose::Letter { message, earlier, from: &from, to: &to, date };
    let (_, bytes) = letter.compose().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (_, after) = text.split_once("boundary=\"").unwrap();
    let (boundary, _) = after.split_once('"').unwrap();
    text.replace(boundary, "BOUNDARY").replace("\r\n", "\n")
}

#[test]
fn a_mail() {
    insta::assert_snapshot!(composed(&opened(), None), @r#"
    From: Mailsonde <mailsonde@example.net>
    Subject: Mail in Durban is down
    Message-ID: <incident-17-opened@example.net>
    Date: Sun, 29 Nov 2026 10:00:00 +0000
    Auto-Submitted: auto-generated
    X-Auto-Response-Suppress: All
    X-Mailsonde-Id: incident-17-opened
    X-Mailsonde-Conversation: incident-17
    To: ops@example.net, Desk <desk@example.net>
    Importance: high
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="BOUNDARY"

    --BOUNDARY
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    Test mail is refused at sign-in.
    Confirmed from durban-1 and durban-2.

    From where: durban-1, durban-2; works from cape-1
    What the server said: 535 5.7.8 Error: authentication failed

    Acknowledge: https://collector.example.org:7444/incidents/17/ack
    Show: https://collector.example.org:7444/incidents/17

    --=20
    major =C2=B7 opened =C2=B7 incident-17 =C2=B7 2026-11-29 10:00:00 UTC =C2=
    =B7 incident-17-opened

    --BOUNDARY
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <!DOCTYPE html>
    <html><body style=3D"font-family:sans-serif">
    <h2 style=3D"border-left:6px solid #ef6c00;padding-left:10px">Mail in Durba=
    n is down</h2>
    <p>Test mail is refused at sign-in.<br>
    Confirmed from durban-1 and durban-2.</p>
    <table cellpadding=3D"4">
    <tr><th align=3D"left" valign=3D"top">From where</th><td>durban-1, durban-2=
    ; works from cape-1</td></tr>
    <tr><th align=3D"left" valign=3D"top">What the server said</th><td>535 5.7.=
    8 Error: authentication failed</td></tr>
    </table>
    <p><a href=3D"https://collector.example.org:7444/incidents/17/ack">Acknowle=
    dge</a></p>
    <p><a href=3D"https://collector.example.org:7444/incidents/17">Show</a></p>
    <p style=3D"color:#666;font-size:small">major =C2=B7 opened =C2=B7 incident=
    -17 =C2=B7 2026-11-29 10:00:00 UTC =C2=B7 incident-17-opened</p>
    </body></html>

    --BOUNDARY--
    "#);
}

#[test]
fn what_follows_answers_the_first() {
    let first = Some("<incident-17-opened@example.net>");
    insta::assert_snapshot!(composed(&over(), first), @r#"
    From: Mailsonde <mailsonde@example.net>
    Subject: Mail in Durban works again
    Message-ID: <incident-17-over@example.net>
    Date: Sun, 29 Nov 2026 10:00:00 +0000
    Auto-Submitted: auto-generated
    X-Auto-Response-Suppress: All
    X-Mailsonde-Id: incident-17-over
    X-Mailsonde-Conversation: incident-17
    To: ops@example.net, Desk <desk@example.net>
    In-Reply-To: <incident-17-opened@example.net>
    References: <incident-17-opened@example.net>
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="BOUNDARY"

    --BOUNDARY
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    Down for 42 minutes.

    Impact: 120 users

    --=20
    major =C2=B7 over =C2=B7 incident-17 =C2=B7 2026-11-29 10:42:00 UTC =C2=B7 =
    incident-17-over

    --BOUNDARY
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <!DOCTYPE html>
    <html><body style=3D"font-family:sans-serif">
    <h2 style=3D"border-left:6px solid #2e7d32;padding-left:10px">Mail in Durba=
    n works again</h2>
    <p>Down for 42 minutes.</p>
    <table cellpadding=3D"4">
    <tr><th align=3D"left" valign=3D"top">Impact</th><td>120 users</td></tr>
    </table>
    <p style=3D"color:#666;font-size:small">major =C2=B7 over =C2=B7 incident-1=
    7 =C2=B7 2026-11-29 10:42:00 UTC =C2=B7 incident-17-over</p>
    </body></html>

    --BOUNDARY--
    "#);
}

#[test]
fn hostile_text_is_text() {
    let mail = composed(&hostile(), Some("<a>\r\nBcc: x@evil.example"));
    let (header, _) = mail.split_once("\n\n").unwrap();
    assert!(!header.contains("Bcc") && !header.contains("In-Reply-To"), "{header}");
    let (_, html) = mail.split_once("Content-Type: text/html").unwrap();
    insta::assert_snapshot!(html, @r##"
    ; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <!DOCTYPE html>
    <html><body style=3D"font-family:sans-serif">
    <h2 style=3D"border-left:6px solid #ef6c00;padding-left:10px">&lt;!channel&=
    gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `=
    c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt=
    ; &amp; [31m second line</h2>
    <p>&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/a=
    ll&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(=
    1)&lt;/script&gt; &amp; [31m<br>
    <br>
    # head<br>
    &gt; quote</p>
    <table cellpadding=3D"4">
    <tr><th align=3D"left" valign=3D"top">&lt;!channel&gt; @channel @everyone &=
    lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](http=E2=80=A6</th=
    ><td>&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users=
    /all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;aler=
    t(1)&lt;/script&gt; &amp; [31m</td></tr>
    <tr><th align=3D"left" valign=3D"top">@here</th><td>a<br>b</td></tr>
    </table>
    <p><a href=3D"https://a.example/?q=3D%3Cb%3E&amp;x=3D%281%29%7C%22%27">ok [=
    x](y) &lt;b&gt;</a></p>
    <p style=3D"color:#666;font-size:small">major =C2=B7 opened =C2=B7 incident=
    -17 =C2=B7 2026-11-29 10:00:00 UTC =C2=B7 incident-17-opened</p>
    </body></html>

    --BOUNDARY--
    "##);
}

#[test]
fn lines_of_a_long_mail_are_short() {
    let mail = composed(&long(), None);
    let longest = mail.lines().map(str::len).max().unwrap();
    assert!(longest <= 998 && mail.len() < 400_000, "{longest} {}", mail.len());
}
