//! Laying the sources of settings over each other, and telling where a value came from.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{Config, Profile, check};

/// Settings in the environment begin so and have a `__` between section and key.
const PREFIX: &str = "LIVEDROP_";

/// Variables that begin so and are no settings: those of the examples, and of the tests of recovery.
const OTHERS: &[&str] = &[
    "LIVEDROP_ENDPOINT",
    "LIVEDROP_DROP",
    #[cfg(debug_assertions)]
    "LIVEDROP_CRASH_AT",
];

/// Two names less alike than this (1.0 = the same) are not taken for a typing error.
const ALIKE_MIN: f64 = 0.6;

/// The same for whole variables, which all have the prefix in common.
const ALIKE_VARIABLE_MIN: f64 = 0.8;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This file.
    File(PathBuf),
    /// This variable.
    Environment(String),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which key (`server.listen`), or which file.
    pub subject: String,
    /// Who gave the value; none if nobody did.
    pub origin: Option<Origin>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} ({origin}): {}", self.subject, self.message),
            None => write!(f, "{}: {}", self.subject, self.message),
        }
    }
}

/// Everything that is wrong with the settings, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings are wrong")?;
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

/// The sources, weakest first.
#[derive(Debug)]
pub struct Layers {
    /// Which defaults.
    pub profile: Profile,
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Variables of the environment; those that are no settings are skipped, see [`Loaded::ignored`].
    pub environment: Vec<(String, String)>,
    /// Flags: how it was written (`--listen`), which key it sets (`server.listen`), the text.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// Settings, with where they came from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The keys that somebody has set.
    pub(super) origins: BTreeMap<String, Origin>,
    /// Variables that begin with `LIVEDROP_` and set nothing, each with the name that may be meant.
    pub ignored: Vec<(String, Option<String>)>,
}

impl Loaded {
    /// Whether nobody has set this key.
    #[must_use]
    pub fn is_default(&self, key: &str) -> bool {
        !self.origins.contains_key(key)
    }
}

/// Reads all sources and checks the result.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(layers: Layers) -> Result<Loaded, Problems> {
    let defaults = Config::new(layers.profile);
    let mut merge = Merge::new(&defaults);
    if let Some(path) = layers.file {
        merge.file(path);
    }
    for (name, text) in layers.environment {
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if key.contains("__") {
            let key = key.to_lowercase().replace("__", ".");
            merge.text(key, &text, Origin::Environment(name));
        } else if !OTHERS.contains(&name.as_str()) {
            let meant = merge.variable_like(&name);
            merge.ignored.push((name, meant));
        }
    }
    for (flag, key, text) in layers.flags {
        merge.text(key.to_owned(), &text, Origin::Flag(flag.to_owned()));
    }
    merge.finish(defaults)
}

struct Merge {
    /// What stands so far: always a whole, readable `Config`.
    table: Table,
    known: BTreeMap<String, Value>,
    origins: BTreeMap<String, Origin>,
    ignored: Vec<(String, Option<String>)>,
    problems: Vec<Problem>,
}

impl Merge {
    fn new(defaults: &Config) -> Self {
        // A struct of plain fields always becomes a table.
        let table = Table::try_from(defaults).unwrap_or_default();
        let known = leaves(&table);
        Self {
            table,
            known,
            origins: BTreeMap::new(),
            ignored: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn file(&mut self, path: PathBuf) {
        let read = fs::read_to_string(&path).map_err(|error| format!("can't be read: {error}"));
        let parsed =
            read.and_then(|text| text.parse::<Table>().map_err(|error| syntax(&text, &error)));
        match parsed {
            Ok(table) => {
                for (key, value) in leaves(&table) {
                    self.value(key, value, Origin::File(path.clone()));
                }
            }
            Err(message) => {
                self.problems.push(Problem {
                    subject: path.display().to_string(),
                    origin: None,
                    message,
                });
            }
        }
    }

    /// A value given as text has the type of the default.
    fn text(&mut self, key: String, text: &str, origin: Origin) {
        let value = match self.known.get(&key) {
            Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
            Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
            Some(Value::Float(_)) => text.parse().map(Value::Float).ok(),
            Some(Value::Array(_)) => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                Some(Value::Array(
                    parts.map(|part| Value::String(part.to_owned())).collect(),
                ))
            }
            Some(Value::String(_) | Value::Datetime(_) | Value::Table(_)) | None => None,
        };
        self.value(
            key,
            value.unwrap_or_else(|| Value::String(text.to_owned())),
            origin,
        );
    }

    fn value(&mut self, key: String, value: Value, origin: Origin) {
        let message = if self.known.contains_key(&key) {
            let mut changed = self.table.clone();
            set(&mut changed, &key, value);
            match Config::deserialize(Value::Table(changed.clone())) {
                Ok(_) => {
                    self.table = changed;
                    self.origins.insert(key, origin);
                    return;
                }
                Err(error) => error.message().to_owned(),
            }
        } else if value.as_table().is_some() && self.is_section(&key) {
            return;
        } else {
            self.hint(&key)
        };
        self.problems.push(Problem {
            subject: key,
            origin: Some(origin),
            message,
        });
    }

    fn is_section(&self, key: &str) -> bool {
        self.known.keys().any(|known| {
            known
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    fn hint(&self, key: &str) -> String {
        if self.is_section(key) {
            return "is a section and takes keys, not a value".to_owned();
        }
        let alike = |known: &String| {
            let whole = strsim::normalized_damerau_levenshtein(key, known);
            // The right name in the wrong section.
            let names = strsim::normalized_damerau_levenshtein(last(key), last(known)) * 0.9;
            whole.max(names)
        };
        let nearest = self
            .known
            .keys()
            .max_by(|a, b| alike(a).total_cmp(&alike(b)));
        match nearest.filter(|known| alike(known) >= ALIKE_MIN) {
            Some(known) => format!("no such key, did you mean {known}?"),
            None => "no such key; `livedrop config` shows all there are".to_owned(),
        }
    }

    /// The variable that is meant by one of nearly its name.
    fn variable_like(&self, name: &str) -> Option<String> {
        let variables = self.known.keys().map(|key| {
            let variable = format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"));
            (
                strsim::normalized_damerau_levenshtein(name, &variable),
                variable,
            )
        });
        let (alike, variable) = variables.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (alike >= ALIKE_VARIABLE_MIN).then_some(variable)
    }

    fn finish(self, defaults: Config) -> Result<Loaded, Problems> {
        let Self {
            table,
            origins,
            ignored,
            mut problems,
            known: _,
        } = self;
        // Never fails: each value was tried. The defaults only stand in where the compiler can't know that.
        let config = Config::deserialize(Value::Table(table)).unwrap_or(defaults);
        problems.extend(
            check::check(&config)
                .into_iter()
                .map(|(key, message)| Problem {
                    subject: key.to_owned(),
                    origin: origins.get(key).cloned(),
                    message,
                }),
        );
        if problems.is_empty() {
            Ok(Loaded {
                config,
                origins,
                ignored,
            })
        } else {
            Err(Problems(problems))
        }
    }
}

/// Where and what; never the line itself, which may hold a secret.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = text
        .bytes()
        .take(start)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1;
    format!("line {line}: {}", error.message().replace('\n', ", "))
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// All values of a table by their dotted keys; an empty table stands for itself.
pub(super) fn leaves(table: &Table) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in table {
        if let Value::Table(inner) = value
            && !inner.is_empty()
        {
            let inner = leaves(inner).into_iter();
            found.extend(inner.map(|(rest, value)| (format!("{key}.{rest}"), value)));
        } else {
            found.insert(key.clone(), value.clone());
        }
    }
    found
}

fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                set(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
