//! Requests that change accounts and creators, all violations at once.

use livedrop_proto::v1;

use super::field_mask;
use crate::{
    domain::account::{Bio, DisplayName, Password},
    service::{Error, profile::UpdateCreator, violations::Violations},
};

/// Reads `UpdateMe`.
pub(super) fn update_me(request: v1::UpdateMeRequest) -> Result<DisplayName, Error> {
    let mut found = Violations::default();
    field_mask::paths(request.update_mask, &["display_name"], &mut found);
    let name = found.check("display_name", DisplayName::parse(&request.display_name));
    name.filter(|_| found.is_empty())
        .ok_or_else(|| found.into())
}

/// Reads `UpdateCreator`. Fields that are not to be changed are not looked at.
pub(super) fn update_creator(request: v1::UpdateCreatorRequest) -> Result<UpdateCreator, Error> {
    let mut found = Violations::default();
    let known = ["display_name", "bio"];
    let paths = field_mask::paths(request.update_mask, &known, &mut found);
    let is_named = |path: &str| paths.iter().any(|it| it == path);
    let mut change = UpdateCreator {
        display_name: None,
        bio: None,
    };
    if is_named("display_name") {
        let name = DisplayName::parse(&request.display_name);
        change.display_name = found.check("display_name", name);
    }
    if is_named("bio") {
        change.bio = found.check("bio", Bio::parse(&request.bio));
    }
    if found.is_empty() {
        Ok(change)
    } else {
        Err(found.into())
    }
}

/// Reads `DeleteAccount`.
pub(super) fn delete_account(request: v1::DeleteAccountRequest) -> Result<Password, Error> {
    let password = Password::parse(request.password.into());
    password.map_err(|rule| Error::invalid("password", rule.to_string()))
}
