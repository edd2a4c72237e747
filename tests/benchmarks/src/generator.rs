//! Strategy files of any size, made up but shaped as real ones are.
//!
//! Real files of megabytes come from an editor that copies: a few thousand
//! different forms, each written dozens of times, indented by depth. So a pool
//! of forms is made first, each from forms of the layer before, and the file
//! takes from the pool until it is large enough.

use fastrand::Rng;
use std::fmt::Write;

/// How large a file is to be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Bytes at least; some more come out.
    pub bytes: usize,
    /// Forms of each layer of the pool.
    pub width: usize,
    /// Layers of the pool.
    pub layers: usize,
}

impl Size {
    /// 2 KB.
    pub const SMALL: Self = Self {
        bytes: 1_600,
        width: 12,
        layers: 2,
    };
    /// 10 KB.
    pub const MEDIUM: Self = Self {
        bytes: 8_500,
        width: 30,
        layers: 3,
    };
    /// 100 KB.
    pub const LARGE: Self = Self {
        bytes: 90_000,
        width: 60,
        layers: 5,
    };
    /// 2.2 MB, of 34,000 forms that hold something, 2,100 of them different.
    pub const HUGE: Self = Self {
        bytes: 2_150_000,
        width: 265,
        layers: 8,
    };
}

/// A strategy file.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The file.
    pub text: String,
    /// Forms that hold something: assets, groups, weights, filters, conditions.
    pub nodes: usize,
    /// Those of them that differ.
    pub distinct: usize,
}

/// A form, from earlier ones of the pool.
enum Form {
    Asset(&'static str),
    If {
        condition: String,
        branches: [usize; 2],
    },
    Filter {
        head: String,
        candidates: Vec<usize>,
    },
    Equal(Vec<usize>),
    Specified(Vec<(u32, usize)>),
    InverseVolatility(u32, Vec<usize>),
    Group(String, usize),
}

/// Symbols of the bundled prices.
const SYMBOLS: [&str; 25] = [
    "AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY", "MRK", "MSFT",
    "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM", "MTUM", "QUAL", "SIZE", "USMV", "VLUE",
];

/// A file of about a size. The same seed makes the same file.
#[must_use]
pub fn file(seed: u64, size: Size) -> Generated {
    let mut generator = Generator {
        random: Rng::with_seed(seed),
        pool: SYMBOLS.iter().map(|symbol| Form::Asset(symbol)).collect(),
    };
    let mut sources = 0..generator.pool.len();
    for layer in 0..size.layers {
        let begin = generator.pool.len();
        for number in 0..size.width {
            generator.form(&format!("group {layer}.{number}"), sources.clone());
        }
        // Assets stay among the sources of the second layer.
        let first = if layer == 0 { 0 } else { begin };
        sources = first..generator.pool.len();
    }
    generator.whole(size.bytes)
}

/// A ladder of conditions that reaches the deepest nesting of known files.
#[must_use]
pub fn ladder() -> Generated {
    /// Levels that one rung takes: weight, vector, condition, vector.
    const RUNG: usize = 4;
    const DEPTH: usize = 220;

    let mut generator = Generator {
        random: Rng::with_seed(220),
        pool: SYMBOLS.iter().map(|symbol| Form::Asset(symbol)).collect(),
    };
    let mut innermost = 0;
    for _ in 0..(DEPTH - RUNG) / RUNG {
        let condition = generator.condition();
        let other = generator.random.usize(..SYMBOLS.len());
        let branches = [other, innermost];
        let choice = generator.push(Form::If {
            condition,
            branches,
        });
        innermost = generator.push(Form::Equal(vec![choice]));
    }
    generator.render(&[innermost])
}

struct Generator {
    random: Rng,
    pool: Vec<Form>,
}

impl Generator {
    fn push(&mut self, form: Form) -> usize {
        self.pool.push(form);
        self.pool.len() - 1
    }

    /// Adds a form of those in a range, half of the time as a group.
    fn form(&mut self, name: &str, sources: std::ops::Range<usize>) {
        let form = match self.random.u32(..100) {
            ..55 => Form::If {
                condition: self.condition(),
                branches: [(); 2].map(|()| self.random.usize(sources.clone())),
            },
            55..70 => Form::Filter {
                head: self.filter(),
                candidates: self.some(2..=4, &sources),
            },
            70..85 => Form::Equal(self.some(2..=3, &sources)),
            85..95 => {
                let parts = self.some(2..=3, &sources).into_iter();
                let share = |part| (10 * self.random.u32(1..10), part);
                Form::Specified(parts.map(share).collect())
            }
            _ => Form::InverseVolatility(
                self.pick(&[10, 20, 40]),
                // Assets differ from day to day, so that no deviation is zero.
                self.some(2..=3, &(0..SYMBOLS.len())),
            ),
        };
        let form = self.push(form);
        if self.random.bool() {
            let weighted = self.push(Form::Equal(vec![form]));
            self.push(Form::Group(name.to_owned(), weighted));
        }
    }

    fn some(
        &mut self,
        count: std::ops::RangeInclusive<usize>,
        sources: &std::ops::Range<usize>,
    ) -> Vec<usize> {
        let count = self.random.usize(count);
        let mut some = Vec::new();
        while some.len() < count {
            let form = self.random.usize(sources.clone());
            if !some.contains(&form) {
                some.push(form);
            }
        }
        some
    }

    fn condition(&mut self) -> String {
        let symbol = self.pick(&SYMBOLS);
        match self.random.u32(..100) {
            ..50 => {
                let (window, level) = (self.pick(&[5, 10, 14, 20]), self.pick(&[30, 50, 70, 79]));
                format!("(> (rsi \"{symbol}\" {{:window {window}}}) {level})")
            }
            50..70 => {
                let window = self.pick(&[20, 50, 200]);
                format!(
                    "(> (current-price \"{symbol}\") (moving-average-price \"{symbol}\" {{:window {window}}}))"
                )
            }
            70..85 => {
                let (window, level) = (self.pick(&[5, 10, 20, 60]), self.pick(&[-5, -2, 0, 2]));
                format!("(< (cumulative-return \"{symbol}\" {{:window {window}}}) {level})")
            }
            _ => {
                let other = self.pick(&SYMBOLS);
                format!("(> (rsi \"{symbol}\" {{:window 10}}) (rsi \"{other}\" {{:window 10}}))")
            }
        }
    }

    /// The beginning of a filter; one in ten looks at the whole past of a group.
    fn filter(&mut self) -> String {
        let score = if self.random.u32(..10) == 0 {
            self.pick(&["rsi", "moving-average-price", "stdev-price"])
        } else {
            let scores = [
                "moving-average-return",
                "cumulative-return",
                "stdev-return",
                "max-drawdown",
            ];
            self.pick(&scores)
        };
        let window = self.pick(&[5, 10, 20, 40]);
        let end = self.pick(&["top", "bottom"]);
        let count = self.pick(&[1, 1, 2]);
        format!("(filter ({score} {{:window {window}}}) (select-{end} {count})")
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.usize(..choices.len())]
    }

    /// A file that takes from the pool until it is large enough.
    fn whole(&mut self, bytes: usize) -> Generated {
        let mut parts = Vec::new();
        let mut text = String::new();
        while text.len() < bytes {
            let part = self.random.usize(SYMBOLS.len()..self.pool.len());
            let begin = text.len();
            self.write(part, Self::PART_DEPTH, &mut text);
            // One form must not be most of a small file.
            if text.len() - begin > bytes / 4 {
                text.truncate(begin);
            } else {
                parts.push(part);
            }
        }
        self.render(&parts)
    }

    /// Where the parts of a file begin.
    const PART_DEPTH: usize = 3;

    fn render(&self, parts: &[usize]) -> Generated {
        let mut text = String::from(
            "(defsymphony \"Generated\" {:asset-class \"EQUITIES\", :rebalance-frequency :daily}\n  (weight-equal [",
        );
        let mut nodes = 1;
        let mut used = vec![false; self.pool.len()];
        for &part in parts {
            nodes += self.write(part, Self::PART_DEPTH, &mut text);
            used[part] = true;
        }
        text.push_str("]))\n");
        for (index, form) in self.pool.iter().enumerate().rev() {
            if used[index] {
                form.parts().for_each(|part| used[part] = true);
            }
        }
        Generated {
            text,
            nodes,
            distinct: 1 + used.iter().filter(|used| **used).count(),
        }
    }

    /// Writes a form on lines of its own, and answers how many forms it has.
    fn write(&self, form: usize, depth: usize, text: &mut String) -> usize {
        let form = &self.pool[form];
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
        // Writing to a text cannot fail.
        let _ = match form {
            Form::Asset(symbol) => write!(text, "(asset \"{symbol}\" \"Shares of {symbol}\""),
            Form::If { condition, .. } => write!(text, "(if {condition}"),
            Form::Filter { head, .. } => write!(text, "{head} ["),
            Form::Equal(_) => write!(text, "(weight-equal ["),
            Form::Specified(_) => write!(text, "(weight-specified"),
            Form::InverseVolatility(window, _) => {
                write!(text, "(weight-inverse-volatility {window} [")
            }
            Form::Group(name, _) => write!(text, "(group \"{name}\" ["),
        };
        let mut nodes = 1;
        match form {
            Form::If { branches, .. } => {
                for branch in branches {
                    text.push('[');
                    nodes += self.write(*branch, depth + 2, text);
                    text.push(']');
                }
            }
            Form::Specified(parts) => {
                for (weight, part) in parts {
                    let _ = write!(text, " {weight}");
                    nodes += self.write(*part, depth + 1, text);
                }
            }
            _ => {
                for part in form.parts() {
                    nodes += self.write(part, depth + 2, text);
                }
            }
        }
        text.push_str(match form {
            Form::Asset(_) | Form::If { .. } | Form::Specified(_) => ")",
            _ => "])",
        });
        nodes
    }
}

impl Form {
    fn parts(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Self::Asset(_) => Box::new(std::iter::empty()),
            Self::If { branches, .. } => Box::new(branches.iter().copied()),
            Self::Specified(parts) => Box::new(parts.iter().map(|(_, part)| *part)),
            Self::Group(_, part) => Box::new(std::iter::once(*part)),
            Self::Filter {
                candidates: parts, ..
            }
            | Self::Equal(parts)
            | Self::InverseVolatility(_, parts) => Box::new(parts.iter().copied()),
        }
    }
}
