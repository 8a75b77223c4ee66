use super::*;

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn is_it_me() {
    insta::assert_snapshot!(main_of(&shown(Asked::Setup(Some("durban".into())))), @r#"
     id="main" tabindex="-1">
    <h1>Is it me?</h1>
    <form class="filter" method="get" action="/status/setup">
    <label>Where are you?<select name="site">
    <option value="">anywhere</option>
    <option>cape</option>
    <option selected>durban</option>
    <option>richards-bay</option>
    </select>
    </label>
    <button>Show how it is from there</button>
    </form>
    <p class="notice overall down" id="overall">
    <span aria-hidden="true">✗</span> Some of the mail servers do not work right now from durban: it is not you.</p>
    <p>There is nothing to change in your settings. What is known stands on the page &#39;Now&#39;.</p>
    <h2>Settings: Staff</h2>
    <p>For addresses that end in example.org, example.net. The user name is your whole address.</p>
    <div class="wide" tabindex="0" role="region" aria-label="Servers of Staff">
    <table class="stack">
    <thead>
    <tr>
    <th scope="col">for</th>
    <th scope="col">server</th>
    <th scope="col">port</th>
    <th scope="col">security</th>
    <th scope="col">sign-in</th>
    <th scope="col">right now</th>
    </tr>
    </thead>
    <tbody>
    <tr>
    <th scope="row">Outgoing mail (SMTP)</th>
    <td data-label="server">
    <code>mail.example.org</code>
    </td>
    <td data-label="port">587</td>
    <td data-label="security">STARTTLS</td>
    <td data-label="sign-in">password</td>
    <td data-label="right now">
    <span class="state down">
    <span aria-hidden="true">✗</span> does not work from durban</span>
    </td>
    </tr>
    <tr>
    <th scope="row">Incoming mail (IMAP)</th>
    <td data-label="server">
    <code>mail.example.org</code>
    </td>
    <td data-label="port">993</td>
    <td data-label="security">SSL/TLS</td>
    <td data-label="sign-in">password</td>
    <td data-label="right now">
    <span class="state down">
    <span aria-hidden="true">✗</span> does not work from durban</span>
    </td>
    </tr>
    </tbody>
    </table>
    </div>
    <h3>On a computer or an Android phone</h3>
    <p>Thunderbird and others ask for your name, your address and your password, and find the rest by themselves. Where one does not, enter what stands in the table: first a server for incoming mail, then one for outgoing mail, with the port and the security that stand beside it. <a href="/mail/config-v1.1.xml?emailaddress=%40example.org">The same for programs (autoconfig)</a>.</p>
    <h3>On an iPhone, an iPad or a Mac</h3>
    <p>
    <a href="/status/setup/apple.mobileconfig?domain=example.org">Get the profile</a>, then open Settings and choose 'Profile Downloaded'. It is not signed, and the device says so; it asks for your address and your password.</p>
    "#);
    let elsewhere = main_of(&shown(Asked::Setup(Some("cape".into()))));
    assert!(elsewhere.contains("The mail servers work right now from cape."), "{elsewhere}");
    let anywhere = main_of(&shown(Asked::Setup(None)));
    assert!(anywhere.contains("do not work everywhere right now"), "{anywhere}");
    assert!(anywhere.contains("works from 1 of 4 places; not from durban and richards-bay"));
}
