//! Finding functions and versions for an operation, with Lambda's answer when there is none.

use super::Lambda;
use super::catalog::Entry;
use super::encode::Described;
use super::fault::{Code, Fault};
use super::target::Target;
use super::validate;
use super::wire::Kept;
use mlemu_core::FunctionId;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

impl Lambda {
    /// The version that `target` means.
    pub(super) fn described(&self, target: &Target) -> Result<Described, Fault> {
        let unknown = || Fault::no_function(&target.arn(&self.settings));
        let catalog = self.catalog();
        let entry = catalog.get(&target.name).ok_or_else(unknown)?;
        let latest = self.latest(&entry.id)?;
        Described::of(entry, target, latest, &self.settings).ok_or_else(unknown)
    }

    /// All published versions of a function, oldest first.
    pub(super) fn described_versions(&self, target: &Target) -> Result<Vec<Described>, Fault> {
        self.with_entry(target, |entry| {
            let numbered = entry.versions.iter().filter_map(|(number, version)| {
                let name = entry.id.name.to_string();
                let target = Target { name, qualifier: Some(number.to_string()) };
                Described::of(entry, &target, version.revision.clone(), &self.settings)
            });
            numbered.collect()
        })
    }

    /// Reads something of a function.
    pub(super) fn with_entry<T>(&self, target: &Target, read: impl FnOnce(&Entry) -> T) -> Result<T, Fault> {
        let catalog = self.catalog();
        let entry = catalog.get(&target.name);
        entry.map(read).ok_or_else(|| Fault::no_function(&target.arn(&self.settings)))
    }

    /// Changes something of a function.
    pub(super) fn with_entry_mut<T>(
        &self,
        target: &Target,
        change: impl FnOnce(&mut Entry) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut catalog = self.catalog();
        let entry = catalog.get_mut(&target.name);
        entry.map_or_else(|| Err(Fault::no_function(&target.arn(&self.settings))), change)
    }

    /// The function and the pinned version that a target means, as the engine wants them.
    pub(crate) fn pick(&self, target: &Target) -> Result<(FunctionId, Option<String>), Fault> {
        let catalog = self.catalog();
        let entry = catalog.get(&target.name);
        let entry = entry.filter(|entry| entry.which(target).is_some());
        let entry = entry.ok_or_else(|| Fault::no_function(&target.arn(&self.settings)))?;
        Ok((entry.id.clone(), target.pinned().map(str::to_owned)))
    }

    /// Members of a configuration to keep; says aloud what nothing comes of, and refuses what must not be
    /// ignored.
    pub(super) fn sort(
        &self,
        operation: &str,
        function: Option<&FunctionId>,
        rest: Kept,
    ) -> Result<Kept, Fault> {
        let sorted = validate::sort(rest);
        for member in sorted.idle.iter().chain(&sorted.refused) {
            self.unsupported(function, &format!("{operation}({member})"));
        }
        match sorted.refused.first() {
            Some(member) => Err(Fault::new(
                Code::NotImplemented,
                format!("mlemu does not have {member} of Lambda's {operation} yet"),
            )),
            None => Ok(sorted.kept),
        }
    }

    pub(super) fn sizes(&self) -> MutexGuard<'_, HashMap<PathBuf, (u64, u64)>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
