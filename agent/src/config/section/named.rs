//! Values of a section that are names of hosts and domains, or mail addresses; `host` reads them.

use std::fmt;

use hickory_resolver::proto::rr::Name;

use super::Section;
use crate::config::host;
use crate::posture::shown;

impl Section<'_> {
    /// A host, by name or IP address; `None` when the key is absent or wrong.
    pub fn host(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let read = host::host(&text);
        self.named(key, &text, "a name such as \"mail.example.org\" or an IP address", read)
    }

    /// A host that must be there.
    pub fn required_host(&mut self, key: &str) -> Option<String> {
        self.require(key);
        self.host(key)
    }

    /// A domain; `None` when the key is absent or wrong.
    pub fn domain(&mut self, key: &str) -> Option<Name> {
        let text = self.text(key)?;
        let read = host::domain(&text);
        self.named(key, &text, "a domain such as \"example.org\"", read)
    }

    /// A domain that must be there.
    pub fn required_domain(&mut self, key: &str) -> Option<Name> {
        self.require(key);
        self.domain(key)
    }

    /// Several domains, or one for short; those that are wrong are left out.
    pub fn domains(&mut self, key: &str) -> Vec<Name> {
        let texts = self.texts(key);
        let mut domains = Vec::new();
        for text in texts {
            let read = host::domain(&text);
            domains.extend(self.named(key, &text, "domains such as \"example.org\"", read));
        }
        domains
    }

    /// How we introduce ourselves in EHLO: a name, or an address literal (RFC 5321 section 4.1.4); `None`
    /// when the key is absent or wrong.
    pub fn hello(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        if host::is_literal(&text) {
            return Some(text);
        }
        let read = host::domain(&text)
            .map(|name| if text.is_ascii() { text.clone() } else { shown(&name) });
        let form = "a name such as \"probe.example.org\", or an address like \"[192.0.2.1]\"";
        self.named(key, &text, form, read)
    }

    /// A mail address; `None` when the key is absent or wrong.
    pub fn mail_address(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        self.as_mail_address(key, &text)
    }

    /// Several mail addresses, or one for short; those that are wrong are left out.
    pub fn mail_addresses(&mut self, key: &str) -> Vec<String> {
        let texts = self.texts(key);
        texts.iter().filter_map(|text| self.as_mail_address(key, text)).collect()
    }

    fn as_mail_address(&mut self, key: &str, text: &str) -> Option<String> {
        let read = host::mail_address(text);
        self.named(key, text, "a mail address such as \"probe@example.org\"", read)
    }

    fn named<T, E: fmt::Display>(
        &mut self,
        key: &str,
        text: &str,
        form: &str,
        read: Result<T, E>,
    ) -> Option<T> {
        match read {
            Ok(name) => Some(name),
            Err(why) => {
                self.wrong(key, &format!("must be {form}, not \"{text}\": {why}"));
                None
            }
        }
    }
}
