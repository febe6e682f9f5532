//! The texts that a configuration comes from, and places in them.

use std::sync::Arc;

/// A stretch of one of the [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// The number of the source.
    pub(super) source: usize,
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

/// A text that a configuration comes from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file's name as it is shown; `None` for a `--set` flag or a variable, whose text says what it is.
    pub(super) file: Option<String>,
    /// The whole text.
    pub(super) text: String,
}

/// Every text that a configuration comes from: the file first, then variables and flags.
#[derive(Clone, Debug)]
pub(super) struct Sources(Arc<Vec<Source>>);

impl Sources {
    /// The number of the file among the sources.
    pub(super) const FILE: usize = 0;

    pub(super) fn new(sources: Vec<Source>) -> Sources {
        Sources(Arc::new(sources))
    }

    pub(super) fn source(&self, span: Span) -> &Source {
        &self.0[span.source]
    }

    /// The file's name as it is shown.
    pub(super) fn file_name(&self) -> &str {
        self.0[Sources::FILE].file.as_deref().unwrap_or_default()
    }

    /// The file's text.
    pub(super) fn file_text(&self) -> &str {
        &self.0[Sources::FILE].text
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// What is written at `span`.
    pub(super) fn text(&self, span: Span) -> &str {
        &self.source(span).text[span.start..span.end]
    }

    /// Where `span` begins, as `deploy.toml:12:9`; of a flag or variable all that it says.
    pub(super) fn place(&self, span: Span) -> String {
        let Source { file, text } = self.source(span);
        let before = &text[..span.start];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        match file {
            Some(file) => format!("{file}:{}:{column}", before.matches('\n').count() + 1),
            None => text.clone(),
        }
    }

    /// Whether `span` is in a `--set` flag or a variable.
    pub(super) fn is_override(&self, span: Span) -> bool {
        span.source != Sources::FILE
    }
}
