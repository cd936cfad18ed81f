//! Rust source with everything taken out that is not code.

/// The source with blanks in place of comments and literals: lines and columns stay what they were.
pub(super) fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let skipped = skipped(&chars, at);
        let end = at + skipped.max(1);
        let blank = |c: &char| if skipped > 0 && *c != '\n' { ' ' } else { *c };
        code.extend(chars[at..end.min(chars.len())].iter().map(blank));
        at = end;
    }
    code
}

/// Code without items under `#[cfg(test)]`.
pub(super) fn without_tests(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let mut rest = code;
    let mut kept = String::new();
    while let Some(at) = rest.find(TEST) {
        kept.push_str(&rest[..at]);
        rest = &rest[at + TEST.len()..];
        rest = &rest[item_length(rest)..];
    }
    kept + rest
}

/// How many lines of code a file has: no blank lines, no comments, no tests.
pub(super) fn code_lines(source: &str) -> usize {
    // Literals are blank in `code`, so a line that is only the middle of a long string counts for nothing;
    // rustfmt does not make such lines.
    without_tests(&code(source)).lines().filter(|line| !line.trim().is_empty()).count()
}

/// The length of the item that starts here: up to its `;`, or to the brace that closes its body.
fn item_length(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

/// How many characters from here on are a comment or a literal; 0 for code.
fn skipped(chars: &[char], at: usize) -> usize {
    let after_word = at > 0 && is_word(chars[at - 1]);
    let rest = &chars[at..];
    match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => string(rest),
        ['b' | 'c', '"', ..] if !after_word => 1 + string(&rest[1..]),
        ['r', '"' | '#', ..] if !after_word => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !after_word => raw_string(rest, 2),
        ['\'', '\\', ..] => 2 + rest[2..].iter().skip(1).position(|c| *c == '\'').map_or(0, |end| end + 2),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string whose `r` ends the prefix; 0 if this is none (a raw identifier).
fn raw_string(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let start = prefix + hashes;
    if rest.get(start) != Some(&'"') {
        return 0;
    }
    let closes =
        |at: usize| rest[at] == '"' && rest[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    (start + 1..rest.len()).find(|at| closes(*at)).map_or(rest.len(), |at| at + 1 + hashes)
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn comments_and_literals_are_not_code() {
    let blank = |text: &str| code(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(blank("a // b\nc /* d /* e */ f */ g"), "a c g");
    assert_eq!(blank(r##"a "b \" c" d r#"e " f"# g b"h" i br"\" j"##), "a d g i j");
    assert_eq!(blank(r"a 'b' '\'' '\n' '\u{61}' c"), "a c");
    assert_eq!(blank("fn f<'a>(r#type: &'a str) {}"), "fn f<'a>(r#type: &'a str) {}");
    assert_eq!(code("a \"\n\n\" b").matches('\n').count(), 2);
}

#[test]
fn lines_of_code_have_no_comments_and_no_tests() {
    let source = "//! doc\n\nuse a; // why\n/// doc\nfn f() {\n    // no\n    g();\n}\n\
        #[cfg(test)]\nmod tests {\n    fn t() {}\n}\n#[cfg(test)]\nuse b;\nmod c;\n";
    assert_eq!(code_lines(source), 5);
}
