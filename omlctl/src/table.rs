//! Plain tables, as wide as the terminal at most. Knows nothing of what is in them.

use std::io::IsTerminal as _;

use comfy_table::{
    Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets::NOTHING,
};
use oml_common::problem::printable;

/// Width and colours of what is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Columns; none where lines may be of any length.
    pub(crate) width: Option<u16>,
    pub(crate) coloured: bool,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Moving,
    Bad,
}

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Of names and numbers, which are kept in one piece.
    Whole(&'static str),
    /// Of sentences, which may take several lines.
    Prose(&'static str),
}

/// One cell's text and tone.
#[derive(Debug, Clone)]
pub(crate) struct Field(String, Tone);

const GAP: u16 = 2;
/// A longer name may be broken after all.
const WHOLE_WIDTH_MAX: usize = 24;

impl Look {
    /// What standard output allows. NO_COLOR is honoured.
    pub(crate) fn of_stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        // Asked of the table, which knows how to ask a terminal.
        Self { width: Table::new().width(), coloured: is_terminal && !no_colour }
    }

    /// A table without lines; empty cells show as `-`.
    pub(crate) fn table(self, columns: &[Column], rows: Vec<Vec<Field>>) -> String {
        let least: Vec<u16> = columns.iter().enumerate().map(|(n, c)| c.least(n, &rows)).collect();
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
        for (column, least) in table.column_iter_mut().zip(least) {
            column.set_padding((0, GAP));
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
        table.trim_fmt()
    }
}

impl Column {
    fn title(&self) -> &'static str {
        match self {
            Column::Whole(title) | Column::Prose(title) => title,
        }
    }

    /// The width below which the column, the `n`th, is not made narrower.
    fn least(self, n: usize, rows: &[Vec<Field>]) -> u16 {
        let text = match self {
            Column::Whole(_) => rows.iter().filter_map(|row| row.get(n)).map(Field::width).max(),
            Column::Prose(_) => None,
        };
        let width = text.unwrap_or_default().min(WHOLE_WIDTH_MAX).max(self.title().len());
        u16::try_from(width).unwrap_or(u16::MAX).saturating_add(GAP)
    }
}

impl Field {
    /// A text of this tone.
    pub(crate) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self(printable(text.as_ref()), tone)
    }

    fn width(&self) -> usize {
        self.0.chars().count()
    }

    fn cell(self) -> Cell {
        let Self(text, tone) = self;
        let cell = Cell::new(if text.is_empty() { "-".to_owned() } else { text });
        match tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Moving => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
        }
    }
}

/// A text without a tone.
pub(crate) fn plain(text: impl AsRef<str>) -> Field {
    Field::new(text, Tone::Plain)
}

#[cfg(test)]
mod tests;
