//! What a kind of probe can be told: its settings, with units and defaults.

use std::fmt::Write;

use super::super::one_shot;
use super::super::terminal::{Terminal, Tone};
use crate::config::server::settings;
use crate::probe::{Kind, Setting};

/// What `--set` knows of a mailbox; in a file these stand in `[[mailbox]]`.
pub(in crate::cli) const MAILBOX: &[Setting] = &[
    Setting::new("address", "address", None, "sender and recipient of the test mail"),
    Setting::new("login", "text", Some("the address"), "who signs in"),
    settings::PASSWORD_FILE,
    settings::PASSWORD_ENV,
    Setting::new("smtp.host", "host", None, "where the test mail is handed in"),
    Setting::new(
        "smtp.tls",
        "starttls | implicit | none | opportunistic",
        Some("starttls"),
        "how that is protected",
    ),
    Setting::new(
        "smtp.port",
        "number",
        Some("587, 465 or 25, by tls"),
        "its port; on 25 nobody signs in",
    ),
    Setting::new(
        "smtp.ca_file",
        "path",
        Some("the host's own"),
        "whose certificates to trust there",
    ),
    Setting::new(
        "imap.host",
        "host",
        Some("none, where pop3.host is set"),
        "where the test mail is looked for",
    ),
    Setting::new(
        "imap.tls",
        "implicit | starttls | none",
        Some("implicit"),
        "how that is protected",
    ),
    Setting::new("imap.port", "number", Some("993 or 143, by tls"), "its port"),
    Setting::new(
        "imap.ca_file",
        "path",
        Some("the host's own"),
        "whose certificates to trust there",
    ),
    Setting::new("imap.junk_folder", "text", Some("as the server says"), "where junk goes"),
    Setting::new(
        "pop3.host",
        "host",
        Some("none"),
        "where it is looked for by POP3 instead of IMAP",
    ),
    Setting::new(
        "pop3.tls",
        "implicit | starttls | none",
        Some("implicit"),
        "how that is protected",
    ),
    Setting::new("pop3.port", "number", Some("995 or 110, by tls"), "its port"),
    Setting::new(
        "pop3.ca_file",
        "path",
        Some("the host's own"),
        "whose certificates to trust there",
    ),
    Setting::new(
        "pop3.poll",
        "duration",
        Some("250ms"),
        "the shortest time from session to session",
    ),
    Setting::new(
        "pop3.sessions_per_minute",
        "number",
        Some("30"),
        "the most sessions in any minute",
    ),
    Setting::new(
        "watch",
        "imap | pop3",
        Some("the one there is"),
        "by which of both mail is seen to come",
    ),
    Setting::new(
        "provider",
        "microsoft365 | google | zoho | exchange | mailgun",
        Some("none"),
        "a platform whose servers, token endpoint and folders are known",
    ),
    settings::GRANT,
    settings::TENANT,
    settings::TOKEN_URL,
    settings::SCOPE,
    settings::CLIENT_ID,
    settings::CLIENT_SECRET_ENV,
    settings::REFRESH_TOKEN_ENV,
    settings::KEY_FILE,
    settings::MECHANISM,
    Setting::new(
        "clean_sent",
        "true | false",
        Some("the provider's, else false"),
        "remove copies of test mail from the folder of sent mail",
    ),
];

/// What every check has beside its name, kind and `every`.
pub(in crate::cli) const COMMON: &[Setting] = &[
    Setting::new("timeout", "duration", Some("60s"), "how long a run may take at most"),
    Setting::new(
        "fail_from",
        "never | notice | warning | critical",
        Some("never"),
        "from which severity on a finding makes the run a failure",
    ),
];

pub(super) fn kind_help(kind: &dyn Kind, terminal: &Terminal) -> String {
    let name = kind.name();
    let mut text = format!("{name}: {}\n\n", kind.summary());
    let heading = |words: &str| terminal.paint(Tone::Strong, words);
    text.push_str(&format!(
        "{}\n  mailsonde-agent probe {name} --config FILE --check NAME\n  mailsonde-agent probe {name} --set KEY=VALUE …\n\n",
        heading("Usage:"),
    ));
    text.push_str(&format!("{}\n", heading("Settings, in a [[check]] or by --set:")));
    let settings: Vec<_> = COMMON.iter().chain(kind.settings()).collect();
    text.push_str(&settings_lines(&settings));
    if one_shot::wants_a_mailbox(kind) {
        text.push_str(&format!(
            "\n{}\n",
            heading("The mailbox, by --set only (in a file: [[mailbox]]):")
        ));
        text.push_str(&settings_lines(&MAILBOX.iter().collect::<Vec<_>>()));
    }
    text.push_str(&format!(
        "\n{}\n  --timeout DURATION, --format human | json | nagios | prometheus, --log FILTER\n  exit status 0 pass, 1 fail, 2 usage, 3 void; with nagios 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN\n",
        heading("Also:"),
    ));
    text
}

fn settings_lines(settings: &[&Setting]) -> String {
    let width = settings.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for setting in settings {
        let default = match setting.default {
            Some(default) => format!("default {default}"),
            None => "required".to_owned(),
        };
        // Writing to a String cannot fail.
        writeln!(text, "  {:<width$}  {}", setting.name, setting.help).ok();
        writeln!(text, "  {:<width$}    {}; {default}", "", setting.form).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::samples::kinds;

    const PLAIN: Terminal = Terminal { width: 80, colours: false };

    #[test]
    #[allow(clippy::too_many_lines, reason = "what is shown has so many lines")]
    fn help_of_a_kind_lists_its_settings_with_units_and_defaults() {
        let kinds = kinds();
        let kind = kinds.get("round-trip").unwrap();
        insta::assert_snapshot!(kind_help(kind.as_ref(), &PLAIN), @r"
        round-trip: stands in

        Usage:
          mailsonde-agent probe round-trip --config FILE --check NAME
          mailsonde-agent probe round-trip --set KEY=VALUE …

        Settings, in a [[check]] or by --set:
          timeout    how long a run may take at most
                       duration; default 60s
          fail_from  from which severity on a finding makes the run a failure
                       never | notice | warning | critical; default never
          mailbox    where the mail goes
                       name of a mailbox; required
          late       when it is late
                       duration; default 5s

        The mailbox, by --set only (in a file: [[mailbox]]):
          address                   sender and recipient of the test mail
                                      address; required
          login                     who signs in
                                      text; default the address
          password_file             a file with the password on one line
                                      path; default none
          password_env              a variable of the environment with the password
                                      name; default none
          smtp.host                 where the test mail is handed in
                                      host; required
          smtp.tls                  how that is protected
                                      starttls | implicit | none | opportunistic; default starttls
          smtp.port                 its port; on 25 nobody signs in
                                      number; default 587, 465 or 25, by tls
          smtp.ca_file              whose certificates to trust there
                                      path; default the host's own
          imap.host                 where the test mail is looked for
                                      host; default none, where pop3.host is set
          imap.tls                  how that is protected
                                      implicit | starttls | none; default implicit
          imap.port                 its port
                                      number; default 993 or 143, by tls
          imap.ca_file              whose certificates to trust there
                                      path; default the host's own
          imap.junk_folder          where junk goes
                                      text; default as the server says
          pop3.host                 where it is looked for by POP3 instead of IMAP
                                      host; default none
          pop3.tls                  how that is protected
                                      implicit | starttls | none; default implicit
          pop3.port                 its port
                                      number; default 995 or 110, by tls
          pop3.ca_file              whose certificates to trust there
                                      path; default the host's own
          pop3.poll                 the shortest time from session to session
                                      duration; default 250ms
          pop3.sessions_per_minute  the most sessions in any minute
                                      number; default 30
          watch                     by which of both mail is seen to come
                                      imap | pop3; default the one there is
          provider                  a platform whose servers, token endpoint and folders are known
                                      microsoft365 | google | zoho | exchange | mailgun; default none
          oauth2.grant              how an access token is had, where there is no password
                                      client_credentials | service_account | refresh_token; default the provider's
          oauth2.tenant             the tenant at Microsoft
                                      text; default none
          oauth2.token_url          where tokens are had
                                      URL; default the provider's
          oauth2.scope              what a token is to be good for
                                      text; default the provider's
          oauth2.client_id          the application there
                                      text; default none
          oauth2.client_secret_env  a variable of the environment with its secret; client_secret_file names a file
                                      name; default none
          oauth2.refresh_token_env  a variable with the refresh token; refresh_token_file names a file
                                      name; default none
          oauth2.key_file           the key file of a service account
                                      path; default none
          oauth2.mechanism          how the token is presented
                                      any | xoauth2 | oauthbearer; default the provider's, else any
          clean_sent                remove copies of test mail from the folder of sent mail
                                      true | false; default the provider's, else false

        Also:
          --timeout DURATION, --format human | json | nagios | prometheus, --log FILTER
          exit status 0 pass, 1 fail, 2 usage, 3 void; with nagios 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
        ");
    }
}
