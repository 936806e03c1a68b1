//! Reads the files of a component, which are made of templates of the catalog's folder.

use std::collections::BTreeSet;

use minijinja::Environment;

use crate::decide::mount::normalised;
use crate::id::ComponentName;
use crate::text::printable::{is_hidden, name_of};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{FieldNode, Fields};

use super::place::Places;
use super::sources::check_path;
use super::{Catalog, Component, Lookup, WorkloadTemplate, literal};

/// The size of the largest file of a component and of its template, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 64 << 10;
/// The size of all files of a component, in bytes. They are in its document, which is a label of
/// its container.
pub(crate) const FILES_BYTES_MAX: usize = 128 << 10;
/// The number of files of a component.
const FILES_MAX: usize = 64;
/// The length of the longest path in the container, in bytes.
const PATH_BYTES_MAX: usize = 255;
/// The name by which a template inserts the thumbprint of the tenant's account.
const THUMBPRINT: &str = "acme.thumbprint";
const MODE: u32 = 0o644;
/// The agent compares every file with what it wrote.
const OWNER_READS: u32 = 0o400;
/// The bits of chmod(2) that a file may have: no program runs as its owner by it.
const MODE_MAX: u32 = 0o777;
/// The number that stands for no user or group (chown(2)).
const NOBODY: u32 = u32::MAX;

/// A file in a container, before its template is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTemplate {
    /// The name of the template in the folder of templates, or words for a text that has none.
    pub template: String,
    /// The text of the template.
    pub text: String,
    /// Its absolute path in the container.
    pub path: String,
    /// Its permissions (chmod(2)).
    pub mode: u32,
    /// The number of its user.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Whether the program takes it over while it runs, if it takes over any.
    pub is_reloaded: bool,
    /// Whether the program answers the challenges of an ACME directory by it. Only a tenant that orders its
    /// certificate has it.
    pub is_challenge: bool,
}

/// Reads the list of files of a component.
pub(super) fn read_all(
    field: &FieldNode<'_>,
    places: &mut Places<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
) -> Vec<FileTemplate> {
    let items = field.list(problems);
    if items.len() > FILES_MAX {
        problems.push(field.problem(format!("a component has {FILES_MAX} files at most")));
        return Vec::new();
    }
    let mut files = Vec::new();
    for item in items {
        let Some(file) = read(&item, templates, problems) else { continue };
        let what = format!("which is made of {}", file.template);
        if let Some(why) = places.take(&file.path, what) {
            let problem = item.problem(format!("{} {why}", file.path));
            problems.push(problem.hint("choose a path of its own in the container"));
        }
        files.push(file);
    }
    files
}

fn read(
    field: &FieldNode<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
) -> Option<FileTemplate> {
    let mut fields = Fields::open(field, problems)?;
    let text = read_text(&mut fields, templates, problems);
    let path = fields.need("path", problems).and_then(|field| read_path(&field, problems));
    let mode = fields.get("mode").map_or(Some(MODE), |field| read_mode(&field, problems));
    let owner = fields.get("owner").map_or(Some((0, 0)), |field| read_owner(&field, problems));
    let is_reloaded = fields.get("reload").and_then(|field| field.flag(problems));
    let challenge = fields.get("challenge");
    let is_challenge = challenge.as_ref().and_then(|field| field.flag(problems));
    let is_challenge = is_challenge.unwrap_or(false);
    fields.finish(problems);
    let (template, text) = text?;
    let place = challenge.as_ref().unwrap_or(field);
    problems.0.extend(check_challenge(place, &template, &text, is_challenge));
    let (uid, gid) = owner?;
    let is_reloaded = is_reloaded.unwrap_or(true);
    let (path, mode) = (path?, mode?);
    Some(FileTemplate { template, text, path, mode, uid, gid, is_reloaded, is_challenge })
}

/// Checks that exactly a file that answers challenges names the account by which they are answered.
fn check_challenge(
    field: &FieldNode<'_>,
    template: &str,
    text: &str,
    is_challenge: bool,
) -> Option<Problem> {
    // A template that was not read yet is checked as soon as it was.
    let names = names_in(template, text).ok().filter(|_| !text.is_empty())?;
    match (is_challenge, names.contains(THUMBPRINT)) {
        (true, true) | (false, false) => None,
        (true, false) => {
            let message = format!("{template} answers no challenge: it does not use {THUMBPRINT}");
            let hint =
                format!("the answer to a token is the token, a dot, and {{{{ {THUMBPRINT} }}}}");
            Some(field.problem(message).hint(hint))
        }
        (false, true) => {
            let message = format!("{template} uses {THUMBPRINT}, which not every tenant has");
            Some(field.problem(message).hint("add challenge: true to the file"))
        }
    }
}

/// Reads what a file is made of, with its name: a template of the folder, or a text that is beside its path.
fn read_text(
    fields: &mut Fields<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
) -> Option<(String, String)> {
    let Some(own) = fields.get("text") else {
        let template = fields.need("template", problems)?;
        return read_template(&template, templates, problems);
    };
    if fields.get("template").is_some() {
        let problem = own.problem("the file is made of a template already");
        problems.push(problem.hint("write either template or text"));
        return None;
    }
    let text = own.text(problems)?;
    checked(&own, "its text", text.to_owned(), problems)
}

/// Reads the name of a template, and the template.
fn read_template(
    field: &FieldNode<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
) -> Option<(String, String)> {
    let name = literal::text(field, problems)?;
    if let Err(why) = check_path(&name) {
        let hint = "write its name below files/, such as postgresql.conf.j2";
        problems.push(field.problem(format!("{name:?} {why}")).hint(hint));
        return None;
    }
    // One that was not read yet is checked as soon as it was.
    let text = match templates(&name).unwrap_or_else(|| Ok(String::new())) {
        Ok(text) => text,
        Err(why) => {
            let hint = "put it into the folder files/ beside the file that names it";
            problems.push(field.problem(why).hint(hint));
            return None;
        }
    };
    checked(field, &name, text, problems)
}

/// Returns a template with its name, if nothing is wrong with it that is seen without values.
fn checked(
    field: &FieldNode<'_>,
    name: &str,
    text: String,
    problems: &mut Problems,
) -> Option<(String, String)> {
    if text.len() > FILE_BYTES_MAX {
        problems.push(field.problem(format!("{name} is larger than {FILE_BYTES_MAX} bytes")));
        return None;
    }
    if let Some((line, why)) = hidden(&text) {
        problems.push(field.problem(format!("{name}, line {line} contains {why}")));
        return None;
    }
    if let Some(problem) = mistake(field, name, &text) {
        problems.push(problem);
        return None;
    }
    Some((name.to_owned(), text))
}

/// Returns the first hidden character of a text, with its line. It would act on what reads the text
/// in a way that nobody sees.
pub(crate) fn hidden(text: &str) -> Option<(usize, String)> {
    let is_refused = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
    let found = |line: &str| line.chars().find(|c| is_refused(*c));
    let (number, c) = text.split('\n').zip(1..).find_map(|(line, at)| Some((at, found(line)?)))?;
    Some((number, name_of(c)))
}

/// Returns what is wrong in the text of a template, as far as that is seen without values.
fn mistake(field: &FieldNode<'_>, name: &str, text: &str) -> Option<Problem> {
    match names_in(name, text) {
        Err((line, why)) => Some(field.problem(format!("{name}, line {line}: {why}"))),
        Ok(names) => {
            let is_secret = |it: &&String| {
                let first = it.split('.').next().unwrap_or_default();
                matches!(first, "secret" | "secrets")
            };
            let secret = names.iter().find(is_secret)?;
            let message = format!("{name} uses {secret}, and no secret can be in a file yet");
            let hint = "pass it to the program by secrets:, as a variable of its environment";
            Some(field.problem(message).hint(hint))
        }
    }
}

/// Returns the names that a template uses and does not set itself, such as `settings.port`.
fn names_in(name: &str, text: &str) -> Result<BTreeSet<String>, (usize, String)> {
    let engine = Environment::new();
    let template = engine.template_from_named_str(name, text).map_err(|error| {
        let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        (error.line().unwrap_or(1), detail)
    })?;
    Ok(template.undeclared_variables(true).into_iter().collect())
}

/// Refuses the settings that a template uses and the catalog does not have.
pub(super) fn check_settings(
    catalog: &Catalog,
    name: &ComponentName,
    component: &Component,
    problems: &mut Problems,
) {
    let files: &[FileTemplate] = match &component.workload {
        WorkloadTemplate::Container(container) => &container.files,
        WorkloadTemplate::Unit { .. } => &[],
    };
    for file in files {
        let names = names_in(&file.template, &file.text).unwrap_or_default();
        let used = names.iter().filter_map(|name| name.strip_prefix("settings."));
        let used: BTreeSet<&str> = used.filter_map(|rest| rest.split('.').next()).collect();
        for setting in used.into_iter().filter(|it| !catalog.settings.contains_key(*it)) {
            let message = format!("{} uses the unknown setting {setting}", file.template);
            let problem = Problem::new(format!("components.{name}.files"), message);
            let known = catalog.settings.keys().map(String::as_str);
            problems.push(problem.suggest(setting, known));
        }
    }
}

fn read_path(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let path = literal::text(field, problems)?;
    let is_plain = path.starts_with('/')
        && !path.split('/').any(|part| part == "..")
        && !path.ends_with('/')
        && path.len() <= PATH_BYTES_MAX
        && !path.chars().any(is_hidden);
    if !is_plain || normalised(&path) == "/" {
        let message = format!(
            "must be the absolute path of a file in the container, without .. and of at most \
             {PATH_BYTES_MAX} bytes"
        );
        problems.push(field.problem(message).hint("write it as in /etc/postgresql.conf"));
        return None;
    }
    Some(path)
}

fn read_mode(field: &FieldNode<'_>, problems: &mut Problems) -> Option<u32> {
    let text = field.text(problems)?;
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= MODE_MAX);
    if mode.is_none() {
        let message = format!("{text:?} is no mode of a file");
        problems.push(field.problem(message).hint("write it as in \"0640\", at most \"0777\""));
    }
    if mode.is_some_and(|mode| mode & OWNER_READS == 0) {
        let message = format!("{text:?} does not let the owner read the file");
        problems.push(field.problem(message).hint("write \"0400\" or more"));
    }
    mode
}

fn read_owner(field: &FieldNode<'_>, problems: &mut Problems) -> Option<(u32, u32)> {
    let text = field.text(problems)?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_number && *number != NOBODY)
    };
    let owner = text.split_once(':').and_then(|(uid, gid)| Some((number(uid)?, number(gid)?)));
    if owner.is_none() {
        let message = format!("{text:?} is no owner of a file");
        let hint = "write the numbers of user and group, as in \"999:999\"";
        problems.push(field.problem(message).hint(hint));
    }
    owner
}

#[cfg(test)]
mod tests;
