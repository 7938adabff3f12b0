//! Parameters, taken one by one; what is left over is unknown.

use std::collections::BTreeMap;

use crate::reply::Reply;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Of a body or a query.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Reply> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if fields
                .insert(name.to_string(), value.into_owned())
                .is_some()
            {
                return Err(Reply::invalid("parameter_invalid_string", &name));
            }
        }
        Ok(Self(fields))
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(crate) fn need(&mut self, name: &str) -> Result<String, Reply> {
        self.take(name)
            .ok_or_else(|| Reply::invalid("parameter_missing", name))
    }

    pub(crate) fn need_amount(&mut self) -> Result<i64, Reply> {
        let amount = self.need("amount")?.parse().ok();
        amount
            .filter(|amount| *amount > 0)
            .ok_or_else(|| Reply::invalid("parameter_invalid_integer", "amount"))
    }

    /// One of these, if it is given.
    pub(crate) fn one_of(&mut self, name: &str, known: &[&str]) -> Result<Option<String>, Reply> {
        let value = self.take(name);
        match &value {
            Some(value) if !known.contains(&value.as_str()) => {
                Err(Reply::invalid("parameter_invalid_string", name))
            }
            _ => Ok(value),
        }
    }

    pub(crate) fn metadata(&mut self) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        self.0.retain(|name, value| {
            let name = name.strip_prefix("metadata[");
            let name = name.and_then(|name| name.strip_suffix(']'));
            if let Some(name) = name {
                metadata.insert(name.to_owned(), value.clone());
            }
            name.is_none()
        });
        metadata
    }

    /// Fails if anything is left.
    pub(crate) fn end(self) -> Result<(), Reply> {
        match self.0.into_keys().next() {
            Some(name) => Err(Reply::invalid("parameter_unknown", &name)),
            None => Ok(()),
        }
    }
}
