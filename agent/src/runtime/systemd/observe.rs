//! Observes the units of a host: those of the desired instances, those of files that are left, and
//! what others made of ours.

use oml_common::decide::difference::{Difference, ForeignObject};
use oml_common::decide::observed::ObservedUnit;
use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::document::unit_mark::UnitMark;
use oml_common::id::{ComponentName, ContentHash};
use oml_common::text::error::chain;
use oml_common::text::printable::printable_lines;
use tracing::warn;

use super::calls::Loaded;
use super::files::{self, InstanceFile, OurFile};
use super::{Systemd, by_hand};
use crate::runtime::{RuntimeError, UnitListing};

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

impl Systemd {
    /// Adds what there is of the unit of a desired instance, and returns its object; none if systemd
    /// refuses to read the unit.
    pub(super) async fn observe_desired(
        &self,
        instance: &InstanceDocument,
        files: &[OurFile],
        listing: &mut UnitListing,
    ) -> Result<Option<String>, RuntimeError> {
        let (component, unit) = (&instance.component, instance.unit.as_str());
        let loaded = match self.load_if_accepted(unit).await? {
            Ok(loaded) => loaded,
            Err(error) => {
                let object = ForeignObject::RefusedUnit { unit: instance.unit.clone(), error };
                listing.foreign.push((component.clone(), object));
                return Ok(None);
            }
        };
        self.signals.note_loaded(&loaded, unit);
        let is_packaged = matches!(*instance.workload, Workload::Unit(_));
        let is_renamed = files.iter().any(|file| file.is_superseded_by(instance));
        let add_stop = |observed| self.add_stop(instance, &loaded, is_renamed, observed);
        if loaded.is_masked() {
            let observed = self.observe_masked(instance, &loaded, listing);
            listing.units.push((component.clone(), add_stop(observed)));
            return Ok(Some(loaded.path));
        }
        let file = match files::look(&self.paths, instance) {
            Ok(file) => file,
            // It concerns this component alone, so the others are listed.
            Err(error) => {
                listing.foreign.push(foreign(instance, Some(chain(&error))));
                return Ok(Some(loaded.path));
            }
        };
        let path = files::path(&self.paths, instance);
        let hidden =
            !is_packaged && file == InstanceFile::Absent && loaded.is_defined_beside(&path);
        let replaced = by_hand::replaced(&loaded, &self.paths).filter(|_| is_packaged);
        let others = by_hand::drop_ins(instance, &loaded, &self.paths).chain(replaced);
        listing.differs.extend(others.map(|reported| (component.clone(), reported)));
        if file == InstanceFile::Foreign || hidden {
            listing.foreign.push(foreign(instance, None));
            return Ok(Some(loaded.path));
        }
        if let InstanceFile::Ours(text) = file {
            // One that waits for its own first start holds nothing yet.
            let has_rival = loaded.is_up() && is_renamed;
            let observed = self.observe_ours(instance, &loaded, &text, has_rival);
            self.add_ends(instance, observed.hash.as_ref(), &loaded, listing);
            listing.units.push((component.clone(), add_stop(observed)));
        } else if loaded.has_file() {
            let observed = loaded.observe_as(is_packaged, None, true);
            listing.units.push((component.clone(), add_stop(observed)));
        }
        Ok(Some(loaded.path))
    }

    /// Describes a masked unit, of which systemd does not read our file.
    fn observe_masked(
        &self,
        instance: &InstanceDocument,
        loaded: &Loaded,
        listing: &mut UnitListing,
    ) -> ObservedUnit {
        let is_packaged = matches!(*instance.workload, Workload::Unit(_));
        let masked = Difference::MaskedUnit { unit: instance.unit.clone() };
        listing.differs.push((instance.component.clone(), masked));
        let text = self.text_on_disk(instance).unwrap_or_default();
        let hash = UnitMark::read(&text).map(|mark| mark.hash);
        self.add_ends(instance, hash.as_ref(), loaded, listing);
        let wanted = self.render(instance);
        let by_hand = by_hand::edited(instance, &text, &wanted).into_iter().collect();
        let observed = loaded.observe_as(is_packaged, hash.clone(), false);
        ObservedUnit { by_hand, stale: hash.is_some() && text != wanted, ..observed }
    }

    /// Adds the recent ends of a packaged unit with the drop-in of that hash.
    fn add_ends(
        &self,
        instance: &InstanceDocument,
        hash: Option<&ContentHash>,
        loaded: &Loaded,
        listing: &mut UnitListing,
    ) {
        if let (Workload::Unit(_), Some(hash)) = (&*instance.workload, hash) {
            let ends = self.note_ends(instance.unit.as_str(), hash, loaded);
            listing.ends.push((instance.component.clone(), ends));
        }
    }

    /// Returns our file of an instance, of which systemd shows nothing while its unit is masked. One
    /// that cannot be read is reported once it is not.
    fn text_on_disk(&self, instance: &InstanceDocument) -> Option<String> {
        let Ok(InstanceFile::Ours(text)) = files::look(&self.paths, instance) else { return None };
        Some(text)
    }

    /// Describes a desired unit with a file of ours of that text. `has_rival` is true if the unit
    /// holds what another file of the component, under an earlier name, must not hold too.
    fn observe_ours(
        &self,
        instance: &InstanceDocument,
        loaded: &Loaded,
        text: &str,
        has_rival: bool,
    ) -> ObservedUnit {
        let hash = UnitMark::read(text).map(|mark| mark.hash);
        let (wanted, is_disabled) = (self.render(instance), loaded.is_disabled());
        let stale = text != wanted || loaded.needs_reload() || has_rival || is_disabled;
        let edited = by_hand::edited(instance, text, &wanted);
        let disabled = is_disabled.then(|| by_hand::disabled(instance));
        let by_hand = edited.into_iter().chain(disabled).collect();
        let is_packaged = instance.container().is_none();
        ObservedUnit { by_hand, ..loaded.observe_as(is_packaged, hash, stale) }
    }

    /// Describes a file that bears our mark and is not ours. That its unit cannot be read, as that of
    /// a template, concerns nothing of ours.
    pub(super) async fn describe_foreign(&self, file: OurFile) -> (ComponentName, Difference) {
        // A drop-in changes a unit of somebody, which may well run.
        let runs = !file.is_drop_in
            && self.calls.load(file.unit.as_str()).await.is_ok_and(|loaded| loaded.is_up());
        by_hand::foreign_file(file, self.tenant.as_ref(), runs)
    }

    /// Adds what there is of the unit of a file that is not desired any more, as
    /// [`Self::observe_desired`].
    pub(super) async fn observe_leftover(
        &self,
        file: &OurFile,
        listing: &mut UnitListing,
    ) -> Result<Option<String>, RuntimeError> {
        let loaded = match self.load_if_accepted(file.unit.as_str()).await? {
            Ok(loaded) => loaded,
            Err(error) => {
                warn!(unit = %file.unit, error, "systemd refuses to read a unit; its file is left");
                return Ok(None);
            }
        };
        self.signals.note_loaded(&loaded, file.unit.as_str());
        let stale = !file.mark.is_whole || loaded.needs_reload();
        let observed = loaded.observe_as(file.is_drop_in, Some(file.mark.hash.clone()), stale);
        let by_hand = by_hand::left(file, loaded.is_disabled()).collect();
        listing.units.push((file.mark.component.clone(), ObservedUnit { by_hand, ..observed }));
        Ok(Some(loaded.path))
    }

    /// Loads a unit, or returns the reason why systemd refuses to, which concerns that unit alone.
    async fn load_if_accepted(&self, unit: &str) -> Result<Result<Loaded, String>, RuntimeError> {
        match self.calls.load(unit).await {
            Ok(loaded) => Ok(Ok(loaded)),
            Err(RuntimeError::Refused { detail, .. }) => Ok(Err(printable_lines(&detail))),
            Err(error @ (RuntimeError::Unavailable { .. } | RuntimeError::Foreign(_))) => {
                Err(error)
            }
        }
    }
}
