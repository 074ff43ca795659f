//! The figures as a Markdown table.

use std::fmt::Write as _;

use crate::engine::Kind;
use crate::numbers::readable;
use crate::report::{Better, Figure, MACHINE, Report, Row};

/// What an engine cannot do.
const DASH: &str = "-";

/// One row for each workload, one column for each engine.
pub(crate) fn table(report: &Report) -> String {
    let mut text = String::from("| workload | unit |");
    for kind in &report.kinds {
        let mark = if kind.is_durable { "" } else { " \\*" };
        let _ = write!(text, " {}{mark} |", kind.name);
    }
    let _ = write!(text, " {MACHINE} | ours to best peer | target |\n|---|---|");
    text.push_str(&"--:|".repeat(report.kinds.len() + 2));
    text.push_str("---|\n");
    for row in &report.rows {
        text.push_str(&line(report, row));
    }
    text.push_str(
        "\nThe median of the rounds, and how far from it the farthest lies. \
         Bold is the best; of durable rows, of those who are durable.\n",
    );
    if report.kinds.iter().any(|kind| !kind.is_durable) {
        text.push_str("\\* synced, but a power cut may still lose what was written.\n");
    }
    text
}

fn line(report: &Report, row: &Row) -> String {
    let heading = &row.heading;
    let void = if heading.is_durable && !report.is_valid() {
        " (invalid)"
    } else {
        ""
    };
    let arrow = match heading.better {
        Better::Higher => "more is better",
        Better::Lower => "less is better",
    };
    let mut text = format!("| {}{void} | {}, {arrow} |", heading.workload, heading.unit);
    let best = best(report, row);
    let engines = report.kinds.iter().map(|kind| kind.name);
    for engine in engines.chain([MACHINE]) {
        let cell = match row.figure(engine) {
            None => DASH.into(),
            Some(figure) if Some(engine) == best => format!("**{}**", cell(figure)),
            Some(figure) => cell(figure),
        };
        let _ = write!(text, " {cell} |");
    }
    let advantage = report.advantage(row).map_or_else(
        || DASH.into(),
        |advantage| format!("{} x", readable(advantage)),
    );
    let targets = report.verdicts(row).into_iter().map(|verdict| {
        let judged = match verdict.is_met {
            Some(true) => "ok",
            Some(false) => "MISS",
            None => "not judged",
        };
        format!("{}: {judged}", verdict.text)
    });
    let targets: Vec<String> = targets.collect();
    let _ = writeln!(text, " {advantage} | {} |", targets.join("; "));
    text
}

/// Who is best, ours included.
fn best(report: &Report, row: &Row) -> Option<&'static str> {
    let takes_part = |kind: &&Kind| kind.is_durable || !row.heading.is_durable;
    let figures = report
        .kinds
        .iter()
        .filter(takes_part)
        .filter_map(|kind| row.figure(kind.name));
    let by_value = |one: &&Figure, other: &&Figure| one.value.total_cmp(&other.value);
    let best = match row.heading.better {
        Better::Higher => figures.max_by(by_value),
        Better::Lower => figures.min_by(by_value),
    };
    best.map(|figure| figure.engine)
}

/// A figure, and how far from it the farthest round lies.
fn cell(figure: &Figure) -> String {
    let farthest = (figure.most - figure.value).max(figure.value - figure.least);
    if farthest <= 0.0 || figure.value <= 0.0 {
        return readable(figure.value);
    }
    format!(
        "{} ±{:.0} %",
        readable(figure.value),
        farthest / figure.value * 100.0
    )
}
