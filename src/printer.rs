//! What goes to standard output, what to standard error, and whether in colour.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

/// The form of a command's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON document per line: events while they happen, the result last.
    Ndjson,
}

/// How a word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Done.
    Good,
    /// Worth a look.
    Warn,
    /// Failed.
    Bad,
    /// Less important.
    Dim,
}

/// Writes. The result of a command is data and goes to standard output; all else is talk and goes to standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    format: OutputFormat,
    quiet: bool,
    bars: bool,
}

impl Printer {
    /// Returns a printer. Live lines need a terminal and no `CI`.
    pub(crate) fn new(format: OutputFormat, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = terminal && !quiet && crate::env::get(crate::env::EnvVars::CI).is_none();
        Self { format, quiet, bars }
    }

    /// Returns the form of the result.
    pub(crate) fn format(self) -> OutputFormat {
        self.format
    }

    /// Says whether live lines are drawn.
    pub(crate) fn draws_bars(self) -> bool {
        self.bars && self.format != OutputFormat::Ndjson
    }

    /// Says whether events go to standard output.
    pub(crate) fn streams_events(self) -> bool {
        self.format == OutputFormat::Ndjson
    }

    /// Writes a result. A closed pipe is the reader's choice, not an error.
    #[expect(clippy::unused_self, reason = "whoever writes has a printer")]
    pub(crate) fn data(self, text: &str) {
        let _ = anstream::stdout().lock().write_all(text.as_bytes());
    }

    /// Writes a result as JSON: one line where events stream, indented otherwise.
    pub(crate) fn json(self, value: &impl serde::Serialize) {
        let text =
            if self.streams_events() { serde_json::to_string(value) } else { serde_json::to_string_pretty(value) };
        self.data(&format!("{}\n", text.unwrap_or_default()));
    }

    /// Writes a line of talk, unless quiet.
    pub(crate) fn say(self, line: &str) {
        if !self.quiet {
            self.complain(line);
        }
    }

    /// Writes a line of talk even if quiet.
    #[expect(clippy::unused_self, reason = "whoever writes has a printer")]
    pub(crate) fn complain(self, line: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{line}");
    }

    /// Returns a word in the colour of its tone. Where it is written, the colour is taken off unless there is a terminal
    /// that shows it and `NO_COLOR` is not set.
    #[expect(clippy::unused_self, reason = "whoever writes has a printer")]
    pub(crate) fn paint(self, tone: Tone, word: &str) -> String {
        let style = match tone {
            Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())).bold(),
            Tone::Warn => Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold(),
            Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Dim => Style::new().dimmed(),
        };
        format!("{style}{word}{style:#}")
    }
}

/// Returns a count with its noun, such as `1 release` or `3 releases`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
