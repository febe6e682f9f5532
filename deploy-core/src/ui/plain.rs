//! Progress as text: one line per task, then one per server.

mod transfers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Renderer;
use super::current::CurrentTask;
use super::outlet::Target;
use super::progress::Transfers;
use super::screen::Screen;
use super::settings::{Look, Verbosity};
use super::summary;
use super::text::{Line, Style, clock, harmless, harmless_lines, took};
use crate::event::{Event, Failure, Outcome, Outline, ServerNo, StepNo};

/// What stands below a task's line is indented by the width of a clock.
const INDENT: &str = "      ";
/// A task that fits on one line keeps that line open this long for its result; then the line ends, since some who read
/// along (the log page of a CI service) see only whole lines.
const OPEN_LINE: Duration = Duration::from_secs(5);
/// A wider name of a task does not push the results of all others to the right.
const WIDEST_ID: usize = 36;
/// How many parts of a task's block are kept until its turn comes. Lines beyond that are only in the log file.
const MOST_WAITING: usize = 10_000;
/// How many bytes these have at most.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Shows a run as text, for people: in colours and with signs on a terminal, else plainly.
///
/// The tasks' blocks stand in the plan's order, each in one piece. What servers that are ahead have to say about later
/// tasks waits until these have their turn. Warnings and failures go to standard error, everything else to the stream
/// that the run is shown on.
pub(super) struct Plain {
    screen: Arc<Screen>,
    look: Look,
    outline: Outline,
    current: CurrentTask,
    /// What is to be shown, by task. Between events it has only tasks whose turn has not come.
    waiting: BTreeMap<StepNo, Waiting>,
    /// The task whose block is being written.
    block: Option<StepNo>,
    /// The task's line, as long as it is open for its result.
    open_line: Option<OpenLine>,
    /// What is no task's, and came while a task's line was open.
    later: Vec<Line>,
    failures: Vec<(StepNo, Option<ServerNo>, Failure)>,
    transfers: Transfers,
    /// When the line at the bottom was drawn.
    drawn: Option<Duration>,
}

/// What a task has to say when its turn comes.
#[derive(Default)]
struct Waiting {
    items: Vec<(Duration, Item)>,
    /// How many bytes the lines have.
    bytes: usize,
    /// How many lines were too many to keep.
    left_out: usize,
}

/// A line that has not ended.
struct OpenLine {
    since: Duration,
    width: usize,
    /// What moves the result to where all results stand.
    gap: usize,
}

/// A part of a task's block.
enum Item {
    /// The task began somewhere.
    Begin,
    /// A line below the task's.
    Text(Line),
    /// How it ended on a server: on the task's own line if that is open.
    Result(Line),
}

impl Renderer for Plain {
    fn event(&mut self, at: Duration, event: &Event) {
        self.current.follow(event);
        self.follow_transfers(at, event);
        match event {
            Event::Started(outline) => self.begin(outline),
            Event::Connected { server, elapsed } => self.connected(*server, *elapsed),
            Event::Disconnected { server, message } => self.disconnected(*server, message),
            Event::StepStarted { step, .. } => self.put(at, *step, Item::Begin),
            Event::Output { step, server, line, .. } => self.output(at, *step, *server, line),
            Event::Note { step, server, text } => self.note(at, *step, *server, text),
            Event::Warning { step, server, text } => self.warning(*step, *server, text),
            Event::StepFinished { step, server, elapsed, outcome } => {
                let result = self.result(*step, *server, *elapsed, outcome);
                self.put(at, *step, Item::Result(result));
            }
            Event::Progress { .. } | Event::Detail { .. } | Event::Result { .. } | Event::Finished { .. } => {}
        }
        self.show_due();
        self.tick(at);
        if let Event::Finished { elapsed, error, summary, traffic } = event {
            self.end();
            let failed = error.is_some();
            self.write_out(summary::end(self.look, failed, *elapsed, summary));
            self.traffic(traffic);
            self.log_file(failed);
        }
    }

    fn tick(&mut self, at: Duration) {
        if self.open_line.as_ref().is_some_and(|line| at.saturating_sub(line.since) >= OPEN_LINE) {
            self.end_line();
        }
        self.show_transfers(at);
    }

    fn end(&mut self) {
        self.hide_live();
        for (step, waiting) in std::mem::take(&mut self.waiting) {
            self.show(step, waiting);
        }
        self.end_line();
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by_key(|(step, server, _)| (*step, *server));
        for (step, server, failure) in failures {
            let task = self.outline.task_id(step);
            let server = server.map(|server| self.outline.server_label(server));
            let lines = summary::failure(self.look, task, server, &failure);
            lines.into_iter().for_each(|line| self.write_err(line));
        }
    }
}

/// What is done with each kind of event.
impl Plain {
    pub(super) fn new(screen: Arc<Screen>, look: Look) -> Plain {
        Plain {
            screen,
            look,
            outline: Outline::default(),
            current: CurrentTask::default(),
            waiting: BTreeMap::new(),
            block: None,
            open_line: None,
            later: Vec::new(),
            failures: Vec::new(),
            transfers: Transfers::default(),
            drawn: None,
        }
    }

    fn begin(&mut self, outline: &Outline) {
        self.outline = outline.clone();
        self.current = CurrentTask::new(outline);
        let servers = match outline.taking_part().as_slice() {
            [] => String::new(),
            servers if servers.len() <= 4 => format!(": {}", servers.join(", ")),
            servers => format!(": {} servers", servers.len()),
        };
        let title = format!("{} {}", outline.task, outline.stage);
        self.write_out(Line::new().with(Style::Bold, title.trim_end()).with(Style::Normal, servers));
    }

    fn connected(&mut self, server: ServerNo, elapsed: Duration) {
        if self.is_verbose() {
            let line = self.on_server(Some(server), "connected").with(Style::Dim, format!(" {}", took(elapsed)));
            self.write_later(line);
        }
    }

    fn disconnected(&mut self, server: ServerNo, message: &str) {
        let message = harmless_lines(message).next().unwrap_or_default();
        let line = self.sign(Style::Bad, "✘").then(self.on_server(Some(server), &message));
        self.write_later(line);
    }

    /// What a task writes that was called by its name is what it was called for.
    fn output(&mut self, at: Duration, step: StepNo, server: Option<ServerNo>, line: &[u8]) {
        if self.is_verbose() || self.outline.task_id(step) == self.outline.task {
            let label = server.map(|server| format!("{} ", self.outline.server_label(server))).unwrap_or_default();
            let prefix = Line::new().with(Style::Dim, format!("{label}| "));
            self.put(at, step, Item::Text(prefix.with(Style::Normal, harmless(line))));
        }
    }

    fn note(&mut self, at: Duration, step: Option<StepNo>, server: Option<ServerNo>, text: &str) {
        for text in harmless_lines(text) {
            let line = self.on_server(server, &text);
            match step {
                Some(step) => self.put(at, step, Item::Text(line)),
                None => self.write_between(line),
            }
        }
    }

    fn warning(&mut self, step: Option<StepNo>, server: Option<ServerNo>, text: &str) {
        let place =
            [server.map(|server| self.outline.server_label(server)), step.map(|step| self.outline.task_id(step))];
        let place = place.into_iter().flatten().map(|place| format!("{place}: ")).collect::<String>();
        let lines = summary::headed(Style::Attention, "warning", &format!("{place}{text}"));
        self.end_line();
        lines.into_iter().for_each(|line| self.write_err(line));
    }

    fn result(&mut self, step: StepNo, server: Option<ServerNo>, elapsed: Duration, outcome: &Outcome) -> Line {
        let label = server
            .map(|server| format!("{:width$} ", self.outline.server_label(server), width = self.label_width(step)));
        let label = Line::new().with(Style::Normal, label.unwrap_or_default());
        let elapsed = took(elapsed);
        match outcome {
            Outcome::Done => self.sign(Style::Good, "✔").then(label).with(Style::Dim, elapsed),
            Outcome::Skipped(reason) => {
                let reason = harmless_lines(reason).collect::<Vec<_>>().join(" ");
                self.sign(Style::Dim, "-").then(label).with(Style::Dim, format!("skipped: {reason}"))
            }
            Outcome::Failed(failure) => {
                self.failures.push((step, server, failure.clone()));
                let reason = harmless_lines(&failure.reason).next().unwrap_or_default();
                let text = format!("failed after {elapsed}: {reason}");
                self.sign(Style::Bad, "✘").then(label).with(Style::Bad, text)
            }
        }
    }

    fn traffic(&mut self, traffic: &[crate::event::Traffic]) {
        if self.is_verbose() {
            let table = summary::traffic(&self.outline, traffic);
            table.into_iter().for_each(|line| self.write_out(line));
        }
    }

    fn log_file(&mut self, failed: bool) {
        let Some(path) = &self.outline.log_file else { return };
        let line = Line::new().with(Style::Dim, format!("everything is in {}", path.display()));
        if failed {
            self.write_err(line);
        } else if self.is_verbose() {
            self.write_out(line);
        }
    }
}

/// How blocks are written.
impl Plain {
    fn put(&mut self, at: Duration, step: StepNo, item: Item) {
        let waiting = self.waiting.entry(step).or_default();
        if let Item::Text(line) = &item {
            if waiting.items.len() >= MOST_WAITING || waiting.bytes >= MOST_BYTES {
                waiting.left_out += 1;
                return;
            }
            waiting.bytes += line.bytes();
        }
        waiting.items.push((at, item));
    }

    /// Shows what tasks have to say whose turn it is or was.
    fn show_due(&mut self) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() <= self.current.step()) {
            let (step, waiting) = entry.remove_entry();
            self.show(step, waiting);
        }
    }

    fn show(&mut self, step: StepNo, waiting: Waiting) {
        for (at, item) in waiting.items {
            if self.block != Some(step) {
                self.head(at, step);
            }
            match item {
                Item::Begin => {}
                Item::Text(line) => self.write_between(line),
                Item::Result(line) => self.write_result(line),
            }
        }
        if waiting.left_out > 0 {
            let text = format!("({} more lines are in the log file)", waiting.left_out);
            self.write_between(Line::new().with(Style::Dim, text));
        }
    }

    /// Writes the line that begins the block of `step`; leaves it open for the result if there will be just one.
    fn head(&mut self, at: Duration, step: StepNo) {
        self.end_line();
        self.block = Some(step);
        let id = self.outline.task_id(step).to_owned();
        let line = Line::new().with(Style::Dim, clock(at)).with(Style::Normal, " ").with(Style::Bold, &id);
        if self.has_one_result(step) {
            let gap = self.id_width().saturating_sub(id.len()) + 2;
            self.open_line = Some(OpenLine { since: at, width: line.width(), gap });
            self.write_run(&line.render(self.look.colour_run));
        } else {
            self.write_out(line);
        }
    }

    fn write_result(&mut self, line: Line) {
        // A question may have ended the line meanwhile.
        let open = self.open_line.take().filter(|_| self.screen.is_in_line());
        let Some(open) = open else { return self.write_between(line) };
        let line = Line::new().with(Style::Normal, " ".repeat(open.gap)).then(line);
        let line = self.look.width.map_or(line.clone(), |width| line.cut(width.saturating_sub(open.width)));
        self.write_run(&format!("{}\n", line.render(self.look.colour_run)));
        self.write_what_waited();
    }

    /// Writes a line that is no task's: below the task's line, but not into it.
    fn write_later(&mut self, line: Line) {
        if self.open_line.is_some() {
            self.later.push(line);
        } else {
            self.write_between(line);
        }
    }

    fn write_what_waited(&mut self) {
        for line in std::mem::take(&mut self.later) {
            self.write_out(Line::new().with(Style::Normal, INDENT).then(line));
        }
    }

    /// Writes a line below the task's.
    fn write_between(&mut self, line: Line) {
        self.end_line();
        self.write_out(Line::new().with(Style::Normal, INDENT).then(line));
    }

    fn end_line(&mut self) {
        if self.open_line.take().is_some() && self.screen.is_in_line() {
            self.write_run("\n");
        }
        self.write_what_waited();
    }

    /// Writes a whole line where the run is shown, cut to the terminal's width.
    fn write_out(&self, line: Line) {
        let line = self.look.width.map_or(line.clone(), |width| line.cut(width));
        self.write_run(&format!("{}\n", line.render(self.look.colour_run).trim_end()));
    }

    /// Writes a whole line to standard error.
    fn write_err(&self, line: Line) {
        self.screen.write(Target::Err, &format!("{}\n", line.render(self.look.colour_err).trim_end()));
    }

    /// Writes where the run is shown.
    fn write_run(&self, text: &str) {
        if self.look.verbosity > Verbosity::Quiet {
            self.screen.write(self.look.run, text);
        }
    }
}

/// Small questions.
impl Plain {
    fn is_verbose(&self) -> bool {
        self.look.verbosity == Verbosity::Verbose
    }

    /// A sign, where results begin with one.
    fn sign(&self, style: Style, sign: &str) -> Line {
        if self.look.signs { Line::new().with(style, sign).with(Style::Normal, " ") } else { Line::new() }
    }

    fn on_server(&self, server: Option<ServerNo>, text: &str) -> Line {
        let label = server.map(|server| format!("{}: ", self.outline.server_label(server))).unwrap_or_default();
        Line::new().with(Style::Normal, format!("{label}{text}"))
    }

    fn has_one_result(&self, step: StepNo) -> bool {
        self.outline.steps.get(step).is_some_and(|step| step.servers.len() <= 1)
    }

    fn label_width(&self, step: StepNo) -> usize {
        let servers = self.outline.steps.get(step).map(|step| step.servers.as_slice()).unwrap_or_default();
        servers.iter().map(|server| self.outline.server_label(*server).len()).max().unwrap_or(0)
    }

    fn id_width(&self) -> usize {
        self.outline.steps.iter().map(|step| step.id.len().min(WIDEST_ID)).max().unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
