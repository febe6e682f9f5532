//! Transfers as text: a line at the bottom of a terminal, else plain lines.

use std::time::Duration;

use super::{INDENT, Item, Plain};
use crate::event::Event;
use crate::ui::progress::{Place, Transfer};
use crate::ui::settings::Verbosity;
use crate::ui::text::{Line, Style, harmless};

/// A transfer has a line at the bottom of a terminal when it has gone on this long: what is over at once doesn't flash.
const LIVE_AFTER: Duration = Duration::from_millis(300);
/// How often that line is redrawn at most.
const REDRAW: Duration = Duration::from_millis(100);
/// Where there is no terminal, a transfer has a line this often.
const TOLD_EVERY: Duration = Duration::from_secs(10);

impl Plain {
    /// Takes note of `event`. A transfer that it ends leaves a line.
    pub(super) fn follow_transfers(&mut self, at: Duration, event: &Event) {
        for (place, transfer) in self.transfers.follow(at, event) {
            self.hide_live();
            self.transferred(at, place, &transfer);
        }
    }

    /// Shows how far transfers are, if it is time to.
    pub(super) fn show_transfers(&mut self, at: Duration) {
        if self.look.live {
            self.live(at);
        } else {
            self.tell_transfers(at);
        }
    }

    /// What a transfer that is over came to.
    fn transferred(&mut self, at: Duration, (step, server): Place, transfer: &Transfer) {
        if transfer.done > 0 {
            let line = self.on_server(server, &harmless(transfer.sum().as_bytes()));
            self.put(at, step, Item::Text(line));
        }
    }

    /// Redraws the line at the bottom, if it is time to.
    fn live(&mut self, at: Duration) {
        let first = self.transfers.first(at, LIVE_AFTER).filter(|_| self.look.verbosity > Verbosity::Quiet);
        let Some(((_, server), transfer, others)) = first else {
            return self.hide_live();
        };
        if self.drawn.is_some_and(|drawn| at.saturating_sub(drawn) < REDRAW) {
            return;
        }
        let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
        let line = self.on_server(server, &harmless(transfer.state(at).as_bytes())).with(Style::Dim, others);
        let line = Line::new().with(Style::Normal, INDENT).then(line);
        // In the last column a terminal may already begin the next line.
        let line = self.look.width.map_or(line.clone(), |width| line.cut(width.saturating_sub(1)));
        self.drawn = Some(at);
        self.end_line();
        self.screen.show_live(self.look.run, Some(line.render(self.look.colour_run)));
    }

    pub(super) fn hide_live(&mut self) {
        if self.drawn.take().is_some() {
            self.screen.show_live(self.look.run, None);
        }
    }

    /// Tells of transfers where no line can be redrawn.
    fn tell_transfers(&mut self, at: Duration) {
        let mut due = Vec::new();
        self.transfers.tell(at, TOLD_EVERY, |place, transfer| due.push((place, transfer.state(at))));
        for ((step, server), state) in due {
            let line = self.on_server(server, &harmless(state.as_bytes()));
            self.put(at, step, Item::Text(line));
            self.show_due();
        }
    }
}
