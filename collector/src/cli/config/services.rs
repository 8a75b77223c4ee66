//! What would change in services, for people.

use super::{keys, mark, plural};
use crate::central::{ServiceChange, ServicesDifference};
use crate::cli::terminal::{Terminal, printable};
use crate::fleet::Plan;

const IMPLICIT: &str = "no service is defined then: each check is a service of its own\n";

/// How many changes that is.
pub(super) fn count(difference: &ServicesDifference) -> usize {
    difference.changes.len() + difference.settings.len()
}

/// What stays as it is; nothing where no service was ever defined.
pub(super) fn unchanged(plan: &Plan, difference: &ServicesDifference) -> String {
    if difference.is_implicit {
        return String::new();
    }
    let services = plural(difference.unchanged, "service");
    format!("{services} in force as in {}\n", printable(&plan.services_folder))
}

/// What would change, service by service; nothing where nothing would.
pub(super) fn shown(difference: &ServicesDifference, terminal: &Terminal) -> String {
    let ServicesDifference { changes, settings, unchanged, is_implicit } = difference;
    if difference.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    if !settings.is_empty() {
        text.push_str(&format!(
            "{}\n{}",
            mark("changed", "all services", terminal),
            keys(settings)
        ));
    }
    for ServiceChange { service, what, settings } in changes {
        let name = format!("service {service}");
        text.push_str(&format!("{}\n", mark(what, &name, terminal)));
        if what != "removed" {
            text.push_str(&keys(settings));
        }
    }
    let count = |what: &str| changes.iter().filter(|change| change.what == what).count();
    text.push_str(&format!(
        "\nservices: {} added, {} changed, {} removed, {unchanged} as before\n",
        count("added"),
        count("changed"),
        count("removed")
    ));
    if *is_implicit {
        text.push_str(IMPLICIT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    #[test]
    fn services_are_read_like_checks() {
        let change = |service: &str, what: &str| ServiceChange {
            service: service.into(),
            what: what.into(),
            settings: vec![
                ("down_when".into(), "\"half\"".into(), "\"2\"".into()),
                ("users".into(), "12".into(), String::new()),
            ],
        };
        let difference = ServicesDifference {
            changes: vec![change("dns", "removed"), change("mail", "changed")],
            settings: vec![("time_zone".into(), String::new(), "\"Asia/Tokyo\"".into())],
            unchanged: 3,
            is_implicit: false,
        };
        assert_eq!(count(&difference), 3);
        insta::assert_snapshot!(shown(&difference, &plain(100)), @r#"
        ~ all services
            time_zone = "Asia/Tokyo"
        - service dns
        ~ service mail
            down_when = "half" -> "2"
            users = 12, no more

        services: 0 added, 1 changed, 1 removed, 3 as before
        "#);
        let none = ServicesDifference {
            changes: vec![change("dns", "removed")],
            is_implicit: true,
            ..ServicesDifference::default()
        };
        insta::assert_snapshot!(shown(&none, &plain(100)), @r#"
        - service dns

        services: 0 added, 0 changed, 1 removed, 0 as before
        no service is defined then: each check is a service of its own
        "#);
        assert_eq!(shown(&ServicesDifference::default(), &plain(100)), "");
    }
}
