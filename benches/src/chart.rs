//! Bars, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: u32 = 760;
const ROW: u32 = 24;
const TOP: u32 = 40;
/// Where bars begin and end at the longest.
const LEFT: i32 = 300;
const RIGHT: i32 = 690;
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb5);
const THEIRS: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);

pub struct Bar {
    pub name: String,
    pub value: f64,
    pub is_ours: bool,
}

/// Draws one bar below the other.
///
/// # Panics
/// When the file cannot be written.
pub fn draw(path: &Path, title: &str, bars: &[Bar]) {
    try_draw(path, title, bars).expect("a picture");
    eprintln!("drew {}", path.display());
}

fn try_draw(path: &Path, title: &str, bars: &[Bar]) -> Result<(), Box<dyn Error>> {
    let height = TOP + ROW * u32::try_from(bars.len())? + 10;
    let mut picture = String::new();
    {
        let area = SVGBackend::with_string(&mut picture, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        let text = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
        area.draw(&Text::new(title, (10, 10), text(16)))?;
        let longest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for (bar, top) in bars.iter().zip((TOP..).step_by(ROW as usize)) {
            let (top, bottom) = (i32::try_from(top)?, i32::try_from(top + ROW)? - 6);
            let end = LEFT + (f64::from(RIGHT - LEFT) * bar.value / longest) as i32;
            let color = if bar.is_ours { OURS } else { THEIRS };
            area.draw(&Rectangle::new([(LEFT, top), (end, bottom)], color.filled()))?;
            let name = text(13).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(bar.name.clone(), (LEFT - 8, top + 9), name))?;
            let value = text(13).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(number(bar.value), (end + 6, top + 9), value))?;
        }
        area.present()?;
    }
    // Markdown ends a picture at an empty line.
    let lines = picture.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("<?xml"));
    std::fs::write(path, lines.collect::<Vec<_>>().join("\n") + "\n")?;
    Ok(())
}

/// As people read it.
fn number(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..10_000.0 => format!("{value:.0}"),
        _ => format!("{:.0}k", value / 1000.0),
    }
}
