//! Servers that lie: what sshd runs in place of every command runs the true one, and changes what that says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a lie stands: at a marker of the conversation, such as `b 0` or `f live`, which begins with these words.
#[derive(Clone, Debug)]
pub struct Place {
    /// The stream.
    pub stream: Told,
    /// How the marker begins; `hello` is the greeting, `end` the end of the command.
    pub marker: String,
    /// The how many-th such marker it is, from 1; 0 is each.
    pub number: usize,
}

/// The streams that a lie is told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both.
    Both,
}

/// What is said there instead of the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// Another value of the fact that the marker opens, so often one after the other.
    Value(Vec<u8>, usize),
    /// Other bytes than the marker, so often.
    Instead(Vec<u8>, usize),
    /// Bytes after it, so often.
    Besides(Vec<u8>, usize),
    /// The command ends with this status.
    Exit(i32),
    /// Nothing any more, and the command doesn't end.
    Silence,
}

/// What a server says that isn't so. In bytes, [`OURS`] stands for what markers of the conversation begin with.
#[derive(Clone, Debug)]
pub struct Lie {
    /// Where.
    pub place: Place,
    /// What.
    pub saying: Saying,
}

/// Stands in a lie's bytes for the separator and the word that only the server's shell knows.
pub const OURS: &str = "\u{1e}@ ";

impl Lie {
    /// A lie at the `number`th marker that begins so, on both streams.
    pub fn at(marker: &str, number: usize, saying: Saying) -> Lie {
        Lie { place: Place { stream: Told::Both, marker: marker.to_owned(), number }, saying }
    }

    /// The same lie on one stream only.
    pub fn on(self, stream: Told) -> Lie {
        Lie { place: Place { stream, ..self.place }, ..self }
    }

    /// The lies in a file that [`Liar::tell`] wrote; none if there is no such file.
    pub fn read(file: &Path) -> Vec<Lie> {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().map(|line| Lie::parse(line).unwrap_or_else(|| panic!("no lie: {line}"))).collect()
    }

    /// Notes that a lie of `file` was told.
    pub fn told(file: &Path) {
        fs::write(mark(file), "told").expect("a file can be written");
    }

    fn parse(line: &str) -> Option<Lie> {
        let words: Vec<&str> = line.split('\t').collect();
        let [stream, marker, number, kind, bytes, count] = words[..] else { return None };
        let stream = match stream {
            "1" => Told::Stdout,
            "2" => Told::Stderr,
            _ => Told::Both,
        };
        let (bytes, count) = (unhex(bytes)?, count.parse::<i32>().ok()?);
        let times = usize::try_from(count).unwrap_or_default();
        let saying = match kind {
            "value" => Saying::Value(bytes, times),
            "instead" => Saying::Instead(bytes, times),
            "besides" => Saying::Besides(bytes, times),
            "exit" => Saying::Exit(count),
            "silence" => Saying::Silence,
            _ => return None,
        };
        Some(Lie { place: Place { stream, marker: marker.to_owned(), number: number.parse().ok()? }, saying })
    }

    fn line(&self) -> String {
        let Place { stream, marker, number } = &self.place;
        let stream = match stream {
            Told::Stdout => "1",
            Told::Stderr => "2",
            Told::Both => "12",
        };
        let count = |times: &usize| times.to_string();
        let (kind, bytes, count) = match &self.saying {
            Saying::Value(bytes, times) => ("value", hex(bytes), count(times)),
            Saying::Instead(bytes, times) => ("instead", hex(bytes), count(times)),
            Saying::Besides(bytes, times) => ("besides", hex(bytes), count(times)),
            Saying::Exit(status) => ("exit", String::new(), status.to_string()),
            Saying::Silence => ("silence", String::new(), "0".to_owned()),
        };
        format!("{stream}\t{marker}\t{number}\t{kind}\t{bytes}\t{count}\n")
    }
}

/// The liar's side of a server: what its lines of `sshd_config` are, and which lies it tells at the moment.
pub struct Liar {
    file: PathBuf,
}

impl Liar {
    /// One that is told its lies by `file`. It is honest until then.
    pub fn new(file: PathBuf) -> Liar {
        Liar { file }
    }

    /// Has sshd run `program`, the liar, in place of every command.
    pub fn option(&self, program: &str) -> String {
        format!("ForceCommand {program} {}", self.file.display())
    }

    /// Tells these lies from now on.
    pub fn tell(&self, lies: &[Lie]) {
        fs::write(&self.file, lies.iter().map(Lie::line).collect::<String>()).expect("a file can be written");
        let _ = fs::remove_file(mark(&self.file));
    }

    /// Whether one of them was told.
    pub fn has_told(&self) -> bool {
        mark(&self.file).exists()
    }
}

fn mark(file: &Path) -> PathBuf {
    file.with_extension("told")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_the_liar_is_read_as_it_was_meant() {
        let sayings = [
            Saying::Value(b"\0\xff\n".into(), 3),
            Saying::Instead("".into(), 1),
            Saying::Besides(b"x".into(), 1_000_000),
            Saying::Exit(-1),
            Saying::Silence,
        ];
        for saying in sayings {
            let lie = Lie::at("f live", 2, saying).on(Told::Stderr);
            let read = Lie::parse(lie.line().trim_end_matches('\n')).unwrap();
            assert_eq!(read.saying, lie.saying);
            assert_eq!((read.place.marker.as_str(), read.place.number, read.place.stream), ("f live", 2, Told::Stderr));
        }
    }
}
