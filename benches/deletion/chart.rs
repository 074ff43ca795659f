//! The medians as a picture: keys of a session against the time of a call,
//! both in powers of ten.
//!
//! Its colours are of medium brightness, and it has no background: it can be
//! read on a light page and on a dark one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::bare_sled::BareSled;
use crate::operation::Operation;
use crate::ours::Ours;
use crate::store::Store as _;
use crate::table::{Table, thousands};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Of the area that the lines are in.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 360.0;
/// Between two lines of text.
const LINE: f64 = 22.0;

const TEXT: &str = "#7d8590";
const BARE: &str = "#e5484d";
const OURS: [&str; 6] = [
    "#3b82f6", "#8b5cf6", "#0d9f6e", "#d08700", "#0891b2", "#d946a8",
];

/// A line and what it is.
struct Curve {
    name: String,
    colour: &'static str,
    width: f64,
    points: Vec<(f64, f64)>,
}

/// Powers of ten at the ends of both axes.
struct Scale {
    keys: f64,
    least: f64,
    most: f64,
}

/// Takes `--chart` and its file from the words of the command line.
pub(crate) fn asked_for(words: &mut Vec<String>) -> Outcome<Option<PathBuf>> {
    let Some(place) = words.iter().position(|word| word == "--chart") else {
        return Ok(None);
    };
    if place + 1 == words.len() {
        return Err("which file does the chart go to?".into());
    }
    let file = words.drain(place..=place + 1).next_back();
    Ok(file.map(PathBuf::from))
}

/// Writes the chart; none where there is nothing to draw.
pub(crate) fn draw(table: &Table, path: &Path) -> Outcome<()> {
    let curves = curves(table);
    if curves.is_empty() {
        return Ok(());
    }
    fs::write(path, picture(&curves)?)?;
    println!("{}", path.display());
    Ok(())
}

fn curves(table: &Table) -> Vec<Curve> {
    let points = |operation, store| -> Vec<_> {
        let medians = table.medians(operation, store).into_iter();
        medians
            .map(|(keys, micros)| (power_of(keys), micros.log10()))
            .collect()
    };
    let ours = Operation::ALL.into_iter().zip(OURS);
    let mut curves: Vec<_> = ours
        .map(|(operation, colour)| Curve {
            name: operation.name().into(),
            colour,
            width: 2.0,
            points: points(operation, Ours::NAME),
        })
        .collect();
    // On top of them.
    curves.push(Curve {
        name: format!("{} on {}", Operation::Flush.name(), BareSled::NAME),
        colour: BARE,
        width: 3.0,
        points: points(Operation::Flush, BareSled::NAME),
    });
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

fn picture(curves: &[Curve]) -> Outcome<String> {
    let scale = Scale::of(curves);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"{TEXT}\">\n\
         <title>Time of a durable deletion by the number of keys of its session</title>\n"
    );
    axes(&mut svg, &scale)?;
    for (number, curve) in (0_u32..).zip(curves) {
        let colour = curve.colour;
        let points: Vec<_> = curve
            .points
            .iter()
            .map(|point| scale.place(*point))
            .collect();
        let line: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let line = line.join(" ");
        writeln!(
            svg,
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\"/>",
            curve.width
        )?;
        for (x, y) in points {
            writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            )?;
        }
        let (x, y) = (RIGHT + 25.0, TOP + 10.0 + LINE * f64::from(number));
        let end = x + 22.0;
        writeln!(
            svg,
            "<path d=\"M{x} {y}H{end}\" stroke=\"{colour}\" stroke-width=\"3\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            end + 8.0,
            y + 4.0,
            curve.name
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// A thin line and a label for each power of ten.
fn axes(svg: &mut String, scale: &Scale) -> Outcome<()> {
    let grid = "stroke=\"#7d8590\" stroke-opacity=\"0.35\"";
    for power in powers(0.0, scale.keys) {
        let (x, _) = scale.place((power, 0.0));
        let keys = thousands(10_usize.pow(to_integer(power)));
        writeln!(
            svg,
            "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" {grid}/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{keys}</text>",
            BOTTOM + 20.0
        )?;
    }
    for power in powers(scale.least, scale.most) {
        let (_, y) = scale.place((0.0, power));
        writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" {grid}/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            time(power)
        )?;
    }
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">keys of the session</text>\
         <text x=\"{LEFT}\" y=\"{}\">p50 until the deletion is on disk</text>",
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 45.0,
        TOP - 12.0
    )?;
    Ok(())
}

impl Scale {
    fn of(curves: &[Curve]) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let micros = || points().map(|(_, micros)| *micros);
        Self {
            keys: points().map(|(keys, _)| *keys).fold(1.0, f64::max),
            least: micros().fold(f64::INFINITY, f64::min).floor(),
            most: micros().fold(f64::NEG_INFINITY, f64::max).ceil(),
        }
    }

    fn place(&self, (keys, micros): (f64, f64)) -> (f64, f64) {
        let across = keys / self.keys;
        let up = (micros - self.least) / (self.most - self.least);
        (LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP))
    }
}

fn powers(from: f64, to: f64) -> impl Iterator<Item = f64> {
    (0_u32..)
        .map(move |step| from + f64::from(step))
        .take_while(move |power| *power <= to)
}

fn power_of(keys: usize) -> f64 {
    u32::try_from(keys).map_or(f64::NAN, f64::from).log10()
}

/// So many microseconds, as a power of ten.
fn time(power: f64) -> String {
    let power = to_integer(power);
    let unit = match power {
        0..3 => "us",
        3..6 => "ms",
        _ => "s",
    };
    let thousands = if power < 6 { power % 3 } else { power - 6 };
    format!("{} {unit}", 10_usize.pow(thousands))
}

/// A power that is none of a fraction, and at least 0.
fn to_integer(power: f64) -> u32 {
    (0..20)
        .find(|number| f64::from(*number) >= power)
        .unwrap_or(0)
}
