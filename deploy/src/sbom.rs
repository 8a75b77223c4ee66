//! The bill of materials, as CycloneDX 1.5 in JSON (ECMA-424): every library that is linked in, where it came from, by which
//! checksum, under which licence, and who uses whom.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::linked::{Key, Library, Linked};

/// Of `package` in `version`, built by this compiler from what was committed `at`.
pub(crate) fn of(
    linked: &Linked,
    (package, version): (&str, &str),
    rustc: &str,
    at: Timestamp,
) -> anyhow::Result<String> {
    let program = format!("{package}@{version}");
    let standard = standard_library(rustc);
    let components: Vec<Value> =
        linked.libraries.iter().map(|(key, library)| component(key, library)).collect();
    let users = linked.uses.iter().map(|(user, used)| {
        let mut used: Vec<String> = used.iter().map(purl).collect();
        if user.is_none() {
            used.push(format!("rust-std@{rustc}"));
        }
        let user = user.as_ref().map_or_else(|| program.clone(), purl);
        json!({ "ref": user, "dependsOn": used })
    });
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": at.to_string(),
            "component": {
                "type": "application",
                "bom-ref": program,
                "name": package,
                "version": version,
                "description": linked.description,
                "licenses": [{ "license": { "id": "Apache-2.0" } }],
            },
        },
        "components": components.into_iter().chain([standard]).collect::<Vec<_>>(),
        "dependencies": users.collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&bill).context("the bill cannot be written")?;
    Ok(text + "\n")
}

fn component(key: &Key, library: &Library) -> Value {
    let (name, version) = key;
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(key),
        "name": name,
        "version": version,
        "purl": purl(key),
        "licenses": [{ "expression": library.licence }],
    });
    if let Some(fields) = component.as_object_mut() {
        if let Some(sha256) = &library.sha256 {
            fields.insert("hashes".into(), json!([{ "alg": "SHA-256", "content": sha256 }]));
        }
        if let Some(url) = &library.repository {
            let references = json!([{ "type": "vcs", "url": url }]);
            fields.insert("externalReferences".into(), references);
        }
    }
    component
}

fn standard_library(rustc: &str) -> Value {
    json!({
        "type": "library",
        "bom-ref": format!("rust-std@{rustc}"),
        "name": "rust-std",
        "version": rustc,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    })
}

/// A package's address (ECMA-427).
fn purl((name, version): &Key) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::linked::tests::agent;

    #[test]
    fn whatever_is_used_is_a_component_and_the_bytes_are_the_same() {
        let linked = agent();
        let made = || of(&linked, ("mailsonde-agent", "1.2.3"), "1.95.0", Timestamp::UNIX_EPOCH);
        let text = made().unwrap();
        assert_eq!(text, made().unwrap());
        let bill: Value = serde_json::from_str(&text).unwrap();
        let components = bill["components"].as_array().unwrap();
        let known: BTreeSet<_> = components.iter().map(|it| it["bom-ref"].as_str()).collect();
        assert_eq!(known.len(), components.len(), "each stands there once");
        assert!(components.len() > 150, "{}", components.len());
        for users in bill["dependencies"].as_array().unwrap() {
            for used in users["dependsOn"].as_array().unwrap() {
                assert!(known.contains(&used.as_str()), "{used}");
            }
        }
        for component in components {
            assert_ne!(component["licenses"][0]["expression"], "", "{component}");
        }
        assert_eq!(bill["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
    }
}
