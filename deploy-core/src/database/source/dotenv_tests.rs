//! Against the gem itself, as far as all its versions agree.

use std::process::{Command, Stdio};

use super::*;

fn read(text: &str) -> Option<String> {
    value(text, "URL").unwrap()
}

#[test]
fn values_are_read_as_dotenv_reads_them() {
    for (text, expected) in [
        ("URL=a://b", "a://b"),
        ("URL = a://b  # the shop", "a://b"),
        ("export URL=\"a://b\" # the shop\n", "a://b"),
        ("  URL: a://b\r\n", "a://b"),
        ("\u{feff}URL=a://b", "a://b"),
        ("URL='a://$b\\n#' # x", "a://$b\\n#"),
        ("URL=\"a\\\"b\\$c\\\\d\"", "a\"b$c\\d"),
        ("URL=a\\$b", "a$b"),
        ("HOST=db\nURL=\"a://${HOST}:1/$HOST\"", "a://db:1/db"),
        ("URL=first\nURL=last", "last"),
        ("KEY=\"one\nURL=inside\ntwo\"\nURL=outside", "outside"),
        ("URL=outside\nKEY='one\nURL=inside'\n", "outside"),
        ("URL=\"a\" b", "\"a\" b"),
        ("URL='C:\\'\nNEXT='y'", "C:\\"),
        ("NOT_URL=x\nURL=y", "y"),
        ("URL=a://h1:1,h2:2/x?b=c", "a://h1:1,h2:2/x?b=c"),
        ("URL=", ""),
        ("URL=100$", "100$"),
        ("A=1\nURL=\"x$A}y${A\"", "x1y1"),
        ("A=1\nURL=\"\\\\$A\"", "$A"),
        ("URL=\"a\"b\"", "a\"b"),
        ("export = x\nURL=y", "y"),
        ("URL=\n\"below\"", "below"),
        ("URL:\nbelow", "below"),
        ("URL\n=below", "below"),
        ("A=1\rURL=2\rB=3", "2"),
    ] {
        assert_eq!(read(text).as_deref(), Some(expected), "{text:?}");
    }
    assert_eq!(read("# URL=x\nURL\nCURL=y\n"), None);
}

#[test]
fn what_the_file_alone_does_not_say_is_named_without_the_value() {
    for (text, form) in [
        ("URL=\"s3cret$(cat x)\"", "`$(…)`"),
        ("A='$(cat s3cret)'\nURL=$A", "`$(…)`"),
        ("URL=s3cret${HOST}", "`HOST`"),
        ("URL=\"s3cret\\n\"", "double quotes"),
        ("URL=s3cret\\x", "outside of quotes"),
    ] {
        let error = value(text, "URL").unwrap_err().to_string();
        assert!(error.contains(form) && !error.contains("s3cret"), "{error}");
    }
}

/// What the gem says of `URL` in each of `texts`.
fn gem(texts: &[String]) -> Vec<Option<String>> {
    const RUBY: &str = "require 'dotenv'; require 'json'
        puts JSON.generate(JSON.parse($stdin.read).map { |text| Dotenv::Parser.call(text)['URL'] })";
    let mut ruby = Command::new("ruby")
        .args(["-E", "UTF-8", "-W0", "-e", RUBY])
        .env("LC_ALL", "C.UTF-8")
        .env_remove("HOST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(ruby.stdin.take().unwrap(), &texts).unwrap();
    let output = ruby.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Pieces of values, of which the gem takes some for signs.
const PIECES: [&str; 24] = [
    "a",
    "postgresql://u:p@h1:1,h2:2/x?b=c",
    " ",
    "  ",
    "$HOST",
    "${HOST}",
    "${HOST",
    "$HOST}",
    "$",
    "${}",
    "\\$",
    "\\\"",
    "\\\\",
    "'",
    "\"",
    "=",
    ":",
    "ü",
    "\t",
    "\\${HOST}",
    "$$HOST",
    "%41",
    "\\x",
    "$NONE",
];

/// Lines of all makes around a value that is put together from the pieces.
fn random_files() -> Vec<String> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut below = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let file = |_| {
        let value: String = (0..below(5)).map(|_| PIECES[below(PIECES.len())]).collect();
        let quote = ["", "'", "\""][below(3)];
        let start = ["URL=", "export URL=", "  URL = ", "URL: ", "export  URL:\t"][below(5)];
        let end = ["", " # the shop", "\t", "#x"][below(4)];
        let line_end = ["\n", "\r\n"][below(2)];
        let above = ["HOST=db", "HOST='db'", "# URL=no", "URL=first", "NOT A LINE", ""][below(6)];
        format!("HOST=\"d b\"{line_end}{above}{line_end}{start}{quote}{value}{quote}{end}{line_end}LAST=1{line_end}")
    };
    (0..600).map(file).collect()
}

#[test]
fn whatever_is_read_the_gem_reads_too() {
    let files = random_files();
    let mut read = 0;
    for (text, theirs) in files.iter().zip(gem(&files)) {
        if let Ok(ours) = value(text, "URL") {
            assert_eq!(ours, theirs, "{text:?}");
            read += 1;
        }
    }
    assert!(read > files.len() / 2, "{read}");
}
