//! The choice of a format by the `Accept` headers of a request (RFC 9110, section 12.5.1).

use super::Format;

/// Quality values are thousandths.
const BEST: u16 = 1000;

/// Returns the format that the values ask for.
pub(super) fn format<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Format {
    let (mut openmetrics, mut text) = (0, 0);
    for value in values {
        // A value that is no text asks for nothing that is offered.
        let value = std::str::from_utf8(value).unwrap_or_default();
        for range in value.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<(String, &str)> = parts.filter_map(parameter).collect();
            let get = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
            let quality = get("q").map_or(BEST, quality);
            match (media.as_str(), get("version")) {
                ("application/openmetrics-text", None | Some("1.0.0")) => {
                    openmetrics = quality.max(openmetrics);
                }
                ("text/plain", None | Some("0.0.4")) => text = quality.max(text),
                _ => {}
            }
        }
    }
    if openmetrics > 0 && openmetrics >= text { Format::OpenMetrics } else { Format::Text }
}

fn parameter(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
}

/// Returns a quality in thousandths. One that is no number between 0 and 1 is 0.
fn quality(text: &str) -> u16 {
    let quality: f32 = text.parse().unwrap_or_default();
    let is_valid = (0.0..=1.0).contains(&quality);
    // Between 0 and 1000, so the cast loses only the fraction.
    if is_valid { (quality * f32::from(BEST)).round() as u16 } else { 0 }
}
