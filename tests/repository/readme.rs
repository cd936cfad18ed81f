//! README.md says what is true.

use std::path::Path;

use super::root;

const COMMANDS: [&str; 2] = ["cargo run -p session-demo", "./tests/run"];

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// A fenced block of code.
#[derive(Debug, PartialEq)]
struct Block {
    language: String,
    /// The file named in a comment above it.
    from: Option<String>,
    lines: Vec<String>,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut from = None;
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let body = lines.by_ref().take_while(|line| line.trim() != "```").map(str::to_owned).collect();
            let language = language.split([',', ' ']).next().unwrap_or_default().to_owned();
            blocks.push(Block { language, from: from.take(), lines: body });
        } else if let Some(path) =
            line.trim().strip_prefix("<!-- from:").and_then(|rest| rest.strip_suffix("-->"))
        {
            from = Some(path.trim().to_owned());
        } else if !line.trim().is_empty() {
            from = None;
        }
    }
    blocks
}

/// The first line of `block` that does not follow in `file`.
fn missing<'a>(block: &'a Block, file: &str) -> Option<&'a str> {
    let mut file = file.lines().map(str::trim);
    let wanted = block.lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let mut wanted = wanted.filter(|line| !matches!(*line, "// .." | "// ..." | "// …"));
    wanted.find(|line| !file.any(|there| there == *line))
}

/// The local targets of links and images, in Markdown and in HTML.
fn local_targets(markdown: &str) -> Vec<String> {
    let markdown_links =
        markdown.split("](").skip(1).map(|rest| rest.split([')', ' ']).next().unwrap_or_default());
    let html = ["src=\"", "srcset=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| markdown.split(attribute).skip(1));
    let html = html.map(|rest| rest.split(['"', ' ']).next().unwrap_or_default());
    let targets = markdown_links.chain(html).map(|target| target.split('#').next().unwrap_or_default());
    let local = targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"));
    local.map(str::to_owned).collect()
}

#[test]
fn its_commands_are_the_two_that_exist() {
    let blocks = blocks(&readme());
    let shell =
        blocks.iter().filter(|block| matches!(block.language.as_str(), "sh" | "bash" | "shell" | "console"));
    let lines =
        shell.flat_map(|block| &block.lines).map(|line| line.split('#').next().unwrap_or_default().trim());
    let commands: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    for command in COMMANDS {
        assert!(commands.contains(&command), "README.md does not show `{command}`, only {commands:?}");
    }
    for command in commands {
        assert!(COMMANDS.contains(&command), "`{command}` in README.md is tested by nobody");
    }
    assert!(root().join("examples/demo/Cargo.toml").is_file(), "there is no session-demo");
    assert!(is_executable(&root().join("tests/run")), "tests/run is not there or not executable");
}

#[test]
fn its_rust_is_taken_from_files() {
    let blocks = blocks(&readme());
    let rust: Vec<_> = blocks.into_iter().filter(|block| block.language == "rust").collect();
    assert!(!rust.is_empty(), "README.md shows no Rust");
    assert_taken_from_files(&rust);
}

/// Each crate has a page of its own on crates.io.
#[test]
fn the_rust_of_the_crates_readmes_is_taken_from_files() {
    for readme in crate_readmes() {
        let rust: Vec<_> = blocks(&readme).into_iter().filter(|block| block.language == "rust").collect();
        assert_taken_from_files(&rust);
        assert_eq!(local_targets(&readme), [""; 0], "crates.io shows no file of the repository");
    }
}

fn crate_readmes() -> Vec<String> {
    let paths = super::package::published().into_iter().map(|package| package.folder.join("README.md"));
    paths.map(|path| std::fs::read_to_string(&path).expect("a README of its own")).collect()
}

fn assert_taken_from_files(blocks: &[Block]) {
    for block in blocks {
        let path = block.from.as_ref().unwrap_or_else(|| panic!("no `<!-- from: path -->` above {block:#?}"));
        let file =
            std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(missing(block, &file), None, "not in {path}, or not in this order");
    }
}

#[test]
fn its_version_is_that_of_the_workspace() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).unwrap();
    let (minor, _) = version.rsplit_once('.').unwrap();
    let readme = readme();
    let dependencies = readme.lines().filter(|line| line.starts_with("session-") && line.contains('='));
    let shown: Vec<_> = dependencies.collect();
    assert!(!shown.is_empty(), "README.md does not show a dependency such as session-axum = \"{minor}\"");
    for line in shown {
        let good = [version, minor].iter().any(|good| line.contains(&format!("\"{good}\"")));
        assert!(good, "`{line}` in README.md, but the version is {version}");
    }
}

#[test]
fn its_links_lead_somewhere() {
    for target in local_targets(&readme()) {
        assert!(root().join(&target).exists(), "README.md links to {target}, which is not there");
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[test]
fn the_checks_find_what_they_look_for() {
    let text = "<!-- from: a.rs -->\n```rust\nfn a() {\n    // ..\n}\n```\n\ntext\n\n```sh\nls\n```\n[x](y.md#z) [w](https://e.x) <img src=\"i.png\">";
    let found = blocks(text);
    assert_eq!((found[0].from.as_deref(), found[1].from.as_deref()), (Some("a.rs"), None));
    assert_eq!((found[0].language.as_str(), found[1].lines.as_slice()), ("rust", &["ls".to_owned()][..]));
    assert_eq!(missing(&found[0], "fn a() {\n    b();\n}\n"), None);
    assert_eq!(missing(&found[0], "}\nfn a() {\n"), Some("}"));
    assert_eq!(local_targets(text), ["y.md", "i.png"]);
}
