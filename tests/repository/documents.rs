//! What the documents promise: commands that exist, code that compiles, versions that are right, links that
//! lead somewhere. The conventions for writers are in CONTRIBUTING.md.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _, path::Path};

use super::workspace::{self, Workspace};

/// The two commands of the README: try it, test it.
const COMMANDS: [&str; 2] = ["cargo run -p session-demo", "./tests/run"];

#[test]
fn the_readme_shows_the_two_commands() {
    let shown = commands(&workspace::read("README.md"));
    let missing: Vec<_> = COMMANDS.iter().filter(|command| !shown.contains(**command)).collect();
    assert!(missing.is_empty(), "no `sh` block of README.md has {missing:?}");
}

#[test]
fn every_command_exists() {
    for (document, text) in documents() {
        for command in commands(&text) {
            check_command(&command).unwrap_or_else(|why| panic!("{document}: `{command}`: {why}"));
        }
    }
}

#[test]
fn every_rust_block_of_the_readme_is_in_a_file_that_is_compiled() {
    let blocks = blocks(&workspace::read("README.md"), "rust");
    assert!(!blocks.is_empty(), "README.md shows no Rust");
    for block in blocks {
        let source = block.from.as_deref();
        let source = source.unwrap_or_else(|| panic!("no `<!-- from: FILE -->` above line {}", block.line));
        if let Err(missing) = occurs_in(&block.text, &workspace::read(source)) {
            panic!(
                "README.md, block at line {}: `{missing}` is not in {source}, or not in this order",
                block.line
            );
        }
    }
}

#[test]
fn versions_in_the_documents_are_those_of_the_manifests() {
    let version = Workspace::get().version();
    let compilers = Workspace::get().members();
    let compilers: BTreeSet<_> =
        compilers.values().filter_map(|package| package.rust_version.as_ref()).collect();
    for (document, text) in documents().into_iter().filter(|(document, _)| document != "CHANGELOG.md") {
        for (line, asked) in own_versions(&text) {
            assert!(is_version(&asked, version), "{document} asks for {asked}, this is {version}: {line}");
        }
        for asked in
            text.split("Rust 1.").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
        {
            let known = compilers.iter().any(|compiler| Some(compiler.minor.to_string().as_str()) == asked);
            assert!(
                known,
                "{document} says Rust 1.{}, the packages say {compilers:?}",
                asked.unwrap_or_default()
            );
        }
    }
}

#[test]
fn every_local_link_and_image_leads_somewhere() {
    for (document, text) in documents() {
        let (_, prose) = parse(&text);
        for target in links(&prose) {
            check_link(&target, &prose).unwrap_or_else(|why| panic!("{document}: link to {target}: {why}"));
        }
    }
}

/// The markdown files at the top of the repository.
fn documents() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(workspace::root()).expect("a readable folder");
    let names =
        entries.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), workspace::read(&name))).collect()
}

/// A fenced block.
struct Block {
    language: String,
    /// What `<!-- from: FILE -->` above it says.
    from: Option<String>,
    line: usize,
    text: String,
}

/// A document's fenced blocks, and the text around them.
fn parse(document: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose) = (Vec::new(), String::new());
    let mut from = None;
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let info = line.trim_start().trim_start_matches('`');
        let fence = line.trim_start().len() - info.len();
        if fence >= 3 {
            let closes =
                |line: &str| line.trim().len() >= fence && line.trim().bytes().all(|byte| byte == b'`');
            let body = lines.by_ref().map(|(_, line)| line).take_while(|line| !closes(line));
            let text = body.collect::<Vec<_>>().join("\n");
            let language = info.split([',', ' ']).next().unwrap_or_default().to_owned();
            blocks.push(Block { language, from: from.take(), line: number + 1, text });
            continue;
        }
        let named = line.trim().strip_prefix("<!-- from:").and_then(|rest| rest.strip_suffix("-->"));
        match named {
            Some(file) => from = Some(file.trim().to_owned()),
            None if line.trim().is_empty() => {}
            None => from = None,
        }
        prose.push_str(line);
        prose.push('\n');
    }
    (blocks, prose)
}

fn blocks(document: &str, language: &str) -> Vec<Block> {
    parse(document).0.into_iter().filter(|block| block.language == language).collect()
}

/// The lines of all `sh` blocks, comments left out.
fn commands(text: &str) -> BTreeSet<String> {
    let blocks = blocks(text, "sh");
    let lines = blocks.iter().flat_map(|block| block.text.lines()).map(|line| match line.split_once(" #") {
        Some((command, _)) => command.trim(),
        None => line.trim(),
    });
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// A command in a document is one of ours, so that it can be checked: a package or an example that cargo runs, a
/// script in the repository, or cargo itself.
fn check_command(command: &str) -> Result<(), String> {
    let words: Vec<_> = command.split_whitespace().skip_while(|word| word.contains('=')).collect();
    let after = |option: &str| words.iter().skip_while(|word| **word != option).nth(1).copied();
    match words.as_slice() {
        ["cargo", "run", ..] => {
            let name = after("-p").ok_or("no -p PACKAGE")?;
            let (wanted, kind) = match after("--example") {
                Some(example) => (example, "example"),
                None => (name, "bin"),
            };
            let members = Workspace::get().members();
            let package = members.get(name).ok_or_else(|| format!("no package {name}"))?;
            let is_wanted = |target: &&cargo_metadata::Target| {
                target.kind.iter().any(|found| found.to_string() == kind)
                    && (kind == "bin" || target.name == wanted)
            };
            package
                .targets
                .iter()
                .find(is_wanted)
                .map(|_| ())
                .ok_or_else(|| format!("no {kind} {wanted} in {name}"))
        }
        ["cargo", "test" | "fmt" | "clippy" | "doc" | "deny" | "hack", ..] => Ok(()),
        [script, ..] if script.contains('/') => {
            let file = workspace::root().join(script);
            let mode = std::fs::metadata(file).map_err(|error| error.to_string())?.permissions().mode();
            if mode & 0o111 == 0 { Err("it is not executable".into()) } else { Ok(()) }
        }
        _ => Err("a kind of command that no test can check; show it in a `console` block".into()),
    }
}

/// Whether every line occurs in the source, in this order, whatever the indentation. The error is the first
/// line that does not.
fn occurs_in<'a>(block: &'a str, source: &str) -> Result<(), &'a str> {
    let mut source = source.lines().map(str::trim);
    let wanted = block.lines().map(str::trim).filter(|line| !line.is_empty());
    wanted.into_iter().try_for_each(|line| source.any(|found| found == line).then_some(()).ok_or(line))
}

/// Versions asked for in lines like `session-axum = "0.1"` and `session-core = { version = "0.1", .. }`.
fn own_versions(text: &str) -> Vec<(String, String)> {
    let members = Workspace::get().members();
    let of_ours = text.lines().filter(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        line.contains('=') && (members.contains_key(name) || name.starts_with("session-"))
    });
    let version = |line: &str| {
        let rest = line.split_once("version = \"").map_or_else(|| line.split_once("= \""), Some)?.1;
        Some((line.to_owned(), rest.split('"').next()?.to_owned()))
    };
    of_ours.filter_map(version).collect()
}

/// Whether `asked` is this version, or its first numbers.
fn is_version(asked: &str, version: &cargo_metadata::semver::Version) -> bool {
    format!("{version}.").starts_with(&format!("{asked}."))
}

/// The targets of `[..](target)`, `[..]: target`, `src="target"` and `href="target"`.
fn links(text: &str) -> Vec<String> {
    let between = |open: &'static str, close: &'static [char]| {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    };
    let inline = between("](", &[')', ' ', '\n']);
    let html =
        between("src=\"", &['"']).chain(between("href=\"", &['"'])).chain(between("srcset=\"", &['"', ' ']));
    let references =
        text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ").map(|(_, target)| target));
    inline.chain(html).chain(references).map(|target| target.trim().to_owned()).collect()
}

fn check_link(target: &str, document: &str) -> Result<(), String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let text = match file {
        "" => document.to_owned(),
        file if Path::new(file).is_absolute() || file.contains("..") => {
            return Err("it leaves the repository".into());
        }
        file if !workspace::root().join(file).exists() => return Err("no such file".into()),
        file if file.ends_with(".md") => workspace::read(file),
        _ => return Ok(()),
    };
    let headings = text.lines().filter(|line| line.starts_with('#')).map(anchor_of);
    match anchor.is_empty() || headings.into_iter().any(|heading| heading == anchor) {
        true => Ok(()),
        false => Err("no such heading".into()),
    }
}

/// The anchor that is made of a heading: lower case, dashes for spaces, no punctuation.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn blocks_know_their_language_their_line_and_their_source() {
    let text = "a\n````md\n```sh\nrm\n```\n````\n<!-- from: x/y.rs -->\n\n```rust\nfn f() {}\n```\n```sh\n# no\n./a # why\nA=1 ./b\n```\n```rust,ignore\n```\n";
    let rust = blocks(text, "rust");
    assert_eq!(rust.iter().map(|block| block.line).collect::<Vec<_>>(), [9, 17]);
    assert_eq!((rust[0].from.as_deref(), rust[1].from.as_deref()), (Some("x/y.rs"), None));
    assert_eq!(rust[0].text, "fn f() {}");
    assert_eq!(parse(text).1, "a\n<!-- from: x/y.rs -->\n\n");
    assert_eq!(commands(text).into_iter().collect::<Vec<_>>(), ["./a", "A=1 ./b"]);
}

#[test]
fn code_occurs_in_order_or_the_missing_line_is_named() {
    let source = "fn a() {\n    one();\n    two();\n}\n";
    assert_eq!(occurs_in("one();\n\n  two();", source), Ok(()));
    assert_eq!(occurs_in("two();\none();", source), Err("one();"));
    assert_eq!(occurs_in("three();", source), Err("three();"));
}

#[test]
fn commands_are_checked_not_believed() {
    for wrong in ["cargo run", "cargo run -p nobody", "./no/such/script", "./Cargo.toml", "curl evil.example"]
    {
        assert!(check_command(wrong).is_err(), "{wrong}");
    }
    assert_eq!(check_command("SESSION_TESTS_REQUIRE_ALL=1 ./tests/run"), Ok(()));
}

#[test]
fn versions_and_links_are_found() {
    let version = "1.2.3".parse().unwrap();
    let fits: Vec<_> =
        ["1.2.3", "1.2", "1", "1.3", "1.2.30", "1.20"].map(|asked| is_version(asked, &version)).into();
    assert_eq!(fits, [true, true, true, false, false, false]);
    let found = own_versions(
        "session-axum = \"0.1\"\nserde = \"1\"\nsession-core = { version = \"0.2\", features = [] }",
    );
    assert_eq!(found.into_iter().map(|(_, version)| version).collect::<Vec<_>>(), ["0.1", "0.2"]);
    assert_eq!(links("[a](b.md) ![c](d.png \"e\") <img src=\"f\">\n[g]: h#i"), ["b.md", "d.png", "f", "h#i"]);
    assert_eq!(check_link("#two-words-", "## Two words!-\n"), Ok(()));
    assert!(check_link("#three", "## Two\n").is_err() && check_link("no/such.md", "").is_err());
    assert!(check_link("../elsewhere", "").is_err());
}
