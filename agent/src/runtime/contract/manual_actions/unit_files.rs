//! Changes by hand to the files of our units.

use std::path::PathBuf;

use oml_common::document::instance::InstanceDocument;

use super::{ManualActions, run};

impl ManualActions {
    /// Replaces a line of the unit file.
    pub(in crate::runtime::contract) async fn edit_unit(
        &self,
        instance: &InstanceDocument,
        from: &str,
        to: &str,
    ) {
        let path = self.units().join(instance.unit.as_str());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        self.reload_units().await;
    }

    /// Copies the unit file to one of another name, and returns its path.
    pub(in crate::runtime::contract) async fn copy_unit(
        &self,
        instance: &InstanceDocument,
        copy: &str,
    ) -> PathBuf {
        let path = self.units().join(copy);
        std::fs::copy(self.units().join(instance.unit.as_str()), &path).unwrap();
        self.reload_units().await;
        path
    }

    /// Makes the drop-in that `systemctl edit` makes, and returns its path.
    pub(in crate::runtime::contract) async fn add_drop_in(
        &self,
        instance: &InstanceDocument,
    ) -> String {
        self.write_drop_in(instance, "[Service]\nNice=5\n").await
    }

    /// As [`Self::add_drop_in`], with this text.
    pub(in crate::runtime::contract) async fn write_drop_in(
        &self,
        instance: &InstanceDocument,
        text: &str,
    ) -> String {
        let folder = self.units().join(format!("{}.d", instance.unit));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("override.conf");
        std::fs::write(&path, text).unwrap();
        self.reload_units().await;
        path.display().to_string()
    }

    /// Removes what [`Self::add_drop_in`] or [`Self::write_drop_in`] made.
    pub(in crate::runtime::contract) async fn remove_drop_in(&self, instance: &InstanceDocument) {
        let folder = self.units().join(format!("{}.d", instance.unit));
        std::fs::remove_file(folder.join("override.conf")).unwrap();
        // Our own may lie there too.
        let _emptied = std::fs::remove_dir(folder).is_ok();
        self.reload_units().await;
    }

    /// `systemctl disable`, which reads the unit files again.
    pub(in crate::runtime::contract) async fn disable_unit(&self, instance: &InstanceDocument) {
        let unit = instance.unit.as_str();
        match self {
            ManualActions::Model(model) => {
                model.host.enable_unit(unit, false).await.unwrap();
                self.reload_units().await;
            }
            ManualActions::Real => run("systemctl", &["disable", unit]),
        }
    }

    async fn reload_units(&self) {
        match self {
            ManualActions::Model(model) => model.host.reload_units().await.unwrap(),
            ManualActions::Real => run("systemctl", &["daemon-reload"]),
        }
    }

    /// The folder of the administrator's units.
    fn units(&self) -> PathBuf {
        match self {
            ManualActions::Model(model) => model.paths.units.clone(),
            ManualActions::Real => "/etc/systemd/system".into(),
        }
    }
}
