//! What a server says that isn't so: hostile values of every fact, markers that can't be, and noise without an end.

use std::time::{Duration, Instant};

use e2e::{Lie, OURS, Project, Saying, Told};
use rustix::process::Signal;

/// How long a run may take that is lied to.
const PATIENCE: Duration = Duration::from_secs(300);

/// How much memory, in KiB.
const MEMORY: usize = 256 << 10;

/// A lie, and what it is called in a trial's sum.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) lies: Vec<Lie>,
}

fn case(name: impl Into<String>, lies: impl IntoIterator<Item = Lie>) -> Case {
    Case { name: name.into(), lies: lies.into_iter().collect() }
}

/// Values that would do harm somewhere, or that nobody expects.
const VALUES: [&[u8]; 26] = [
    b"--upload-pack=touch /tmp/lied",
    b"--output=precious",
    b"-",
    b"refs/heads/main",
    b"HEAD",
    b"99991231235958",
    b"20991231235959",
    b"99999999999999",
    b"00000000000000",
    b"../../shared",
    b"",
    b"$(touch lied)",
    b"'; touch lied; '",
    b"\x1b[2J\x1b]0;lied\x07",
    b"\n::error::lied\n::stop-commands::lied",
    b"::set-env name=LIED::yes",
    b"\xff\xfe\x00",
    b"\xc2\x9b31m",
    "\u{202e}revisión-ñ".as_bytes(),
    "é".as_bytes(),
    b"20261122101500\r\n../shared",
    b"0000000000000000000000000000000000000000",
    b"99999999999999999999999999999999999999999",
    b"-1",
    b"20261122101500/good\t\x1b[2J\t::error::lied\t-1\t99999999999999999999\t../..",
    b"/etc/passwd",
];

/// How often a megabyte makes much.
const MUCH: usize = 300;

/// A fact with this value, which is called so.
pub(crate) fn fact(fact: &str, name: &str, value: &str) -> Case {
    let saying = Saying::Value(value.as_bytes().to_vec(), 1);
    case(format!("{fact} is {name}"), [Lie::at(&format!("f {fact}"), 0, saying)])
}

/// Each of these facts with each of the values, and without an end.
pub(crate) fn of_facts(facts: &[&str]) -> Vec<Case> {
    let mut cases = Vec::new();
    for fact in facts {
        for value in VALUES {
            let saying = Saying::Value(value.to_vec(), 1);
            cases.push(case(format!("{fact} is {}", value.escape_ascii()), [Lie::at(&format!("f {fact}"), 0, saying)]));
        }
        let endless = Saying::Value(vec![b'7'; 1 << 20], MUCH);
        cases.push(case(format!("{fact} of 300 MB"), [Lie::at(&format!("f {fact}"), 0, endless)]));
    }
    cases
}

/// Facts that are the run's own, and others' to report.
const SHADOWS: [(&str, &str); 9] = [
    ("release", "../../shared"),
    ("new_release", "20991231235959"),
    ("revision", "--output=precious"),
    ("branch", "lied"),
    ("token", "0000"),
    ("holder", "::error::lied"),
    ("lock_list", "lied"),
    ("live", "99999999999999"),
    ("found_revision", "0000000000000000000000000000000000000000"),
];

/// Facts that no task there reports.
pub(crate) fn shadows() -> Vec<Case> {
    let fact = |(name, value): &(&str, &str)| {
        let bytes = format!("{OURS}f {name}\n{value}{OURS}.\n").into_bytes();
        [1, 4].map(|number| {
            let lie = Lie::at("b 0", number, Saying::Besides(bytes.clone(), 1)).on(Told::Stdout);
            case(format!("{name} beside what task 0 of program {number} reports"), [lie])
        })
    };
    SHADOWS.iter().flat_map(fact).collect()
}

/// Markers that our programs can't have written there.
const MARKERS: [&str; 22] = [
    "b 999",
    "b -1",
    "b 0",
    "b 18446744073709551616",
    "b",
    "e 999 0",
    "e -1 0",
    "e 0 0",
    "e 1 99999999999",
    "z 0 0",
    "z 999 0",
    "z 1 -1",
    "q 0",
    "g -1",
    "g 999",
    "g 0",
    "p 99999999999999999999",
    "x -1 0",
    "i short",
    "? what",
    "",
    ".",
];

/// The same marker where it can't stand: on both streams, and on one, in the first program and in a later one.
pub(crate) fn of_markers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, marker) in MARKERS.iter().enumerate() {
        let bytes = format!("{OURS}{marker}\n").into_bytes();
        let stream = [Told::Both, Told::Stdout, Told::Stderr][number % 3];
        let lie = Lie::at("b 0", 1 + number % 4, Saying::Besides(bytes.clone(), 1)).on(stream);
        cases.push(case(format!("`{marker}` once more, on {stream:?}, in program {}", number % 4), [lie]));
        let lie = Lie::at("b 1", 1, Saying::Instead(bytes, 1));
        cases.push(case(format!("`{marker}` instead of `b 1`"), [lie]));
    }
    cases
}

/// Ends that don't agree with what was done.
pub(crate) fn of_ends() -> Vec<Case> {
    let done = |text: &str| Saying::Instead(format!("{OURS}{text}\n").into_bytes(), 1);
    let mut cases = Vec::new();
    for number in [1, 3, 5] {
        cases.push(case(format!("task 0 of program {number} failed"), [Lie::at("e 0", number, done("e 0 1"))]));
        cases.push(case(
            format!("program {number} failed"),
            [Lie::at("z", number, done(&format!("z {} 1", number - 1)))],
        ));
        cases.push(case(
            format!("program {number} is over at once"),
            [Lie::at("b 0", number, done(&format!("z {} 0", number - 1)))],
        ));
        cases.push(case(
            format!("no end of task 0 of program {number}"),
            [Lie::at("e 0", number, Saying::Instead(Vec::new(), 1))],
        ));
        cases.push(case(
            format!("status 0 in the middle of program {number}"),
            [Lie::at("b 0", number, Saying::Exit(0))],
        ));
        cases.push(case(
            format!("status 3 in the middle of program {number}"),
            [Lie::at("e 0", number, Saying::Exit(3))],
        ));
    }
    cases.push(case("status 7 at the end", [Lie::at("end", 1, Saying::Exit(7))]));
    cases.push(case("a farewell that failed", [Lie::at("q", 1, done("q 1"))]));
    cases.push(case("no farewell", [Lie::at("q", 1, Saying::Exit(0))]));
    cases.push(case(
        "the lock is lost",
        [Lie::at("b 0", 2, Saying::Besides(format!("{OURS}l\n").into_bytes(), 1)).on(Told::Stdout)],
    ));
    cases
}

/// Noise in the first task of the program `number`, from 1.
pub(crate) fn noise(number: usize) -> Vec<Case> {
    let besides = |bytes: &[u8], times| Lie::at("b 0", number, Saying::Besides(bytes.to_vec(), times));
    let ours = |text: &str| format!("{OURS}{text}").into_bytes();
    vec![
        case("300 MB of lines", [besides(&[&[b'x'; 1023][..], b"\n"].concat(), MUCH << 10).on(Told::Stdout)]),
        case("300 MB in one line", [besides(&[b'x'; 1 << 20], MUCH).on(Told::Stderr)]),
        case("100,000 notes", [besides(&ours(&format!("n\n\x1b[2Jnoted{OURS}.\n")), 100_000).on(Told::Stdout)]),
        case("100,000 facts", [besides(&ours(&format!("f x\ny{OURS}.\n")), 100_000).on(Told::Stdout)]),
        case("a text without an end", [besides(&ours("n\nforever"), 1).on(Told::Stdout)]),
        case("a marker without an end", [besides(&ours(&"b".repeat(600)), 1).on(Told::Stdout)]),
        case(
            "half a marker at the end",
            [Lie::at("e 0", number, Saying::Instead(ours("e"), 1)), Lie::at("z", number, Saying::Exit(0))],
        ),
        case(
            "control characters",
            [besides(b"\x1b[2J\x1b]52;c;bGllZA==\x07\x9b31m\r\x08\xc2\x9b2J\n::error::lied\n", 1)],
        ),
        case(
            "a note of control characters",
            [besides(&ours(&format!("n\n\x1b[2J\r::error::lied\n::error::lied{OURS}.\n")), 1).on(Told::Stdout)],
        ),
        case(
            "garbage instead of a greeting",
            [Lie::at("hello", 1, Saying::Instead(b"\x1e\xff\xfe\n::error::lied\n\x1b[2J".into(), 1))],
        ),
        case(
            "another greeting on each stream",
            [Lie::at("hello", 1, Saying::Besides(ours("hello-hello-hello-hello\n"), 1)).on(Told::Stderr)],
        ),
        case(
            "a reason of control characters",
            [
                besides(&ours(&format!("m\n\x1b[2J\n::error::lied{OURS}.\n")), 1).on(Told::Stdout),
                Lie::at("e 0", number, Saying::Instead(ours("e 0 1\n"), 1)),
            ],
        ),
        case(
            "a hint of control characters",
            [
                besides(&ours(&format!("h\n\x1b[2J\n::error::lied{OURS}.\n")), 1).on(Told::Stdout),
                Lie::at("e 0", number, Saying::Instead(ours("e 0 1\n"), 1)),
            ],
        ),
        case(
            "a skip of control characters",
            [besides(&ours(&format!("s\n\x1b[2J\n::error::lied{OURS}.\n")), 1).on(Told::Stdout)],
        ),
    ]
}

/// A few of the gravest in every run, and all of them at full length.
pub(crate) fn some(cases: Vec<Case>, grave: &[&str]) -> Vec<Case> {
    let is_meant = |case: &Case| e2e::full() || grave.contains(&case.name.as_str());
    cases.into_iter().filter(is_meant).collect()
}

/// What a run said that was lied to.
pub(crate) struct Said {
    ending: String,
    /// As people read it, with names instead of addresses.
    pub(crate) text: String,
    /// As it came.
    raw: String,
    memory: usize,
}

impl Said {
    /// What `cargo xtask LINE` says, if it ends in time.
    pub(crate) fn of(project: &Project, line: &str) -> Result<Said, String> {
        let start = Instant::now();
        let mut run = project.start(line);
        let mut memory = 0;
        while !run.is_over() {
            memory = memory.max(run.peak_memory());
            if start.elapsed() > PATIENCE {
                run.signal(Signal::KILL);
                return Err(format!("it didn't end within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = run.wait();
        let raw = [output.stdout(), output.stderr()].concat();
        Ok(Said { ending: output.ending(), text: output.to_string(), raw, memory })
    }

    pub(crate) fn is_success(&self) -> bool {
        self.ending == "exit status: 0"
    }

    /// What must hold of its words.
    pub(crate) fn is_harmless(&self) -> Result<(), String> {
        let acts = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        if let Some(line) = self.raw.lines().find(|line| line.contains(acts) || line.starts_with("::")) {
            return Err(format!("this reaches the screen: {}", line.escape_debug()));
        }
        if self.memory > MEMORY {
            return Err(format!("it took {} KiB", self.memory));
        }
        let is_orderly = (0..=5).any(|status| self.ending == format!("exit status: {status}"));
        if !is_orderly {
            return Err(format!("it ended with {}", self.ending));
        }
        Ok(())
    }

    /// Whether it names the server that lied.
    pub(crate) fn names(&self, liar: &str) -> Result<(), String> {
        if self.is_success() || self.text.contains(liar) { Ok(()) } else { Err("the liar isn't named".to_owned()) }
    }
}
