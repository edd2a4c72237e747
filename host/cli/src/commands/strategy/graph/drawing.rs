//! A strategy as a picture: its parts as boxes, from the whole on the left to the
//! assets on the right.

use super::path::Path;
use dsl::{Part, PartKind};
use std::collections::BTreeMap;
use svg::Document;
use svg::node::element::{Group, Path as Curve, Rectangle, Style, Text, Title};

/// Parts drawn at most; of what was not taken, what lies deepest is left out.
const MOST: usize = 2_000;
/// Characters of a line at most; the whole line is shown when pointed at.
const LONGEST: usize = 64;

const CHARACTER: f64 = 7.25;
const LINE: f64 = 15.0;
const PADDING: f64 = 7.0;
/// Between the middles of leaves.
const ROW: f64 = 44.0;
/// Between columns, where shares and branches are written.
const GAP: f64 = 76.0;
const MARGIN: f64 = 20.0;
const HEADER: f64 = 44.0;

/// Readable on white and on black: pictures are looked at in editors.
const STYLE: &str = "svg{background:#fff;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px}\
    rect{fill:#f6f8fa;stroke:#8c959f}path{fill:none;stroke:#c3c9d0;stroke-width:1.5}text{fill:#424a53}\
    .title{font-size:14px;fill:#1f2328}.note{fill:#59636e}.more rect{stroke-dasharray:3}\
    .taken rect{fill:#ddf4e4;stroke:#1a7f37;stroke-width:2}.taken text{fill:#1f2328}\
    path.taken{stroke:#1a7f37;stroke-width:3}.fragile rect{fill:#fff3c4;stroke:#9a6700}";

/// A box with its place.
struct Node {
    lines: Vec<String>,
    classes: String,
    depth: usize,
    middle: f64,
    /// Boxes that it leads to, and what is written there.
    leads: Vec<(usize, String)>,
}

impl Node {
    fn width(&self) -> f64 {
        let longest = self.lines.iter().map(|line| clipped(line).chars().count());
        longest.max().unwrap_or(0) as f64 * CHARACTER + 2.0 * PADDING
    }

    fn height(&self) -> f64 {
        self.lines.len() as f64 * LINE + PADDING
    }
}

/// The picture as the text of an SVG file.
pub fn draw(title: &str, outline: &[Part], path: &Path) -> String {
    let mut layout = Layout {
        outline,
        path,
        deepest: deepest_drawn(outline, path),
        nodes: Vec::new(),
        rows: 0,
        left_out: 0,
    };
    if !outline.is_empty() {
        layout.add(0, 0);
    }
    let Layout {
        nodes,
        rows,
        left_out,
        ..
    } = layout;
    let columns = columns(&nodes);

    let title = printable(title);
    let right = nodes.iter().map(|node| columns[node.depth] + node.width());
    let width = right
        .chain([title.chars().count() as f64 * CHARACTER * 1.2 + MARGIN])
        .fold(0.0, f64::max)
        + MARGIN;
    let height = HEADER + rows as f64 * ROW + MARGIN;
    let mut document = Document::new()
        .set("width", rounded(width))
        .set("height", rounded(height))
        .set("viewBox", (0, 0, rounded(width), rounded(height)))
        .add(Title::new(title.clone()))
        .add(Style::new(STYLE))
        .add(text(title, MARGIN, 26.0).set("class", "title"));
    if left_out > 0 {
        let note = format!("{left_out} parts are left out, none of which was taken");
        document = document.add(text(note, MARGIN, 42.0).set("class", "note"));
    }
    // Curves first, those taken last, so that boxes and the path lie on top.
    for is_taken in [false, true] {
        for from in &nodes {
            for (to, _) in &from.leads {
                let to = &nodes[*to];
                if to.classes.starts_with("taken") == is_taken {
                    document = document.add(curve(from, to, &columns, is_taken));
                }
            }
        }
    }
    for node in &nodes {
        document = document.add(drawn(node, &columns));
        for (to, label) in node.leads.iter().filter(|(_, label)| !label.is_empty()) {
            let to = &nodes[*to];
            let at = text(label.clone(), columns[to.depth] - 6.0, to.middle - 5.0);
            document = document.add(at.set("text-anchor", "end"));
        }
    }
    format!("{document}\n")
}

/// The depth down to which a picture of bearable size shows everything.
fn deepest_drawn(outline: &[Part], path: &Path) -> usize {
    let mut depths = vec![0; outline.len()];
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, part) in outline.iter().enumerate() {
        for &child in &part.parts {
            depths[child] = depths[index] + 1;
        }
        if !path.is_taken[index] {
            *counts.entry(depths[index]).or_default() += 1;
        }
    }
    if outline.len() <= MOST {
        return usize::MAX;
    }
    let mut drawn = 0;
    let fitting = counts.into_iter().take_while(|(_, count)| {
        drawn += count;
        drawn <= MOST
    });
    fitting.last().map_or(0, |(depth, _)| depth)
}

struct Layout<'a> {
    outline: &'a [Part],
    path: &'a Path,
    /// Parts that lie deeper are drawn only when they were taken.
    deepest: usize,
    nodes: Vec<Node>,
    rows: usize,
    left_out: usize,
}

impl Layout<'_> {
    /// Adds a part and what it holds, as deep as a file may be nested.
    fn add(&mut self, part: usize, depth: usize) -> usize {
        let index = self.nodes.len();
        self.nodes.push(self.node(part, depth));
        let part = &self.outline[part];
        let mut hidden = 0;
        for (position, &child) in part.parts.iter().enumerate() {
            if depth < self.deepest || self.path.is_taken[child] {
                let label = label(part, position);
                let child = self.add(child, depth + 1);
                self.nodes[index].leads.push((child, label));
            } else {
                hidden += self.size(child);
            }
        }
        if hidden > 0 {
            let more = self.nodes.len();
            let middle = self.next_row();
            self.nodes.push(Node {
                lines: vec![format!("… {hidden} more")],
                classes: "more".to_owned(),
                depth: depth + 1,
                middle,
                leads: Vec::new(),
            });
            self.nodes[index].leads.push((more, String::new()));
            self.left_out += hidden;
        }
        let leads = &self.nodes[index].leads;
        let middle = match (leads.first(), leads.last()) {
            (Some((first, _)), Some((last, _))) => {
                f64::midpoint(self.nodes[*first].middle, self.nodes[*last].middle)
            }
            _ => self.next_row(),
        };
        self.nodes[index].middle = middle;
        index
    }

    fn node(&self, index: usize, depth: usize) -> Node {
        let part = &self.outline[index];
        let mut lines = vec![printable(&match &part.kind {
            PartKind::Asset => part.name.clone(),
            PartKind::Group => format!("group {:?}", part.name),
            PartKind::Weight { text, .. }
            | PartKind::Filter { text }
            | PartKind::If { text, .. } => text.clone(),
            PartKind::Vector => "[…]".to_owned(),
        })];
        let remark = self.path.remarks.get(&index);
        lines.extend(remark.cloned());
        let mut classes = Vec::new();
        if self.path.is_taken[index] {
            classes.push("taken");
        }
        if remark.is_some_and(|remark| remark.contains("fragile")) {
            classes.push("fragile");
        }
        Node {
            lines,
            classes: classes.join(" "),
            depth,
            middle: 0.0,
            leads: Vec::new(),
        }
    }

    fn next_row(&mut self) -> f64 {
        self.rows += 1;
        HEADER + (self.rows as f64 - 0.5) * ROW
    }

    /// How many parts a part is made of, itself included: all of them follow it.
    fn size(&self, index: usize) -> usize {
        let mut last = index;
        while let Some(&child) = self.outline[last].parts.last() {
            last = child;
        }
        last + 1 - index
    }
}

/// What is written where a part leads to one of its parts.
fn label(part: &Part, position: usize) -> String {
    match (&part.kind, position) {
        (PartKind::If { .. }, 0) => "yes".to_owned(),
        (PartKind::If { .. }, _) => "no".to_owned(),
        (PartKind::Weight { shares, .. }, _) => shares
            .get(position)
            .map_or_else(String::new, |share| format!("{:.2} %", 100.0 * share)),
        _ => String::new(),
    }
}

/// Where each column begins.
fn columns(nodes: &[Node]) -> Vec<f64> {
    let depths = nodes.iter().map(|node| node.depth + 1).max().unwrap_or(0);
    let mut widths = vec![0.0_f64; depths];
    for node in nodes {
        widths[node.depth] = widths[node.depth].max(node.width());
    }
    let mut begin = MARGIN;
    widths
        .into_iter()
        .map(|width| {
            let column = begin;
            begin += width + GAP;
            column
        })
        .collect()
}

fn curve(from: &Node, to: &Node, columns: &[f64], is_taken: bool) -> Curve {
    let (x, y) = (columns[from.depth] + from.width(), from.middle);
    let (to_x, to_y) = (columns[to.depth], to.middle);
    let bend = to_x - GAP / 2.0;
    let curve = Curve::new().set(
        "d",
        format!(
            "M{:.0} {y:.0}H{:.0}C{bend:.0} {y:.0} {bend:.0} {to_y:.0} {to_x:.0} {to_y:.0}",
            x,
            (to_x - GAP).max(x),
        ),
    );
    if is_taken {
        curve.set("class", "taken")
    } else {
        curve
    }
}

fn drawn(node: &Node, columns: &[f64]) -> Group {
    let x = columns[node.depth];
    let top = node.middle - node.height() / 2.0;
    let mut group = Group::new();
    if !node.classes.is_empty() {
        group = group.set("class", node.classes.as_str());
    }
    if node.lines.iter().any(|line| line.chars().count() > LONGEST) {
        group = group.add(Title::new(node.lines.join("\n")));
    }
    let rectangle = Rectangle::new()
        .set("x", rounded(x))
        .set("y", rounded(top))
        .set("width", rounded(node.width()))
        .set("height", rounded(node.height()))
        .set("rx", 4);
    group = group.add(rectangle);
    for (position, line) in node.lines.iter().enumerate() {
        let baseline = top + PADDING / 2.0 + LINE * (position as f64 + 0.75);
        group = group.add(text(clipped(line), x + PADDING, baseline));
    }
    group
}

fn text(content: String, x: f64, y: f64) -> Text {
    Text::new(content).set("x", rounded(x)).set("y", rounded(y))
}

/// Parts of a pixel are noise in a file that people compare.
fn rounded(length: f64) -> i64 {
    length.round() as i64
}

fn clipped(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// XML knows no control characters, not even written as numbers.
fn printable(text: &str) -> String {
    let is_unknown =
        |character: char| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}');
    text.replace(is_unknown, " ")
}
