//! Bounces in the forms that servers write them, written for these tests.

/// A bounce, and what it says.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) form: &'static str,
    pub(super) message: &'static str,
    pub(super) recipients: &'static [&'static str],
}

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        name: "Postfix",
        form: "rfc3464",
        message: "Return-Path: <>\nFrom: MAILER-DAEMON@mx.good.test (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"4d.1/mx\"\n\nThis is a MIME-encapsulated message.\n\n--4d.1/mx\nContent-Type: text/plain; charset=us-ascii\n\nThis is the mail system at host mx.good.test.\n\n<x@far.test>: host mx.far.test[192.0.2.9] said: 550 5.1.1 <x@far.test>:\n    Recipient address rejected: User unknown (in reply to RCPT TO command)\n\n--4d.1/mx\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.good.test\nArrival-Date: Mon, 24 Nov 2025 16:00:00 +0000 (UTC)\n\nFinal-Recipient: rfc822; x@far.test\nOriginal-Recipient: rfc822;x@far.test\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.far.test\nDiagnostic-Code: smtp; 550 5.1.1 <x@far.test>: Recipient address rejected: User\n    unknown\n\nFinal-Recipient: rfc822; y@full.test\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 Mailbox is full\n\n--4d.1/mx\nContent-Type: text/rfc822-headers\n\nSubject: a test\n\n--4d.1/mx--\n",
        recipients: &[
            "x@far.test failed 5.1.1 550 unknown_user",
            "y@full.test failed 5.0.0 552 mailbox_full",
        ],
    },
    Sample {
        name: "a delay",
        form: "rfc3464",
        message: "From: MAILER-DAEMON@mx.good.test\nSubject: Delayed Mail (still being retried)\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nnot yet\n--b\nContent-Type: message/delivery-status\n\nOriginal-Envelope-Id: QQ314159\nReporting-MTA: dns; mx.good.test\nArrival-Date: Mon, 24 Nov 2025 16:00:00 +0000\n\nOriginal-Recipient: rfc822;sales@good.test\nFinal-Recipient: rfc822; x@slow.test\nAction: delayed\nStatus: 4.4.1\nRemote-MTA: dns; mx.slow.test\nDiagnostic-Code: X-Postfix; connect to mx.slow.test[192.0.2.9]:25: Connection\n    timed out\nWill-Retry-Until: Sat, 29 Nov 2025 16:00:00 +0000 (UTC)\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <mailsonde.TOKEN@good.test>\nX-Mailsonde-Token: HEADER\nSubject: a test\n\nbody\n--b--\n",
        recipients: &["x@slow.test delayed 4.4.1 - network"],
    },
    Sample {
        name: "a success",
        form: "rfc3464",
        message: "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\nFinal-Recipient: LOCAL; box\nAction: delivered (to mailbox)\nStatus: 2.0.0\n\n--b--\n",
        recipients: &["box delivered 2.0.0 - unknown"],
    },
    Sample {
        name: "exim with a report: the reply stands in the text",
        form: "rfc3464",
        message: "X-Failed-Recipients: x@far.test\nFrom: Mail Delivery System <Mailer-Daemon@mx.good.test>\nSubject: Mail delivery failed: returning message to sender\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-type: text/plain; charset=us-ascii\n\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  x@far.test\n    host mx.far.test [192.0.2.9]\n    SMTP error from remote mail server after end of data:\n    550 5.7.1 Spam message rejected\n\n--b\nContent-type: message/delivery-status\n\nReporting-MTA: dns; mx.good.test\n\nAction: failed\nFinal-Recipient: rfc822;x@far.test\nStatus: 5.0.0\n\n--b--\n",
        recipients: &["x@far.test failed 5.7.1 550 spam"],
    },
    Sample {
        name: "exim",
        form: "exim",
        message: "X-Failed-Recipients: x@far.test, y@far.test\nAuto-Submitted: auto-replied\nFrom: Mail Delivery System <Mailer-Daemon@mx.good.test>\nSubject: Mail delivery failed: returning message to sender\n\nThis message was created automatically by mail delivery software.\n\nA message sent by\n\n  <probe@good.test>\n\ncould not be delivered to one or more of its recipients. The following\naddress(es) failed:\n\n  x@far.test\n    (generated from sales@good.test)\n    SMTP error from remote mail server after RCPT TO:<x@far.test>:\n    host mx.far.test [192.0.2.9]: 550 5.1.1 <x@far.test>... User Unknown\n  y@far.test\n    retry timeout exceeded\n\n------ This is a copy of the message, including all the headers. ------\n\nReturn-path: <probe@good.test>\nMessage-ID: <a@good.test>\nTo: z@far.test\n",
        recipients: &["x@far.test failed 5.1.1 550 unknown_user", "y@far.test failed - - expired"],
    },
    Sample {
        name: "exim, still trying",
        form: "exim",
        message: "From: Mail Delivery System <Mailer-Daemon@mx.good.test>\nSubject: Warning: message 1vNZ-1 delayed 24 hours\n\nThis message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.good.test.\n\nThe address to which the message has not yet been delivered is:\n\n  x@far.test\n    Delay reason: Connection refused\n\nNo action is required on your part. Delivery attempts will continue for\nsome time.\n",
        recipients: &["x@far.test delayed - - network"],
    },
    Sample {
        name: "mail.ru, as exim with words before",
        form: "exim",
        message: "X-Failed-Recipients: x@far.test\nFrom: mailer-daemon@corp.mail.ru\nSubject: Mail failure.\nContent-Type: text/plain; charset=utf-8\n\nЭто письмо создано автоматически сервером Mail.Ru, отвечать на него не нужно.\n\nК сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\n\n**********************\n\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  x@far.test\n    SMTP error from remote mail server after RCPT TO:<x@far.test>:\n    host mx.far.test [192.0.2.9]: 552 5.2.2 mailbox is full\n",
        recipients: &["x@far.test failed 5.2.2 552 mailbox_full"],
    },
    Sample {
        name: "Yandex, as Postfix",
        form: "rfc3464",
        message: "From: mailer-daemon@yandex.ru\nSubject: Недоставленное сообщение\nX-Yandex-Uniq: 1\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\nThis is the mail system at host yandex.ru.\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mxback1.yandex.net\n\nFinal-Recipient: rfc822; x@far.test\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 <x@far.test>: Relay access denied\n\n--b--\n",
        recipients: &["x@far.test failed 5.7.1 554 relay_denied"],
    },
    Sample {
        name: "qmail",
        form: "qmail",
        message: "Received: (qmail 12345 invoked for bounce); 24 Nov 2025 16:00:00 -0000\nFrom: MAILER-DAEMON@mx.good.test\nTo: probe@good.test\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.good.test.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<x@far.test>:\n192.0.2.9 does not like recipient.\nRemote host said: 550 5.1.1 <x@far.test>... User Unknown\nGiving up on 192.0.2.9.\n\n<y@good.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n<z@gone.test>:\nSorry, I couldn't find any host named gone.test. (#5.1.2)\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <probe@good.test>\nMessage-ID: <a@good.test>\n",
        recipients: &[
            "x@far.test failed 5.1.1 550 unknown_user",
            "y@good.test failed 5.1.1 - unknown_user",
            "z@gone.test failed 5.1.2 - dns",
        ],
    },
    Sample {
        name: "Yahoo",
        form: "yahoo",
        message: "From: MAILER-DAEMON@yahoo.com\nSubject: Failure Notice\n\nSorry, we were unable to deliver your message to the following address.\n\n<x@far.test>:\nRemote host said:\n550 5.2.2 <x@far.test>... Mailbox Full\n[RCPT_TO]\n\n--- Below this line is a copy of the message.\n\nSubject: a\n",
        recipients: &["x@far.test failed 5.2.2 550 mailbox_full"],
    },
    Sample {
        name: "Gmail of old",
        form: "gmail",
        message: "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nX-Failed-Recipients: x@far.test\nSubject: Delivery Status Notification (Failure)\nContent-Type: text/plain; charset=ISO-8859-1\n\nDelivery to the following recipient failed permanently:\n\n     x@far.test\n\nTechnical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the server for the recipient domain far.test by mx.far.test. [192.0.2.9].\n\nThe error that the other server returned was:\n550 5.7.1 Message blocked due to its content: virus found\n\n----- Original message -----\n\nSubject: a\n",
        recipients: &["x@far.test failed 5.7.1 550 content_rejected"],
    },
    Sample {
        name: "Gmail of old, a delay",
        form: "gmail",
        message: "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Delay)\n\nTHIS IS A WARNING MESSAGE ONLY.\n\nYOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\nDelivery to the following recipient has been delayed:\n\n     x@far.test\n\nMessage will be retried for 2 more day(s)\n\nTechnical details of temporary failure:\nThe recipient server did not accept our requests to connect.\n",
        recipients: &["x@far.test delayed - - network"],
    },
    Sample {
        name: "Gmail today",
        form: "rfc3464",
        message: "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)\nContent-Type: multipart/report; boundary=\"0001\"; report-type=delivery-status\n\n--0001\nContent-Type: multipart/related; boundary=\"0002\"\n\n--0002\nContent-Type: multipart/alternative; boundary=\"0003\"\n\n--0003\nContent-Type: text/plain; charset=\"UTF-8\"\n\n** Address not found **\n\n--0003--\n--0002--\n--0001\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; googlemail.com\nArrival-Date: Mon, 24 Nov 2025 08:00:00 -0800 (PST)\n\nFinal-Recipient: rfc822; x@gmail.com\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n\n--0001--\n",
        recipients: &["x@gmail.com failed 5.1.1 550 unknown_user"],
    },
    Sample {
        name: "Exchange 5.5 and 2003",
        form: "exchange",
        message: "From: System Administrator <postmaster@good.test>\nSubject: Undeliverable: a test\nX-Mailer: Internet Mail Service (5.5.2657.72)\n\nYour message\n\n  To:      x@good.test\n  Subject: a test\n  Sent:    Mon, 24 Nov 2025 16:00:00 -0000\n\ndid not reach the following recipient(s):\n\nx@good.test on Mon, 24 Nov 2025 16:00:01 -0000\n    The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=us;a= ;p=good;l=MX0000000000\n    MSEXCH:IMS:GOOD:SITE:MX 0 (000C05A6) Unknown Recipient\n",
        recipients: &["x@good.test failed - - unknown_user"],
    },
    Sample {
        name: "Exchange 2007",
        form: "exchange",
        message: "From: postmaster@good.test\nSubject: Undeliverable: a test\nContent-Type: text/plain\n\nDelivery has failed to these recipients or distribution lists:\n\nx@good.test\nThe recipient's e-mail address was not found in the recipient's e-mail system.\n\nDiagnostic information for administrators:\n\nGenerating server: mx.good.test\n\nx@good.test\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\ny@good.test\nRemote Server returned '550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient'\n\nOriginal message headers:\n\nReceived: from a by b\n",
        recipients: &[
            "x@good.test failed 5.1.1 550 unknown_user",
            "y@good.test failed 5.2.3 550 too_large",
        ],
    },
    Sample {
        name: "au",
        form: "au",
        message: "From: Postmaster@ezweb.ne.jp\nSubject: Mail System Error - Returned Mail\nContent-Type: multipart/mixed; boundary=\"=_F\"\n\n--=_F\nContent-Type: text/plain; charset=\"ISO-2022-JP\"\n\n\x1b$BAw?.@h\x1b(B\n\nThe user(s) account is temporarily over quota.\n\n<x@ezweb.ne.jp>\n\n--=_F--\n",
        recipients: &["x@ezweb.ne.jp failed - - mailbox_full"],
    },
    Sample {
        name: "au, refused by the next server",
        form: "au",
        message: "From: Postmaster@au.com\nSubject: Mail System Error - Returned Mail\n\nEach of the following recipients was rejected by a remote\nmail server.\n\n    Recipient: <x@ezweb.ne.jp>\n    >>> RCPT TO:<x@ezweb.ne.jp>\n    <<< 550 <x@ezweb.ne.jp>: User unknown\n",
        recipients: &["x@ezweb.ne.jp failed - 550 unknown_user"],
    },
    Sample {
        name: "KDDI",
        form: "au",
        message: "From: no-reply@m.dion.ne.jp\nReturn-Path: <>\nSubject: Undelivered mail\n\nYour mail sent on: Mon, 24 Nov 2025 16:00:00 +0900\n    Could not be delivered to: <x@dion.ne.jp>\n    As their mailbox is full.\n",
        recipients: &["x@dion.ne.jp failed - - mailbox_full"],
    },
    Sample {
        name: "docomo, told by a gateway",
        form: "unknown",
        message: "From: postmaster@good.test\nSubject: Delivery failure\n\nYour message to the following recipients cannot be delivered:\n\n<x@docomo.ne.jp>:\nmfsmax.docomo.ne.jp [203.0.113.1]:\n>>> RCPT TO:<x@docomo.ne.jp>\n<<< 550 Unknown user x@docomo.ne.jp\n",
        recipients: &["x@docomo.ne.jp failed - 550 unknown_user"],
    },
    Sample {
        name: "sendmail without a report",
        form: "sendmail",
        message: "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.good.test>\nSubject: Returned mail: see transcript for details\n\nThe original message was received at Mon, 24 Nov 2025 16:00:00 GMT\nfrom a.good.test [192.0.2.1]\n\n   ----- The following addresses had permanent fatal errors -----\n<x@far.test>\n    (reason: 550 5.1.1 <x@far.test>... User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.far.test.:\n>>> RCPT To:<x@far.test>\n<<< 550 5.1.1 <x@far.test>... User unknown\n",
        recipients: &["x@far.test failed 5.1.1 550 unknown_user"],
    },
    Sample {
        name: "Postfix of old",
        form: "postfix",
        message: "From: MAILER-DAEMON@mx.good.test (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n\nThis is the Postfix program at host mx.good.test.\n\n\t\t\tThe Postfix program\n\n<x@far.test>: connect to mx.far.test[192.0.2.9]: No route to host\n",
        recipients: &["x@far.test failed - - network"],
    },
    Sample {
        name: "an unknown form that says nothing",
        form: "unknown",
        message: "From: MAILER-DAEMON@odd.test\nSubject: Undeliverable mail\n\nIt did not work out.\n",
        recipients: &["- failed - - unknown"],
    },
    Sample {
        name: "words that could mean two things",
        form: "unknown",
        message: "From: MAILER-DAEMON@odd.test\nX-Failed-Recipients: x@far.test\nSubject: Mail delivery failed\n\nRequested action not taken: mailbox unavailable\n",
        recipients: &["x@far.test failed - - unknown"],
    },
    Sample {
        name: "a success with words",
        form: "rfc3464",
        message: "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\nFinal-Recipient: rfc822; a@b\nAction: delivered\nStatus: 2.0.0\nDiagnostic-Code: smtp; 250 2.0.0 accepted, spam score 0.1, tls ok\n\n--b--\n",
        recipients: &["a@b delivered 2.0.0 - unknown"],
    },
    Sample {
        name: "a host whose name is a word",
        form: "postfix",
        message: "From: MAILER-DAEMON@mx.good.test (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\nThis is the mail system at host mx.good.test.\n\n<x@far.test>: host mx.spam-filter.test[192.0.2.1] said: 550 Requested action\n    not taken: mailbox unavailable (in reply to RCPT TO command)\n",
        recipients: &["x@far.test failed - 550 unknown"],
    },
    Sample {
        name: "Exchange in German",
        form: "exchange",
        message: "From: System Administrator\nSubject: Unzustellbar: Hallo\n\nFolgende(r) Empfaenger kann/koennen nicht erreicht werden:\n\n      x@far.test am 24.11.2025 16:00\n            Das E-Mail-Konto ist in der Organisation nicht vorhanden.\n            <x #5.1.1>\n",
        recipients: &["x@far.test failed 5.1.1 - unknown_user"],
    },
];
