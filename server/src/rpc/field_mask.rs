//! Update masks: which fields of a request count.

use prost_types::FieldMask;

use super::fields::Field;

/// The paths of a mask, each of which must be one of `known`.
pub(super) fn paths<'a>(mask: Option<&'a FieldMask>, known: &[&str]) -> Field<Vec<&'a str>> {
    let paths: Vec<&str> = mask.map_or_else(Vec::new, |mask| {
        mask.paths.iter().map(String::as_str).collect()
    });
    if paths.is_empty() || paths.iter().any(|path| !known.contains(path)) {
        return Err(format!("must name one or more of {}", known.join(", ")));
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_names_known_fields_and_at_least_one() {
        let of = |paths: &[&str]| FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        };
        let known = ["title", "bio"];
        let good = of(&["bio", "bio", "title"]);
        assert_eq!(paths(Some(&good), &known).unwrap(), ["bio", "bio", "title"]);
        for bad in [
            of(&[]),
            of(&["bio", "name"]),
            of(&["*"]),
            of(&["bio.x"]),
            of(&[""]),
        ] {
            assert!(paths(Some(&bad), &known).is_err(), "{bad:?}");
        }
        assert!(paths(None, &known).is_err());
    }
}
