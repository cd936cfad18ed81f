//! Rust source as the other tests read it: without comments, string contents, and what is under `#[cfg(test)]`.

use std::path::{Path, PathBuf};

/// Every `.rs` file below `folder`, build output left out.
pub(super) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The files below `folder` that are in the product: without those of modules under `#[cfg(test)]`.
pub(super) fn product_files(folder: &Path) -> Vec<PathBuf> {
    let files = rust_files(folder);
    let test_modules: Vec<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
    let in_tests = |file: &Path| test_modules.iter().any(|module| file.starts_with(module));
    files.into_iter().filter(|file| !in_tests(file) && !in_tests(&file.with_extension(""))).collect()
}

/// Where the modules are that this file declares under `#[cfg(test)]`, without `.rs`.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let source = strip(&std::fs::read_to_string(file).unwrap());
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parent = file.parent().unwrap();
    let folder = if ["lib", "main", "mod"].contains(&stem.as_str()) {
        parent.to_path_buf()
    } else {
        parent.join(stem)
    };
    let declared =
        source.split("#[cfg(test)]").skip(1).filter_map(|rest| rest.trim_start().strip_prefix("mod "));
    let names = declared.filter_map(|rest| rest.split_once(';')).map(|(name, _)| name.trim());
    names.filter(|name| !name.contains(['{', ' '])).map(|name| folder.join(name)).collect()
}

/// The lines that are code: not blank, not comment, not under `#[cfg(test)]`. Strings are emptied.
pub(super) fn code_lines(source: &str) -> Vec<String> {
    let bare = strip(source);
    let mut lines = Vec::new();
    let mut rest = bare.lines();
    while let Some(line) = rest.next() {
        let line = line.trim();
        if line.starts_with("#[cfg(test)]") {
            skip_item(line.trim_start_matches("#[cfg(test)]"), &mut rest);
        } else if !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Skips lines to the end of the item that begins with `first` or on the next line: a block or a semicolon.
fn skip_item<'a>(first: &'a str, rest: &mut impl Iterator<Item = &'a str>) {
    let mut depth = 0_usize;
    for line in std::iter::once(first).chain(rest) {
        for character in line.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(character, '}' | ';') {
                return;
            }
        }
    }
}

/// The source without comments and without what is inside of string and character literals.
pub(super) fn strip(source: &str) -> String {
    let mut bare = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some((length, lines)) = literal(rest, bare.chars().last()) {
            bare.push_str("\"\"");
            bare.extend(std::iter::repeat_n('\n', lines));
            length
        } else {
            bare.push(character);
            character.len_utf8()
        };
        rest = &rest[taken..];
    }
    bare
}

/// The length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string, raw string or character literal at the start, and how many line ends it has.
fn literal(text: &str, before: Option<char>) -> Option<(usize, usize)> {
    let starts_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let length = if text.starts_with('"') {
        quoted(text, '"')
    } else if starts_word && text.starts_with('r') && text[1..].trim_start_matches('#').starts_with('"') {
        raw_string(text)
    } else if text.starts_with('\'') {
        character(text)?
    } else {
        return None;
    };
    Some((length, text[..length].matches('\n').count()))
}

fn quoted(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            found if found == end => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// A character literal, as against a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    let (_, first) = characters.next()?;
    match first {
        '\\' => Some(quoted(text, '\'')),
        _ => characters.next().filter(|(_, second)| *second == '\'').map(|(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts() {
        let source = r##"
//! Docs.
use a::b; // why

/* a /* nested */ comment
   of two lines */
fn f<'a>(x: &'a str) -> char { r#"
// text"#; "\" // text"; '"' }
#[cfg(test)]
mod tests {
    fn g() { "}" }
}
#[cfg(test)]
mod elsewhere;
fn h() {}
"##;
        let lines = code_lines(source);
        let expected = ["use a::b;", "fn f<'a>(x: &'a str) -> char { \"\"", "; \"\"; \"\" }", "fn h() {}"];
        assert_eq!(lines, expected);
    }
}
