//! Problems of a configuration: collected, so that all are reported at once, and shown with the text that causes them.

use std::cell::RefCell;

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::mask::Masked;
use super::source::{Sources, Span};
use crate::error::{Error, nearest};

/// Collects problems. Shared by all readers, so that none has to stop at the first.
pub(super) struct Problems {
    sources: Sources,
    found: RefCell<Vec<Problem>>,
}

/// One problem: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    title: String,
    label: Option<(Span, String)>,
    related: Option<(Span, String)>,
    help: Option<String>,
}

impl Problem {
    pub(super) fn new(title: impl Into<String>) -> Problem {
        Problem { title: title.into(), label: None, related: None, help: None }
    }

    /// The offending text, and what to say beside it.
    pub(super) fn at(mut self, span: Span, label: impl Into<String>) -> Problem {
        self.label = Some((span, label.into()));
        self
    }

    /// Another place that explains the problem.
    pub(super) fn and(mut self, span: Span, label: impl Into<String>) -> Problem {
        self.related = Some((span, label.into()));
        self
    }

    /// What to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// A name that nobody knows, with the nearest that somebody does, or all of them when none is near.
    pub(super) fn unknown<'a>(what: &str, name: &str, span: Span, known: impl IntoIterator<Item = &'a str>) -> Problem {
        let known: Vec<&str> = known.into_iter().collect();
        let problem = Problem::new(format!("unknown {what} `{name}`"));
        match nearest(name, known.iter().copied()) {
            Some(near) => problem.at(span, format!("did you mean `{near}`?")),
            None if known.is_empty() => problem.at(span, "there are none"),
            None => problem.at(span, format!("no such {what}")).help(format!("known: {}", list(&known, "and"))),
        }
    }

    /// What is no TOML. The parser doesn't always know where it stopped.
    pub(super) fn syntax(message: &str, span: Option<Span>) -> Problem {
        let problem = Problem::new("not valid TOML");
        match span {
            Some(span) => problem.at(span, message),
            None => problem.help(message),
        }
    }

    /// The same without secrets, for texts that are masked.
    fn masked(&self, masked: &Masked) -> Problem {
        let label = |(span, text): &(Span, String)| (masked.span(*span), masked.say(text));
        Problem {
            title: masked.say(&self.title),
            label: self.label.as_ref().map(label),
            related: self.related.as_ref().map(label),
            help: self.help.as_deref().map(|help| masked.say(help)),
        }
    }

    fn render(&self, sources: &Sources, renderer: &Renderer) -> String {
        let mut group = Level::ERROR.primary_title(self.title.as_str()).elements(self.snippets(sources));
        if self.label.is_none() {
            group = group.element(Origin::path(sources.file_name()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        renderer.render(&[group])
    }

    /// The annotated text: one snippet, or two when the related place is in another source.
    fn snippets<'a>(&'a self, sources: &'a Sources) -> Vec<Snippet<'a, Annotation<'a>>> {
        let Some((span, label)) = &self.label else { return Vec::new() };
        let primary = AnnotationKind::Primary.span(span.start..span.end).label(label.as_str());
        let shown = snippet(sources, *span).annotation(primary);
        let Some((other, label)) = &self.related else { return vec![shown] };
        let related = AnnotationKind::Context.span(other.start..other.end).label(label.as_str());
        if other.source == span.source {
            vec![shown.annotation(related)]
        } else {
            vec![shown, snippet(sources, *other).annotation(related)]
        }
    }

    fn place(&self) -> Option<Span> {
        self.label.as_ref().map(|(span, _)| *span)
    }
}

impl Problems {
    pub(super) fn new(sources: Sources) -> Problems {
        Problems { sources, found: RefCell::default() }
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Adds `problem`, unless it is known already: what is shared by several stages is read for each.
    pub(super) fn add(&self, problem: Problem) {
        let mut found = self.found.borrow_mut();
        if !found.contains(&problem) {
            found.push(problem);
        }
    }

    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        !self.found.borrow().is_empty()
    }

    /// An error with every problem, in the order of the file.
    pub(super) fn into_error(self, color: bool) -> Error {
        let mut found = self.found.into_inner();
        found.sort_by_key(Problem::place);
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let masked = Masked::new(&self.sources);
        let render = |problem: &Problem| problem.masked(&masked).render(masked.sources(), &renderer);
        let shown: Vec<String> = found.iter().map(render).collect();
        Error::config(count(&found, &self.sources)).detail(shown.join("\n\n"))
    }
}

/// "`a`, `b` and `c`", where `last` is "and".
pub(super) fn list(names: &[&str], last: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn count(found: &[Problem], sources: &Sources) -> String {
    let noun = if found.len() == 1 { "error" } else { "errors" };
    let in_file = found.iter().all(|problem| problem.place().is_none_or(|span| !sources.is_override(span)));
    let place = if in_file { format!("`{}`", sources.file_name()) } else { "the configuration".to_owned() };
    format!("{} {noun} in {place}", found.len())
}

fn snippet<'a>(sources: &'a Sources, span: Span) -> Snippet<'a, Annotation<'a>> {
    let source = sources.source(span);
    let snippet = Snippet::source(source.text.as_str());
    match &source.file {
        Some(file) => snippet.path(file.as_str()),
        None => snippet.line_numbering(false),
    }
}
