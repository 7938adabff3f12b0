//! What keys mean: the doc comments of the settings' structs, read from their source so that they are written once.

use std::collections::BTreeMap;

/// Where the structs are.
const SOURCES: [&str; 2] = [
    include_str!("../config.rs"),
    include_str!("../rpc/limits.rs"),
];

/// A field of a struct.
#[derive(Debug)]
struct Field {
    type_name: &'static str,
    doc: String,
}

/// The doc comments of all settings.
#[derive(Debug)]
pub(super) struct Meanings(BTreeMap<(&'static str, &'static str), Field>);

impl Meanings {
    pub(super) fn read() -> Self {
        let mut fields = BTreeMap::new();
        for source in SOURCES {
            let (mut owner, mut doc) = ("", Vec::new());
            for line in source.lines().map(str::trim) {
                if let Some(text) = line.strip_prefix("///") {
                    doc.push(text.trim());
                } else if let Some(rest) = line.strip_prefix("pub struct ") {
                    owner = rest.split(' ').next().unwrap_or_default();
                    doc.clear();
                } else if let Some((name, type_name)) = field(line) {
                    let doc = std::mem::take(&mut doc).join(" ");
                    fields.insert((owner, name), Field { type_name, doc });
                } else if !line.starts_with("#[") {
                    doc.clear();
                }
            }
        }
        Self(fields)
    }

    /// The meaning of a key such as `server.listen`, or of a section.
    pub(super) fn of<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        let mut owner = "Config";
        let mut found = None;
        for name in key.split('.') {
            let field = self.0.get(&(owner, name))?;
            owner = field.type_name;
            found = Some(field.doc.as_str());
        }
        found
    }
}

/// `pub listen: SocketAddr,` is (`listen`, `SocketAddr`).
fn field(line: &'static str) -> Option<(&'static str, &'static str)> {
    line.strip_prefix("pub ")?
        .strip_suffix(',')?
        .split_once(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Profile, layers::leaves};

    #[test]
    fn every_key_has_one() {
        let meanings = Meanings::read();
        let table = toml::Table::try_from(Config::new(Profile::Serve)).unwrap();
        for key in leaves(&table).keys() {
            let meaning = meanings.of(key).unwrap_or_else(|| panic!("{key}"));
            assert!(!meaning.is_empty(), "{key}");
        }
        assert_eq!(
            meanings.of("limits.per_network.burst"),
            Some("Calls at once.")
        );
        assert_eq!(meanings.of("log"), Some("What is logged."));
        assert_eq!(meanings.of("log.nothing"), None);
    }
}
