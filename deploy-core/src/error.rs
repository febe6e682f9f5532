//! What the user sees when something is wrong: the thing, the place, and the next step.

use std::error::Error as StdError;
use std::fmt;
use std::process::ExitCode;

/// The result of everything that can fail for a reason that the user should read.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that is meant for the user.
///
/// The message names the thing in backticks, in lower case and without a full stop. The cause, if there is one,
/// stands in [`source`](StdError::source) and is not repeated in the message. Hints name the next thing to do.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    message: String,
    /// What was told when it happened.
    told: Option<Told>,
    detail: Option<String>,
    hints: Vec<String>,
    source: Option<anyhow::Error>,
}

/// What the user has read of an error before it is shown.
#[derive(Clone)]
struct Told {
    detail: String,
    hints: Vec<String>,
}

/// Who has to act on an error. It decides the exit code and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line is wrong.
    Usage,
    /// `deploy.toml` or the registration in `main.rs` is wrong.
    Config,
    /// A server can't be reached or logged in to, or the connection was lost.
    Connection,
    /// A task failed.
    Task,
    /// Somebody else holds the stage's lock.
    Locked,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl ErrorKind {
    /// The exit code of a run that ends with this kind of error. Zero is success; 101 would be a bug (a panic).
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Task => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Config => 3,
            ErrorKind::Connection => 4,
            ErrorKind::Locked => 5,
            ErrorKind::Interrupted => 130,
            ErrorKind::Terminated => 143,
        }
    }
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Repr {
            kind,
            message: message.into(),
            told: None,
            detail: None,
            hints: Vec::new(),
            source: None,
        }))
    }

    /// An error in the command line.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    /// An error in the configuration.
    pub fn config(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Config, message)
    }

    /// A task that failed.
    pub fn task(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Task, message)
    }

    /// A server that can't be reached, or was lost.
    pub fn connection(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Connection, message)
    }

    /// Adds the next thing to do, such as a command to type. Hints are shown in the order in which they were added.
    ///
    /// Where the cause is that no more files can be opened, whatever was tried, the hint says what to do about that instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Error {
        self.hints([hint.into()])
    }

    /// Adds several hints.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Error {
        if self.0.source.as_ref().and_then(lack_of_files).is_none() {
            self.0.hints.extend(hints);
        }
        self
    }

    /// Adds text of several lines that is shown as it is below the message: annotated source, the last lines of output.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds lines to the text below the message.
    #[must_use]
    pub fn and_detail(mut self, more: &str) -> Error {
        let detail = self.0.detail.take().unwrap_or_default();
        self.0.detail = Some(format!("{}\n{more}", detail.trim_end()).trim_start_matches('\n').to_owned());
        self
    }

    /// Adds text and hints that stand first, which the user may have been [told](Error::untold) already.
    #[must_use]
    pub(crate) fn told(mut self, detail: String, hints: Vec<String>) -> Error {
        self.0.told = Some(Told { detail, hints });
        self
    }

    /// The same without what was told when it happened.
    #[must_use]
    pub(crate) fn untold(mut self) -> Error {
        self.0.told = None;
        self
    }

    /// The same error, in whose message the file `name` is called `place`.
    #[must_use]
    pub(crate) fn with_place(mut self, name: &str, place: &str) -> Error {
        if let Some(at) = self.0.message.find(&format!("{name}:")) {
            self.0.message.replace_range(at..at + name.len(), place);
        }
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<anyhow::Error>) -> Error {
        let source = source.into();
        if let Some(hint) = lack_of_files(&source) {
            self.0.hints = vec![hint.to_owned()];
        }
        self.0.source = Some(source);
        self
    }

    /// The same for one more who has to know; of its causes it has the words.
    pub(crate) fn repeated(&self) -> Error {
        let Repr { kind, message, told, detail, hints, .. } = &*self.0;
        let (message, told, detail, hints) = (message.clone(), told.clone(), detail.clone(), hints.clone());
        Error(Box::new(Repr { kind: *kind, message, told, detail, hints, source: chained(self.causes().into_iter()) }))
    }

    /// Who has to act on it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without causes and hints.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The text that is shown below the message, if any.
    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The text below the message, with what was told.
    pub(crate) fn whole_detail(&self) -> Option<String> {
        let told = self.0.told.as_ref().map(|told| told.detail.trim_end()).filter(|told| !told.is_empty());
        let all: Vec<_> = told.into_iter().chain(self.0.detail.as_deref()).collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }

    /// The hints, after those that were told.
    pub(crate) fn all_hints(&self) -> impl Iterator<Item = &String> {
        self.0.told.iter().flat_map(|told| &told.hints).chain(&self.0.hints)
    }

    /// The hints, in order.
    pub fn hint_texts(&self) -> &[String] {
        &self.0.hints
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        self.0.source.iter().flat_map(|source| source.chain()).map(ToString::to_string).collect()
    }

    /// The exit code that a process ending with this error should have.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind().exit_code())
    }
}

/// The message, then the text below it, the causes and the hints: what the terminal shows after `error: `.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(detail) = self.whole_detail() {
            write!(f, "\n{}", detail.trim_end())?;
        }
        for cause in self.causes() {
            write!(f, "\n  cause: {}", cause.trim_end().replace('\n', "\n         "))?;
        }
        for hint in self.all_hints() {
            write!(f, "\n  hint: {}", hint.replace('\n', "\n        "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

/// The body of a task written by a user returns `anyhow::Result`; its error becomes a failure of that task.
impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Error {
        let is_own = |cause: &&(dyn StdError + 'static)| cause.downcast_ref::<Error>().is_some();
        let context: Vec<String> = error.chain().take_while(|cause| !is_own(cause)).map(ToString::to_string).collect();
        match error.downcast::<Error>() {
            Ok(mut own) => {
                own.0.message = context.into_iter().chain([own.0.message]).collect::<Vec<_>>().join(": ");
                own
            }
            Err(_) => foreign(context),
        }
    }
}

/// A failed task that says what `causes` say, the outermost first.
fn foreign(causes: Vec<String>) -> Error {
    let mut causes = causes.into_iter();
    let mut own = Error::task(causes.next().unwrap_or_default());
    own.0.source = chained(causes);
    own
}

/// One cause that has the others below it; they come with the outermost first.
fn chained(causes: impl DoubleEndedIterator<Item = String>) -> Option<anyhow::Error> {
    causes.rev().fold(None, |inner: Option<anyhow::Error>, cause| match inner {
        None => Some(anyhow::anyhow!(cause)),
        Some(inner) => Some(inner.context(cause)),
    })
}

/// Whether `error` says that no more files can be opened: by this process, or on the whole machine.
pub(crate) fn is_out_of_files(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Why no more files can be opened, if they can't.
pub(crate) fn out_of_files() -> Option<std::io::Error> {
    std::fs::File::open("/dev/null").err().filter(is_out_of_files)
}

/// What to do where `source` is that no more files can be opened. Some causes have only the words of the system's error.
fn lack_of_files(source: &anyhow::Error) -> Option<&'static str> {
    let has = |number: i32| source.chain().any(|cause| cause.to_string().contains(&format!("(os error {number})")));
    if has(libc::EMFILE) {
        Some("raise the limit of open files with `ulimit -n`, or go through the servers in groups, with `--hosts`")
    } else if has(libc::ENFILE) {
        Some("the whole machine has no more files to open: see `sysctl fs.file-nr fs.file-max`")
    } else {
        None
    }
}

/// The name in `known` that is nearest to `name`, if any is near enough to be what was meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_message_detail_causes_and_hints_in_this_order() {
        let error = Error::task("failed to read `x`")
            .because(anyhow::anyhow!("inner").context("outer"))
            .detail("line 1\nline 2\n")
            .hint("try again");
        assert_eq!(
            error.to_string(),
            "failed to read `x`\nline 1\nline 2\n  cause: outer\n  cause: inner\n  hint: try again"
        );
    }

    #[test]
    fn an_error_that_is_repeated_says_the_same() {
        let error = Error::connection("no").because(anyhow::anyhow!("inner").context("outer")).detail("a\nb").hint("c");
        assert_eq!((error.repeated().kind(), error.repeated().to_string()), (ErrorKind::Connection, error.to_string()));
        assert_eq!(Error::usage("no").repeated().to_string(), "no");
    }

    #[test]
    fn what_fails_for_want_of_files_says_so_whatever_was_tried() {
        let cause = || std::io::Error::from_raw_os_error(libc::EMFILE);
        let git = Error::task("can't run `git`").because(cause()).hint("is it installed?");
        let ssh =
            Error::config("failed").hint("what?").because(anyhow::anyhow!("failed to start `ssh -G`: {}", cause()));
        for error in [git, ssh] {
            let [hint] = error.hint_texts() else { panic!("{error}") };
            assert!(hint.contains("ulimit -n") && error.to_string().contains("Too many open files"), "{error}");
        }
        let machine = Error::task("no").because(std::io::Error::from_raw_os_error(libc::ENFILE));
        assert!(machine.to_string().contains("the whole machine"), "{machine}");
    }

    #[test]
    fn an_error_survives_the_way_through_anyhow() {
        let error = Error::from(anyhow::Error::from(Error::usage("no").hint("yes")));
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(error.hint_texts(), ["yes"]);
    }

    #[test]
    fn what_a_body_says_about_an_error_stands_before_it() {
        let error = anyhow::Error::from(Error::connection("no answer").hint("wait")).context("app1").context("warming");
        let error = Error::from(error);
        assert_eq!((error.kind(), error.message()), (ErrorKind::Connection, "warming: app1: no answer"));
        assert_eq!(error.hint_texts(), ["wait"]);
    }

    #[test]
    fn causes_of_a_foreign_error_are_kept_in_order() {
        let error = Error::from(anyhow::anyhow!("a").context("b").context("c"));
        assert_eq!(error.to_string(), "c\n  cause: b\n  cause: a");
    }

    #[test]
    fn nearest_finds_a_typo_and_nothing_far() {
        assert_eq!(nearest("linked_file", ["linked_files", "branch"]), Some("linked_files"));
        assert_eq!(nearest("keep-releases", ["keep_releases"]), Some("keep_releases"));
        assert_eq!(nearest("zzz", ["linked_files", "branch"]), None);
    }
}
