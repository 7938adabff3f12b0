//! Update masks: which fields of a request count.

use prost_types::FieldMask;

use crate::service::violations::Violations;

/// The paths of a mask, which must name at least one field, and none but those of `known`.
pub(super) fn paths(
    mask: Option<FieldMask>,
    known: &[&str],
    found: &mut Violations,
) -> Vec<String> {
    let paths = mask.unwrap_or_default().paths;
    let known_text = || known.join(", ");
    if paths.is_empty() {
        let rule = format!("must name one or more of {}", known_text());
        found.note("update_mask", &rule);
    }
    for (i, path) in paths.iter().enumerate() {
        if !known.contains(&path.as_str()) {
            let rule = format!("must be one of {}", known_text());
            found.note(&format!("update_mask.paths[{i}]"), &rule);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Error;

    /// The fields that are wrong.
    fn wrong(paths: &[&str]) -> Vec<String> {
        let mask = FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        };
        let mut found = Violations::default();
        assert_eq!(
            self::paths(Some(mask), &["title", "bio"], &mut found),
            paths
        );
        let Error::Invalid(violations) = found.into() else {
            panic!("not a violation");
        };
        violations.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn a_mask_names_known_fields_and_at_least_one() {
        assert_eq!(wrong(&["bio", "bio", "title"]), [""; 0]);
        assert_eq!(wrong(&[]), ["update_mask"]);
        assert_eq!(
            wrong(&["*", "bio", "bio.x", ""]),
            [0, 2, 3].map(|i| format!("update_mask.paths[{i}]"))
        );
        let mut found = Violations::default();
        paths(None, &["bio"], &mut found);
        assert!(!found.is_empty());
    }
}
