//! What a visitor of the shop gets.

use e2e::{Response, http_get};
use regex::Regex;

/// The shop's page, and what it links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) edition: String,
    pub(super) revision: String,
    pub(super) process: u32,
    pub(super) schema: String,
    pub(super) products: Vec<String>,
    pub(super) stylesheet: String,
    pub(super) script: String,
}

impl Page {
    /// Asks for the page, which must be there.
    #[track_caller]
    pub(super) fn of(port: u16) -> Page {
        Page::try_of(port).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Asks for the page; the error says what came instead.
    pub(super) fn try_of(port: u16) -> Result<Page, String> {
        let response = fetch(port, "/")?;
        Page::read(&response.body).ok_or(response.body)
    }

    fn read(html: &str) -> Option<Page> {
        let one = |pattern: &str| Some(all(html, pattern).into_iter().next()?.to_owned());
        Some(Page {
            edition: one(r#"name="edition" content="([^"]+)""#)?,
            revision: one(r#"name="revision" content="([^"]+)""#)?,
            process: one(r#"name="process" content="(\d+)""#)?.parse().ok()?,
            schema: one(r#"id="schema">(\d+)<"#)?,
            products: all(html, r#"class="product">([^<]+)<"#).into_iter().map(str::to_owned).collect(),
            stylesheet: one(r#"href="(/assets/application-[0-9a-f]{64}\.css)""#)?,
            script: one(r#"src="(/assets/application-[0-9a-f]{64}\.js)""#)?,
        })
    }

    /// The page as any process of its release shows it: Passenger may run several.
    pub(super) fn of_any_process(self) -> Page {
        Page { process: 0, ..self }
    }

    /// Whether stylesheet and script are there and of the page's own edition; the error says what is wrong.
    pub(super) fn is_of_one_piece(&self, port: u16) -> Result<(), String> {
        for asset in [&self.stylesheet, &self.script] {
            let body = fetch(port, asset)?.body;
            let edition = format!("\"{}\"", self.edition);
            if !body.contains(&edition) {
                return Err(format!("`{asset}` is not of the page's edition {edition}: {body}"));
            }
        }
        Ok(())
    }
}

/// What is at `path`, if the server says that all is well.
fn fetch(port: u16, path: &str) -> Result<Response, String> {
    let response = http_get(port, path).map_err(|error| format!("no answer to `{path}`: {error}"))?;
    match response.status {
        200 => Ok(response),
        status => Err(format!("`{path}` is answered by {status}: {}", response.body)),
    }
}

fn all<'h>(html: &'h str, pattern: &str) -> Vec<&'h str> {
    let pattern = Regex::new(pattern).expect("the pattern is valid");
    pattern.captures_iter(html).filter_map(|found| Some(found.get(1)?.as_str())).collect()
}
