//! Renders the files of a container.

use crate::document::catalog::{FILE_BYTES_MAX, FILES_BYTES_MAX, FileTemplate, hidden};
use crate::document::instance::ContainerFile;

use super::super::template;
use super::Writer;

impl Writer<'_> {
    /// Renders the files of a container. One that cannot be rendered is a problem.
    pub(super) fn files(&mut self, templates: &[&FileTemplate]) -> Vec<ContainerFile> {
        if templates.is_empty() {
            return Vec::new();
        }
        let engine = template::file_engine();
        let files = templates.iter().filter_map(|template| {
            let text = self.file(&engine, template)?;
            let FileTemplate { path, mode, uid, gid, .. } = template;
            let path = path.clone();
            Some(ContainerFile { path, mode: *mode, uid: *uid, gid: *gid, text })
        });
        let files: Vec<ContainerFile> = files.collect();
        let bytes: usize = files.iter().map(|file| file.text.len()).sum();
        if bytes > FILES_BYTES_MAX {
            let message = format!("have {bytes} bytes together, and may have {FILES_BYTES_MAX}");
            self.problem("files", message);
        }
        files
    }

    fn file(
        &mut self,
        engine: &minijinja::Environment<'_>,
        template: &FileTemplate,
    ) -> Option<String> {
        let FileTemplate { template: name, text, .. } = template;
        let text = match engine.render_named_str(name, text, &self.values) {
            Ok(text) => text,
            Err(_) if self.waits_for_setting(engine, text) => return None,
            Err(error) => {
                let detail = error.detail().unwrap_or("a value is missing").to_owned();
                let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
                let message = format!("cannot render {name}{line}: {detail}");
                let hint = template::hint_of(&error);
                let problem = self.problem_at("files", message).hint(hint);
                self.problems.push(problem);
                return None;
            }
        };
        if text.len() > FILE_BYTES_MAX {
            let message = format!("{name} becomes larger than {FILE_BYTES_MAX} bytes");
            self.problem("files", message);
            return None;
        }
        if let Some((line, what)) = hidden(&text) {
            self.problem("files", format!("{name} becomes a text with {what} in line {line}"));
            return None;
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests;
