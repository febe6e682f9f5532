//! Trees that a hostile, or only an unusual, repository may have.

use super::plant::{Entry, Tree};

/// How the stage is configured that a tree is deployed to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Setup {
    /// Assets that releases share, compiled on the server, unless nothing has changed.
    Shared,
    /// Each release with an output of its own.
    Own,
    /// Compiled here.
    Here,
}

/// What has to come of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Either a release without harm, or a refusal without harm.
    Either,
    /// A release, and this is said.
    Live(&'static str),
    /// A refusal that says this.
    Refused(&'static str),
}

/// One tree.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) tree: Box<dyn Fn(usize) -> Tree>,
    pub(super) setup: Setup,
    pub(super) end: End,
}

fn file(text: &str) -> Entry {
    Entry::File(text.to_owned())
}

fn case(name: impl Into<String>, setup: Setup, end: End, change: impl Fn(Tree) -> Tree + 'static) -> Case {
    Case { name: name.into(), tree: Box::new(move |number| change(Tree::good(number))), setup, end }
}

fn link(path: &str, target: &str, setup: Setup, end: End) -> Case {
    let (path, target) = (path.to_owned(), target.to_owned());
    case(format!("{path} -> {target} ({setup:?})"), setup, end, move |tree| {
        tree.with(&path, Entry::Link(target.clone()))
    })
}

/// The symlinks that once led our own writes elsewhere, each with what comes of it now. `root` is `deploy_to`, and
/// `elsewhere` a folder of somebody else's.
pub(super) fn known(root: &str, elsewhere: &str) -> Vec<Case> {
    use End::{Live, Refused};
    use Setup::{Here, Own, Shared};
    let theirs = format!("{elsewhere}/authorized_keys");
    let mut cases = vec![
        link("public", "../../shared/public", Shared, Live("what public/ has is shared already")),
        link("public", elsewhere, Shared, Refused("and `public/system` would be changed where it leads to")),
        link("config", "../../shared/config", Shared, Live("what config/ has is shared already")),
        link("config", elsewhere, Shared, Refused("and `config/database.yml` would be changed where it leads to")),
        link("public", elsewhere, Own, Refused("take the symlink out of the repository")),
        link("public/dist", elsewhere, Own, Refused("and `public/dist/` would be changed where it leads to")),
        link("public", elsewhere, Here, Refused("is a symlink to")),
        link("public/assets", elsewhere, Here, Refused("`public/assets` is a symlink to")),
        link("assets_manifest_backup", elsewhere, Shared, Live("deployed RELEASE")),
        link("assets_manifest_backup", elsewhere, Own, Live("deployed RELEASE")),
        link("assets_manifest_backup/.deploy_output", &theirs, Own, Live("deployed RELEASE")),
        link(".deploy_assets", elsewhere, Here, Live("deployed RELEASE")),
        link("tmp", elsewhere, Shared, Refused("and `tmp/restart.txt` would be changed where it leads to")),
        link("tmp", "../../shared/tmp", Shared, Live("deployed RELEASE")),
        link("tmp/restart.txt", &theirs, Shared, Live("deployed RELEASE")),
    ];
    let below = |name: &str| format!("{root}/{name}");
    for (revision, time) in [
        (below("shared/config/database.yml"), below(".deploy/releases")),
        (below("revisions.log"), below(".deploy/lock")),
        (below("current/index.html"), theirs),
    ] {
        let name = format!("REVISION -> {revision}, REVISION_TIME -> {time}");
        let both = move |tree: Tree| {
            let tree = tree.with("REVISION", Entry::Link(revision.clone()));
            tree.with("REVISION_TIME", Entry::Link(time.clone()))
        };
        cases.push(case(name, Shared, Live("deployed RELEASE"), both));
    }
    cases
}

/// Every path below a release that something of ours writes, makes or removes, or that lies around one.
const OURS: [&str; 17] = [
    "REVISION",
    "REVISION_TIME",
    "public",
    "public/system",
    "public/assets",
    "public/assets/.manifest.json",
    "public/dist",
    "config",
    "config/database.yml",
    "config/master.key",
    "log",
    "tmp",
    "tmp/restart.txt",
    "assets_manifest_backup",
    "assets_manifest_backup/public",
    "assets_manifest_backup.new",
    ".deploy_assets",
];

/// Symlinks at each path of ours.
pub(super) fn links(root: &str, elsewhere: &str) -> Vec<Case> {
    let targets = [
        elsewhere.to_owned(),
        "../../../../elsewhere".to_owned(),
        "../../shared".to_owned(),
        format!("{root}/current"),
        "../../.deploy".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        "nowhere/at all".to_owned(),
        "/".to_owned(),
    ];
    let setups = [Setup::Shared, Setup::Own, Setup::Here];
    let all = OURS.iter().flat_map(|path| targets.iter().map(move |target| (*path, target)));
    // A third of them, each path and each target with several of the others.
    let some = all.enumerate().filter(|(number, _)| number % 3 == (number / 9) % 3);
    some.map(|(number, (path, target))| link(path, target, setups[number % 2 + number % 3 / 2], End::Either)).collect()
}

/// Files where folders are expected, and the reverse.
pub(super) fn kinds() -> Vec<Case> {
    let is_file = OURS.iter().step_by(2).map(|path| {
        case(format!("{path} is a file"), Setup::Shared, End::Either, move |tree| tree.with(path, file("shipped\n")))
    });
    let is_folder = OURS.iter().skip(1).step_by(2).map(|path| {
        let inner = format!("{path}/x/y");
        case(format!("{path} is a folder"), Setup::Own, End::Either, move |tree| tree.with(&inner, file("shipped\n")))
    });
    let first = case("REVISION is a folder", Setup::Shared, End::Either, |tree| tree.with("REVISION/x", file("")));
    is_file.chain(is_folder).chain([first]).collect()
}

/// Names that a shell, a terminal, tar or git may take for something else.
const NAMES: [&[u8]; 24] = [
    b"two\nlines",
    b"folder\nof two lines/x",
    b"-rf",
    b"--",
    b"--checkpoint=1",
    b"--checkpoint-action=exec=touch ran",
    b"-/x",
    b"\x1b]0;title\x07\x1b[2J",
    b"\x1edeploy e 0 0",
    b"::error::x",
    b" leading and trailing ",
    b"\"quoted\" 'twice'",
    b"$(touch ran)`touch ran`",
    b"*",
    b"a;b&c|d>e",
    b"back\\slash\\n",
    b"\xff\xfe",
    "gr\u{fc}\u{df}e/\u{202e}txt".as_bytes(),
    b"README/readme",
    b".git",
    b".git/config",
    b".GIT/hooks/post-checkout",
    b"..",
    b".",
];

/// Odd names, each once as a file and here and there as a symlink.
pub(super) fn names(elsewhere: &str) -> Vec<Case> {
    let mut cases: Vec<_> = NAMES
        .iter()
        .map(|name| {
            let shown = format!("a file called {:?}", String::from_utf8_lossy(name));
            case(shown, Setup::Shared, End::Either, move |tree| tree.with(name, file("shipped\n")))
        })
        .collect();
    for name in
        [&b"public/assets/two\nlines"[..], b"app/-x\n", b"assets_manifest_backup/public/assets/a\nmanifest.json"]
    {
        let target = elsewhere.to_owned();
        let shown = format!("a link called {:?}", String::from_utf8_lossy(name));
        cases.push(case(shown, Setup::Here, End::Either, move |tree| tree.with(name, Entry::Link(target.clone()))));
    }
    cases
}

/// What git knows and archives don't, and what is too large.
pub(super) fn shapes() -> Vec<Case> {
    use End::{Either, Refused};
    use Setup::Shared;
    let long = "n".repeat(255);
    let deep = vec!["d".repeat(60); 60].join("/");
    vec![
        case("a submodule", Shared, Refused("the commit has submodules"), |tree| tree.with("sub", Entry::Submodule)),
        case("a submodule called public", Shared, Either, |tree| tree.with("public", Entry::Submodule)),
        case("no file at all", Shared, Either, |_| Tree::default()),
        case("all files are left out", Shared, Either, |tree| tree.with(".gitattributes", file("* export-ignore\n"))),
        case("attributes by a link", Shared, Either, |tree| tree.with(".gitattributes", Entry::Link("/etc".into()))),
        case("a name of 255 bytes", Shared, Either, move |tree| tree.with(&long, file("x"))),
        case("a path of 3,600 bytes", Shared, Either, move |tree| tree.with(format!("{deep}/x"), file("x"))),
        case("a name that is too long", Shared, Either, |tree| tree.with("m".repeat(300), file("x"))),
        case("a link of 4,000 bytes", Shared, Either, |tree| tree.with("far", Entry::Link("x/".repeat(2000)))),
        case("links in a circle", Shared, Either, |tree| {
            tree.with("tmp", Entry::Link("log".into())).with("log", Entry::Link("tmp".into()))
        }),
        case("a link to itself", Shared, Either, |tree| tree.with("public", Entry::Link("public".into()))),
        case("a link over two lines", Shared, Either, |tree| tree.with("public", Entry::Link("a\nb\x1b[2J".into()))),
        case("names that differ by case", Shared, Either, |tree| {
            tree.with("Public/system/x", file("x")).with("CONFIG", Entry::Link("/etc".into()))
        }),
        case("a `.git` that leads away", Shared, Either, |tree| tree.with(".git", file("gitdir: /etc\n"))),
        case("a `.git` that is a link", Shared, Either, |tree| tree.with(".git", Entry::Link("/etc".into()))),
    ]
}
