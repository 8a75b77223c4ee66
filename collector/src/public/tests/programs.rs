use super::*;

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn programs_are_told_how_to_be_set_up() {
    let page = page();
    let text = |shown: Shown| String::from_utf8(shown.body.to_vec()).unwrap();
    insta::assert_snapshot!(text(page.autoconfig(Some("ann@Example.net")).unwrap()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <clientConfig version="1.1">
    <emailProvider id="example.org">
    <domain>example.org</domain>
    <domain>example.net</domain>
    <displayName>Staff</displayName>
    <displayShortName>Staff</displayShortName>
    <incomingServer type="imap">
    <hostname>mail.example.org</hostname>
    <port>993</port>
    <socketType>SSL</socketType>
    <username>%EMAILADDRESS%</username>
    <authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
    <hostname>mail.example.org</hostname>
    <port>587</port>
    <socketType>STARTTLS</socketType>
    <username>%EMAILADDRESS%</username>
    <authentication>password-cleartext</authentication>
    </outgoingServer>
    <documentation url="https://status.example.org/status/setup">
    <descr lang="en">How to set up a mail program</descr>
    </documentation>
    </emailProvider>
    </clientConfig>
    "#);
    insta::assert_snapshot!(text(page.apple(Some("example.org")).unwrap()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
    <plist version="1.0">
    <dict>
    <key>PayloadContent</key>
    <array>
    <dict>
    <key>EmailAccountDescription</key>
    <string>Staff</string>
    <key>EmailAccountType</key>
    <string>EmailTypeIMAP</string>
    <key>IncomingMailServerAuthentication</key>
    <string>EmailAuthPassword</string>
    <key>IncomingMailServerHostName</key>
    <string>mail.example.org</string>
    <key>IncomingMailServerPortNumber</key>
    <integer>993</integer>
    <key>IncomingMailServerUseSSL</key>
    <true/>
    <key>OutgoingMailServerAuthentication</key>
    <string>EmailAuthPassword</string>
    <key>OutgoingMailServerHostName</key>
    <string>mail.example.org</string>
    <key>OutgoingMailServerPortNumber</key>
    <integer>587</integer>
    <key>OutgoingMailServerUseSSL</key>
    <true/>
    <key>OutgoingPasswordSameAsIncomingPassword</key>
    <true/>
    <key>PayloadDisplayName</key>
    <string>Staff</string>
    <key>PayloadIdentifier</key>
    <string>org.example.status.mailsonde.example.org.mail</string>
    <key>PayloadType</key>
    <string>com.apple.mail.managed</string>
    <key>PayloadUUID</key>
    <string>6B2F986B-A2E0-8855-9FE4-EDE2B057D2A8</string>
    <key>PayloadVersion</key>
    <integer>1</integer>
    </dict>
    </array>
    <key>PayloadDescription</key>
    <string>Sets up e-mail. You are asked for your address and password.</string>
    <key>PayloadDisplayName</key>
    <string>E-mail at Example &amp; Sons: Staff</string>
    <key>PayloadIdentifier</key>
    <string>org.example.status.mailsonde.example.org</string>
    <key>PayloadOrganization</key>
    <string>E-mail at Example &amp; Sons</string>
    <key>PayloadType</key>
    <string>Configuration</string>
    <key>PayloadUUID</key>
    <string>25DCA4CB-4002-8171-9D4B-0DA1CD0240F2</string>
    <key>PayloadRemovalDisallowed</key>
    <false/>
    <key>PayloadVersion</key>
    <integer>1</integer>
    </dict>
    </plist>
    "#);
    for (address, is_one) in [
        (None, true),
        (Some(""), true),
        (Some("%EMAILADDRESS%"), true),
        (Some("@example.org"), true),
        (Some("ann@example.org.evil.test"), false),
        (Some("example.org"), false),
        (Some("ann@evil.test@example.org"), true),
    ] {
        assert_eq!(page.autoconfig(address).is_ok(), is_one, "{address:?}");
    }
    assert_eq!(page.apple(None).unwrap(), page.apple(Some("EXAMPLE.net")).unwrap());
    assert!(page.apple(Some("evil.test")).is_err());
}
