//! A problem of a file, with its place.

use std::fmt;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_saphyr::Location;

/// One problem at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Length in characters; 0 where the parser does not tell.
    pub length: usize,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns a problem at a place that the YAML parser named.
    pub fn at(location: Location, message: impl Into<String>) -> Self {
        Self {
            line: usize::try_from(location.line()).unwrap_or(1).max(1),
            column: usize::try_from(location.column()).unwrap_or(1).max(1),
            length: usize::try_from(location.span().len()).unwrap_or(0),
            message: message.into(),
            help: None,
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All problems of one file, in the order of their places.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    path: PathBuf,
    source: String,
    items: Vec<Diagnostic>,
}

impl std::error::Error for Diagnostics {}

impl Diagnostics {
    /// Returns the problems of a file, sorted by place.
    pub fn new(path: &Path, source: &str, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by_key(|item| (item.line, item.column));
        Self { path: path.to_owned(), source: source.to_owned(), items }
    }

    /// Returns the problems.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Diagnostics {
    /// Writes each problem as `FILE:LINE:COLUMN: message`, the line and a caret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{}:{}:{}: {}", self.path.display(), item.line, item.column, item.message)?;
            if let Some(span) = byte_span(&self.source, item) {
                let mut annotation = AnnotationKind::Primary.span(span);
                if let Some(help) = &item.help {
                    annotation = annotation.label(help.as_str());
                }
                let snippet = Snippet::source(self.source.as_str()).annotation(annotation);
                let group = Group::with_level(Level::ERROR).element(snippet);
                write!(f, "\n{}", Renderer::plain().render(&[group]))?;
            } else if let Some(help) = &item.help {
                write!(f, "\n{help}")?;
            }
        }
        Ok(())
    }
}

/// Returns the place as bytes of the source; `None` where the place is not in it (an empty file).
fn byte_span(source: &str, item: &Diagnostic) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let mut lines = source.split_inclusive('\n');
    for _ in 1..item.line {
        start += lines.next()?.len();
    }
    let line = lines.next()?.trim_end_matches(['\n', '\r']);
    let offset = |characters: usize| line.char_indices().nth(characters).map_or(line.len(), |(offset, _)| offset);
    let from = offset(item.column - 1);
    let to = offset(item.column - 1 + item.length.max(1));
    Some(start + from..start + to.max(from))
}
