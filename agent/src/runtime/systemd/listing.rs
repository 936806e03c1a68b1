//! Observes the units of the desired instances, what is left of others, and what is not ours.

use oml_common::decide::difference::{Difference, ForeignObject};
use oml_common::decide::observed::ObservedUnit;
use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::document::unit_mark::UnitMark;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;

use super::files::{self, InstanceFile, OurFile};
use super::{Systemd, by_hand};
use crate::runtime::{RuntimeError, UnitListing};

impl Systemd {
    /// Adds the unit of a desired instance to the listing, and returns its object.
    pub(super) async fn observe_desired(
        &self,
        instance: &InstanceDocument,
        files: &[OurFile],
        listing: &mut UnitListing,
    ) -> Result<String, RuntimeError> {
        let (component, unit) = (&instance.component, instance.unit.as_str());
        let loaded = self.calls.load(unit).await?;
        let is_packaged = matches!(*instance.workload, Workload::Unit(_));
        let is_renamed = files.iter().any(|file| file.is_superseded_by(instance));
        let add_stop = |observed| self.add_stop(instance, &loaded, is_renamed, observed);
        if loaded.is_masked() {
            let masked = Difference::MaskedUnit { unit: instance.unit.clone() };
            listing.differs.push((component.clone(), masked));
            let observed = loaded.observe_as(is_packaged, None, false);
            listing.units.push((component.clone(), add_stop(observed)));
            return Ok(loaded.path);
        }
        let file = match files::look(&self.paths, instance) {
            Ok(file) => file,
            // It concerns this component alone, so the others are listed.
            Err(error) => {
                listing.foreign.push(foreign(instance, Some(chain(&error))));
                return Ok(loaded.path);
            }
        };
        let path = files::path(&self.paths, instance);
        let hidden =
            !is_packaged && file == InstanceFile::Absent && loaded.is_defined_beside(&path);
        if !is_packaged {
            let others = by_hand::drop_ins(instance, &loaded);
            listing.differs.extend(others.map(|reported| (component.clone(), reported)));
        }
        if file == InstanceFile::Foreign || hidden {
            listing.foreign.push(foreign(instance, None));
            return Ok(loaded.path);
        }
        if let InstanceFile::Ours(text) = file {
            let hash = UnitMark::read(&text).map(|mark| mark.hash);
            // One that waits for its own first start holds nothing yet.
            let has_rival = loaded.is_up() && is_renamed;
            let (wanted, is_disabled) = (self.render(instance), loaded.is_disabled());
            let stale = text != wanted || loaded.needs_reload() || has_rival || is_disabled;
            let edited = by_hand::edited(instance, &text, &wanted);
            let disabled = is_disabled.then(|| by_hand::disabled(instance));
            let by_hand = edited.into_iter().chain(disabled).collect();
            if let Some(hash) = hash.as_ref().filter(|_| is_packaged) {
                let ends = self.note_ends(unit, hash, &loaded);
                listing.ends.push((component.clone(), ends));
            }
            let observed = loaded.observe_as(is_packaged, hash, stale);
            let observed = ObservedUnit { by_hand, ..observed };
            listing.units.push((component.clone(), add_stop(observed)));
        } else if loaded.has_file() {
            let observed = loaded.observe_as(is_packaged, None, true);
            listing.units.push((component.clone(), add_stop(observed)));
        }
        Ok(loaded.path)
    }

    /// Describes a file that bears our mark and is not ours. That its unit cannot be read, as that of
    /// a template, concerns nothing of ours.
    pub(super) async fn describe_foreign(&self, file: OurFile) -> (ComponentName, Difference) {
        // A drop-in changes a unit of somebody, which may well run.
        let runs = !file.is_drop_in
            && self.calls.load(file.unit.as_str()).await.is_ok_and(|loaded| loaded.is_up());
        by_hand::foreign_file(file, self.tenant.as_ref(), runs)
    }

    pub(super) async fn observe_leftover(
        &self,
        file: &OurFile,
    ) -> Result<(String, ObservedUnit), RuntimeError> {
        let loaded = self.calls.load(file.unit.as_str()).await?;
        let stale = !file.mark.is_whole || loaded.needs_reload();
        let unit = loaded.observe_as(file.is_drop_in, Some(file.mark.hash.clone()), stale);
        Ok((loaded.path, unit))
    }
}

/// Returns what is at the path of the file of an instance and not ours.
fn foreign(
    instance: &InstanceDocument,
    unreadable: Option<String>,
) -> (ComponentName, ForeignObject) {
    let unit = instance.unit.clone();
    let object = match *instance.workload {
        Workload::Unit(_) => ForeignObject::DropIn { unit, unreadable },
        Workload::Container(_) => ForeignObject::Unit { unit, unreadable },
    };
    (instance.component.clone(), object)
}
