//! Whether the application answers again.

use deploy_core::prelude::*;
use deploy_core::task::ServerCx;
use serde::Deserialize;

use super::Passenger;

/// What is asked: a path, or a URL with `{host}` in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HealthUrl(String);

impl TryFrom<String> for HealthUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<HealthUrl, &'static str> {
        let is_good = text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://");
        let is_good = is_good && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_good { Ok(HealthUrl(text)) } else { Err("expected a path such as \"/up\", or a URL") }
    }
}

/// Where an answer tells the commit that it is of: in its body, or in the header of this name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Revision(String);

impl TryFrom<String> for Revision {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Revision, &'static str> {
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !text.is_empty() && text.chars().all(is_good) {
            Ok(Revision(text))
        } else {
            Err("expected the name of a header such as \"X-Revision\", or \"body\"")
        }
    }
}

impl HealthUrl {
    /// The URL that a server asks itself, and the header that goes with it unless others say more.
    pub(crate) fn on(&self, host: &str) -> (String, Option<String>) {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let text = self.0.replace("{host}", &host);
        if text.starts_with('/') {
            (format!("http://127.0.0.1{text}"), Some(format!("Host: {host}")))
        } else {
            (text, None)
        }
    }
}

impl Passenger {
    /// Fails where the application doesn't answer as it should.
    pub(crate) fn health(&self, cx: &ServerCx<'_>) -> Script {
        match &self.health_url {
            Some(url) => self.health_check(url, &cx.server.host, &cx.stage.name),
            None => Script::new(),
        }
    }

    pub(crate) fn health_check(&self, url: &HealthUrl, host: &str, stage: &str) -> Script {
        let (url, header) = url.on(host);
        let own = self.health_headers.iter().map(|header| header.replace("{host}", host));
        let own: Vec<_> = own.collect();
        let header = header.filter(|_| !own.iter().any(|header| header.to_lowercase().starts_with("host:")));
        let headers = header.into_iter().chain(own);
        let args = [
            url,
            self.health_status.to_string(),
            self.health_timeout.0.as_secs().max(1).to_string(),
            self.health_retries.to_string(),
            self.health_wait.0.as_secs_f64().to_string(),
            self.health_revision.as_ref().map_or_else(String::new, |place| place.0.clone()),
            format!("to go back: cargo xtask deploy rollback {stage}"),
        ];
        let check = Cmd::new("health_check").unprefixed().args(args).args(headers);
        Script::new().run(check).uses(include_str!("health.sh"))
    }
}
