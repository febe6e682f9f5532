//! Names in braces: `{application}`, `{stage}` and `{host}` in paths. `{{` and `}}` stand for braces.

use super::diagnostics::{Problem, Problems};
use super::reader::Text;
use super::source::Span;
use crate::error::nearest;

/// What the names stand for. `None` is a name that means nothing in this place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub(super) application: Option<&'a str>,
    pub(super) stage: &'a str,
    pub(super) host: Option<&'a str>,
}

impl Names<'_> {
    /// `text` with its names replaced, or `None` when one could not be.
    pub(super) fn expand(&self, text: &Text, problems: &Problems) -> Option<Text> {
        let mut expanded = String::new();
        let mut rest = &text.text[..];
        while let Some(at) = rest.find(['{', '}']) {
            expanded.push_str(&rest[..at]);
            let tail = &rest[at..];
            if tail.starts_with("{{") || tail.starts_with("}}") {
                expanded.push_str(&tail[..1]);
                rest = &tail[2..];
            } else {
                let name = name(tail, text.span, problems)?;
                expanded.push_str(self.value(name, text.span, problems)?);
                rest = &tail[name.len() + 2..];
            }
        }
        expanded.push_str(rest);
        Some(Text { text: expanded, span: text.span })
    }

    fn value(&self, name: &str, span: Span, problems: &Problems) -> Option<&str> {
        match name {
            "application" => self.application,
            "stage" => Some(self.stage),
            "host" => self.host.or_else(|| {
                problems.add(
                    Problem::new("`{host}` has no meaning here")
                        .at(span, "the same for every server of the stage")
                        .help("only `deploy_to` differs from server to server"),
                );
                None
            }),
            _ => {
                problems.add(unknown(name, span));
                None
            }
        }
    }
}

/// The name at the start of `text`, which begins with a brace.
fn name<'t>(text: &'t str, span: Span, problems: &Problems) -> Option<&'t str> {
    let name = text.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(name, _)| name);
    if name.is_none() {
        problems.add(
            Problem::new("a single brace")
                .at(span, "expected `{name}`")
                .help("write `{{` or `}}` for a brace that is part of the text"),
        );
    }
    name
}

fn unknown(name: &str, span: Span) -> Problem {
    let known = ["application", "stage", "host"];
    let label = match nearest(name, known) {
        Some(near) => format!("did you mean `{{{near}}}`?"),
        None => "not known here".to_owned(),
    };
    Problem::new(format!("unknown name `{{{name}}}`"))
        .at(span, label)
        .help("known: `{application}`, `{stage}` and `{host}`; write `{{` for a brace that is part of the text")
}
