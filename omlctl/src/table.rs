//! Prints plain tables that are at most as wide as the terminal.

use std::io::IsTerminal as _;

use comfy_table::{
    Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets::NOTHING,
};
use oml_common::text::printable::printable;

use crate::variables;

/// The width and the colours of tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableStyle {
    /// The width in columns; none if lines may have any length.
    pub(crate) width: Option<u16>,
    pub(crate) coloured: bool,
}

/// The meaning of a text, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Good,
    Moving,
    Bad,
}

/// The header of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// A column of names and numbers, which are not wrapped.
    Whole(&'static str),
    /// A column of sentences, which may be wrapped.
    Prose(&'static str),
}

/// The text and the style of a cell.
#[derive(Debug, Clone)]
pub(crate) struct Field(String, Style);

const GAP: u16 = 2;
const WIDTH_UNKNOWN: u16 = 80;
const WIDTH_MIN: u16 = 40;
/// The length of the longest name that is never wrapped.
const WHOLE_WIDTH_MAX: usize = 24;
/// The lengths of words in sentences that are not broken: the first of these lengths for which
/// the table fits is used.
const WORD_WIDTHS_MAX: [usize; 5] = [24, 16, 12, 9, 0];
const INDENT: u16 = 4;

impl TableStyle {
    /// Makes the style that suits standard output. `NO_COLOR` turns colours off.
    pub(crate) fn of_stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let no_colour = variables::no_colour();
        // An empty table finds out the width of the terminal.
        Self { width: usable(Table::new().width()), coloured: is_terminal && !no_colour }
    }

    /// Formats a table without borders. An empty cell is shown as `-`.
    pub(crate) fn table(self, columns: &[Column], rows: Vec<Vec<Field>>) -> String {
        let least = self.least(columns, &rows);
        let mut table = Table::new();
        table.load_style(NOTHING).force_no_tty();
        if self.coloured {
            table.enforce_styling();
        }
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.set_header(columns.iter().map(Column::title));
        table.add_rows(rows.into_iter().map(|row| row.into_iter().map(Field::cell)));
        for (n, (column, least)) in table.column_iter_mut().zip(least).enumerate() {
            let gap = if n + 1 == columns.len() { 0 } else { GAP };
            column.set_padding((0, gap));
            let least = least.saturating_add(gap);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
        table.trim_fmt()
    }

    /// Formats lines that belong to the line above them, indented.
    pub(crate) fn indented(self, lines: &[String]) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).force_no_tty();
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.add_rows(lines.iter().map(|line| [printable(line)]));
        if let Some(column) = table.column_mut(0) {
            column.set_padding((INDENT, 0));
        }
        table.trim_fmt()
    }

    /// Returns the minimum widths of the columns.
    fn least(self, columns: &[Column], rows: &[Vec<Field>]) -> Vec<u16> {
        let of = |word_width_max: usize| -> Vec<u16> {
            let columns = columns.iter().enumerate();
            columns.map(|(n, column)| column.least(n, rows, word_width_max)).collect()
        };
        let gaps = usize::from(GAP) * columns.len().saturating_sub(1);
        let room = self.width.map_or(usize::MAX, usize::from).saturating_sub(gaps);
        let fits = |least: &Vec<u16>| least.iter().copied().map(usize::from).sum::<usize>() <= room;
        WORD_WIDTHS_MAX.into_iter().map(of).find(fits).unwrap_or_else(|| of(0))
    }
}

/// Returns the width to use. A terminal that does not know its width reports 0. On a very
/// narrow terminal, broken lines are better than words with one letter per line.
fn usable(width: Option<u16>) -> Option<u16> {
    width.map(|columns| if columns == 0 { WIDTH_UNKNOWN } else { columns.max(WIDTH_MIN) })
}

impl Column {
    fn title(&self) -> &'static str {
        match self {
            Column::Whole(title) | Column::Prose(title) => title,
        }
    }

    /// Returns the minimum width of the column, which is the `n`th.
    fn least(self, n: usize, rows: &[Vec<Field>], word_width_max: usize) -> u16 {
        let fields = rows.iter().filter_map(|row| row.get(n));
        let text = match self {
            Column::Whole(_) => fields.map(Field::width).max().map(|w| w.min(WHOLE_WIDTH_MAX)),
            Column::Prose(_) => fields.map(Field::word_width).max().map(|w| w.min(word_width_max)),
        };
        u16::try_from(text.unwrap_or_default().max(self.title().len())).unwrap_or(u16::MAX)
    }
}

impl Field {
    /// Makes a cell with a style.
    pub(crate) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self(printable(text.as_ref()), style)
    }

    fn width(&self) -> usize {
        self.0.chars().count()
    }

    /// Returns the width of the longest word.
    fn word_width(&self) -> usize {
        self.0.split_whitespace().map(|word| word.chars().count()).max().unwrap_or_default()
    }

    fn cell(self) -> Cell {
        let Self(text, style) = self;
        let cell = Cell::new(if text.is_empty() { "-".to_owned() } else { text });
        match style {
            Style::Plain => cell,
            Style::Good => cell.fg(Color::Green),
            Style::Moving => cell.fg(Color::Yellow),
            Style::Bad => cell.fg(Color::Red),
        }
    }
}

/// Makes a cell without a style.
pub(crate) fn plain(text: impl AsRef<str>) -> Field {
    Field::new(text, Style::Plain)
}

#[cfg(test)]
mod tests;
