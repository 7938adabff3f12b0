//! Settings as TOML: each key with its meaning; what is not a default says where it came from, and no secret is shown.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::{Loaded, meaning::Meanings};

const HIDDEN: &str = "(hidden)";

const HEAD: &str = "\
# Settings of Live Drop. What is not a default says where it came from; a key left out has its default.
# Spans of time are texts such as \"30s\", \"15m\", \"20ms\".
";

impl Loaded {
    /// The settings as a file that could be loaded again, but for secrets.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let table = Table::try_from(&self.config).unwrap_or_default();
        let mut text = String::from(HEAD);
        self.section("", &table, &Meanings::read(), &mut text);
        text
    }

    fn section(&self, path: &str, table: &Table, meanings: &Meanings, text: &mut String) {
        let join = |key: &str| {
            if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            }
        };
        let (sections, values): (Vec<_>, Vec<_>) =
            table.iter().partition(|(_, value)| value.is_table());
        // Writing to a text can't fail.
        let meaning = |key: &str, text: &mut String| {
            if let Some(meaning) = meanings.of(key) {
                let _ = writeln!(text, "# {meaning}");
            }
        };
        if !values.is_empty() {
            text.push('\n');
            meaning(path, text);
            let _ = writeln!(text, "[{path}]");
        }
        for (key, value) in values {
            let full = join(key);
            meaning(&full, text);
            let note = self
                .origins
                .get(&full)
                .map(|origin| format!("  # {origin}"))
                .unwrap_or_default();
            let _ = writeln!(text, "{key} = {}{note}", hide(key, value));
        }
        for (key, value) in sections {
            if let Value::Table(inner) = value {
                self.section(&join(key), inner, meanings, text);
            }
        }
    }
}

/// A value that may be shown: nothing of a key named as a secret, no user and password of a URL.
fn hide(key: &str, value: &Value) -> Value {
    let is_secret = ["secret", "password", "token"]
        .iter()
        .any(|name| key == *name || key.ends_with(&format!("_{name}")));
    match value {
        Value::String(text) if is_secret && !text.is_empty() => Value::String(HIDDEN.to_owned()),
        Value::String(text) => Value::String(hide_user(text)),
        Value::Array(values) => Value::Array(values.iter().map(|value| hide(key, value)).collect()),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Table(_) => value.clone(),
    }
}

fn hide_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, _)) => format!(
            "{scheme}://{HIDDEN}{}",
            rest.get(user.len()..).unwrap_or_default()
        ),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden() {
        let hidden =
            |key: &str, text: &str| hide(key, &Value::from(text)).as_str().unwrap().to_owned();
        assert_eq!(hidden("redis_password", "hunter2"), HIDDEN);
        assert_eq!(hidden("secret", "hunter2"), HIDDEN);
        assert_eq!(hidden("password", ""), "", "that none is set is no secret");
        assert_eq!(
            hidden("url", "redis://ann:hunter2@host:1/0?a=b@c"),
            "redis://(hidden)@host:1/0?a=b@c"
        );
        assert_eq!(hidden("url", "https://host/a@b"), "https://host/a@b");
        assert_eq!(hidden("listen", "127.0.0.1:1"), "127.0.0.1:1");
        let list = hide("urls", &Value::Array(vec![Value::from("x://u:p@h")]));
        assert_eq!(list.to_string(), r#"["x://(hidden)@h"]"#);
    }
}
