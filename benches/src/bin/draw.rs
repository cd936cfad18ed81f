//! Draws what the stores do beside others: reads the reports of `peers` from standard input, writes SVG to a path.

use std::io::Read as _;

use session_benches::chart::{self, Bar};

/// Behind the name of a subject.
const VALIDATE_64: usize = 2;
const LOGIN_64: usize = 4;
const OTHERS: [&str; 2] = ["tower-sessions", "actix-session"];

fn main() {
    let path = std::env::args().nth(1).expect("usage: draw PATH < the reports of `peers`");
    let mut reports = String::new();
    std::io::stdin().read_to_string(&mut reports).expect("reports on standard input");
    let mut bars = Vec::new();
    let mut store = "";
    for line in reports.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            store = name;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let [name, ..] = cells[..] else { continue };
        for (column, what) in [(VALIDATE_64, "reads"), (LOGIN_64, "logins")] {
            let Some(value) = cells.get(column).copied().and_then(calls) else { continue };
            if name == "ours" || OTHERS.contains(&name) {
                bars.push(Bar { name: format!("{store}, {what}: {name}"), value, is_ours: name == "ours" });
            }
        }
    }
    bars.sort_by_key(|bar| !bar.name.contains("reads"));
    chart::draw(path.as_ref(), "Calls a second from 64 clients", &bars);
}

/// `39.1k (1.00)`.
fn calls(cell: &str) -> Option<f64> {
    let (number, ratio) = cell.split_once(' ')?;
    let thousands = number.strip_suffix('k');
    let value: f64 = thousands.unwrap_or(number).parse().ok()?;
    ratio.starts_with('(').then_some(if thousands.is_some() { value * 1000.0 } else { value })
}
