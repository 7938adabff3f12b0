//! The payment providers of this process.

use std::collections::BTreeMap;

use super::SharedProvider;

/// Providers by name. New payments go to one of them; the others finish what they began, as after a change of provider.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    all: BTreeMap<&'static str, SharedProvider>,
    chosen: Option<&'static str>,
}

impl Providers {
    /// New payments go to the one of `providers` that is named `chosen`; without one, nothing that costs money can be paid here.
    #[must_use]
    pub fn new(chosen: Option<&'static str>, providers: Vec<SharedProvider>) -> Self {
        Self {
            chosen,
            all: providers
                .into_iter()
                .map(|provider| (provider.name(), provider))
                .collect(),
        }
    }

    /// The same providers, each inside something else of the same name.
    #[must_use]
    pub fn map(self, wrap: impl Fn(SharedProvider) -> SharedProvider) -> Self {
        let all = self.all.into_iter();
        Self {
            all: all.map(|(name, it)| (name, wrap(it))).collect(),
            chosen: self.chosen,
        }
    }

    /// The name of the provider of new payments.
    #[must_use]
    pub const fn chosen(&self) -> Option<&'static str> {
        self.chosen
    }

    /// The provider with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SharedProvider> {
        self.all.get(name)
    }
}
