//! The sections of a text in PEM (RFC 7468), each with its line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A section between its two lines of hyphens.
pub(super) struct Section<'t> {
    pub(super) label: &'t str,
    /// The line at which it begins, counted from 1.
    pub(super) line: u32,
    /// Whether it has headers, which only an encrypted key has (RFC 1421 §4.6).
    pub(super) has_headers: bool,
    /// What is between the lines, without white space.
    body: Zeroizing<String>,
    is_closed: bool,
}

impl Section<'_> {
    /// Decodes what is in it; none if it is cut or is no base64.
    pub(super) fn der(&self) -> Option<Zeroizing<Vec<u8>>> {
        let decoded = STANDARD.decode(self.body.as_bytes()).map(Zeroizing::new).ok()?;
        (self.is_closed && !decoded.is_empty()).then_some(decoded)
    }
}

/// The most sections that are looked at: a chain that is accepted is much shorter.
const SECTIONS_MAX: usize = 64;

/// Finds the sections of a text. What is between them is left out.
pub(super) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found: Vec<Section<'_>> = Vec::new();
    let mut is_open = false;
    // Editors of the Windows world begin a file with a byte order mark, also one that is appended.
    let lines = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim());
    for (line, number) in lines.zip(1_u32..) {
        if let Some(label) = marked(line, "-----BEGIN ") {
            if found.len() == SECTIONS_MAX {
                break;
            }
            // The body must not be moved while it grows, because the old place would not be overwritten.
            let body = Zeroizing::new(String::with_capacity(text.len()));
            found.push(Section { label, line: number, has_headers: false, body, is_closed: false });
            is_open = true;
            continue;
        }
        let Some(section) = found.last_mut().filter(|_| is_open) else { continue };
        if let Some(label) = marked(line, "-----END ") {
            section.is_closed = label == section.label;
            is_open = false;
        } else if line.contains(':') {
            section.has_headers = true;
        } else {
            section.body.push_str(line);
        }
    }
    found
}

/// Returns the label of a line that begins or ends a section.
fn marked<'t>(line: &'t str, mark: &str) -> Option<&'t str> {
    line.strip_prefix(mark)?.strip_suffix("-----")
}
