//! A server that lies: sshd runs this in place of every command. It runs the true one, and passes on what that says but
//! for the lies in the file that it is given.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use e2e::{Lie, OURS, Saying, Told};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("the file with the lies");
    let lies = Lie::read(Path::new(&file));
    let command = std::env::var("SSH_ORIGINAL_COMMAND").expect("sshd says what it was asked to run");
    let mut sh = Command::new("sh");
    let mut child = sh.args(["-c", &command]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh runs");
    tell(&mut child, &lies, Path::new(&file));
    let status = child.wait().expect("a child can be waited for");
    let end = lies.iter().find(|lie| lie.place.marker == "end");
    if end.is_some() {
        Lie::told(Path::new(&file));
    }
    match end.map(|lie| &lie.saying) {
        Some(Saying::Exit(status)) => std::process::exit(*status),
        Some(Saying::Silence) => silence(),
        _ => ExitCode::from(status.code().or(status.signal()).and_then(|code| u8::try_from(code).ok()).unwrap_or(255)),
    }
}

/// Passes both streams on, to their ends.
fn tell(child: &mut Child, lies: &[Lie], file: &Path) {
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    std::thread::scope(|scope| {
        scope.spawn(|| Teller::new(lies, Told::Stdout, file).pass(out, std::io::stdout()));
        scope.spawn(|| Teller::new(lies, Told::Stderr, file).pass(err, std::io::stderr()));
    });
}

fn silence() -> ! {
    loop {
        std::thread::park();
    }
}

/// One stream that is passed on.
struct Teller<'l> {
    lies: Vec<(&'l Lie, usize)>,
    /// Where they stand.
    file: &'l Path,
    /// What the markers begin with, once the shell has said it.
    word: Option<Vec<u8>>,
    /// Whether a value is being left out.
    hides: bool,
}

impl<'l> Teller<'l> {
    fn new(lies: &'l [Lie], stream: Told, file: &'l Path) -> Teller<'l> {
        let is_ours = |lie: &&Lie| lie.place.stream == Told::Both || lie.place.stream == stream;
        Teller { lies: lies.iter().filter(is_ours).map(|lie| (lie, 0)).collect(), file, word: None, hides: false }
    }

    fn pass(mut self, from: impl Read, mut to: impl Write) {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            // Nobody listens any more: the true command finds that out by itself.
            if self.line(&line, &mut to).and_then(|()| to.flush()).is_err() {
                return;
            }
            line.clear();
        }
    }

    fn line(&mut self, line: &[u8], to: &mut impl Write) -> std::io::Result<()> {
        let Some(at) = self.marker(line) else {
            return if self.hides { Ok(()) } else { to.write_all(line) };
        };
        if !self.hides {
            to.write_all(&line[..at])?;
        }
        self.hides = false;
        let marker = &line[at..];
        let words = match &self.word {
            Some(word) => String::from_utf8_lossy(&marker[word.len()..]).trim_end().to_owned(),
            None => "hello".to_owned(),
        };
        if words == "hello" {
            let word = marker[..marker.len() - 1].rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            self.word = Some([b"\x1e", word, b" "].concat());
        }
        let saying = self.saying(&words);
        self.say(saying, marker, to)
    }

    /// Where a marker begins in `line`.
    fn marker(&self, line: &[u8]) -> Option<usize> {
        let word = self.word.as_deref().unwrap_or(b"\x1e");
        line.windows(word.len()).position(|part| part == word)
    }

    /// What is to be said at the marker with these words.
    fn saying(&mut self, words: &str) -> Option<&'l Saying> {
        let is_here =
            |marker: &str| words.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        let mut saying = None;
        for (lie, seen) in self.lies.iter_mut().filter(|(lie, _)| is_here(&lie.place.marker)) {
            *seen += 1;
            if lie.place.number == 0 || lie.place.number == *seen {
                saying = Some(&lie.saying);
                Lie::told(self.file);
            }
        }
        saying
    }

    fn say(&mut self, saying: Option<&Saying>, marker: &[u8], to: &mut impl Write) -> std::io::Result<()> {
        match saying {
            None => to.write_all(marker),
            Some(Saying::Value(bytes, times)) => {
                self.hides = true;
                to.write_all(marker)?;
                self.repeat(bytes, *times, to)
            }
            Some(Saying::Instead(bytes, times)) => self.repeat(bytes, *times, to),
            Some(Saying::Besides(bytes, times)) => {
                to.write_all(marker)?;
                self.repeat(bytes, *times, to)
            }
            Some(Saying::Exit(status)) => std::process::exit(*status),
            Some(Saying::Silence) => silence(),
        }
    }

    fn repeat(&self, bytes: &[u8], times: usize, to: &mut impl Write) -> std::io::Result<()> {
        let mut said = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.windows(OURS.len()).position(|part| part == OURS.as_bytes()) {
            said.extend_from_slice(&rest[..at]);
            said.extend_from_slice(self.word.as_deref().unwrap_or_default());
            rest = &rest[at + OURS.len()..];
        }
        said.extend_from_slice(rest);
        // Much of it at a time, since so much is said.
        let at_a_time = (65536 / said.len().max(1)).clamp(1, times.max(1));
        let block = said.repeat(at_a_time);
        for _ in 0..times / at_a_time {
            to.write_all(&block)?;
        }
        to.write_all(&said.repeat(times % at_a_time))
    }
}
