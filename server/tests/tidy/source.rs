//! The repository's own text files.

use std::{fs, path::Path};

/// What is not ours to check: built, installed, or vendored.
const SKIPPED: &[&str] = &[
    "target",
    "node_modules",
    "livedrop-data",
    "proto/google",
    "sdk-ts/src/gen",
    "sdk-ts/dist",
];

/// Files that are checked; one without an extension is a script.
const EXTENSIONS: &[&str] = &[
    "rs", "proto", "ts", "sh", "cql", "md", "toml", "yaml", "yml", "json", "",
];

/// A file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn extension(&self) -> &str {
        Path::new(&self.path)
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default()
    }
}

/// All files at or below `path`, which is relative to the repository's root, in a stable order.
pub(crate) fn under(path: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the server is a folder of the repository");
    walk(root, path, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(root: &Path, path: &str, sources: &mut Vec<Source>) {
    let full = root.join(path);
    let name = full
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if SKIPPED.contains(&path)
        || SKIPPED.contains(&name)
        || (name.starts_with('.') && name != ".ci")
    {
        return;
    }
    if full.is_dir() {
        for entry in fs::read_dir(&full).expect("folders can be listed") {
            let child = entry.expect("folders can be listed").file_name();
            let child = child.to_str().expect("file names are UTF-8");
            walk(
                root,
                &if path.is_empty() {
                    child.to_owned()
                } else {
                    format!("{path}/{child}")
                },
                sources,
            );
        }
    } else if full.is_file() {
        let mut source = Source {
            path: path.to_owned(),
            text: String::new(),
        };
        if EXTENSIONS.contains(&source.extension()) {
            source.text = fs::read_to_string(&full).expect("source files are UTF-8");
            sources.push(source);
        }
    }
}

#[test]
fn finds_sources_and_skips_what_is_built_or_vendored() {
    let paths: Vec<String> = under("").into_iter().map(|source| source.path).collect();
    for expected in [
        "Cargo.toml",
        "server/src/lib.rs",
        "server/tests/tidy/source.rs",
    ] {
        assert!(
            paths.iter().any(|path| path == expected),
            "{expected} was not found"
        );
    }
    assert!(
        paths
            .iter()
            .all(|path| !path.starts_with("target/") && !path.starts_with("proto/google/"))
    );
}
