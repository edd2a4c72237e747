//! Programs that are read, most of them, from bytes.

/// The program that bytes stand for: each decides what comes next.
pub fn program(bytes: &[u8]) -> String {
    let mut writer = Writer {
        bytes: bytes.iter().copied(),
        text: String::new(),
    };
    writer.portfolio(0);
    writer.text
}

struct Writer<'a> {
    bytes: std::iter::Copied<std::slice::Iter<'a, u8>>,
    text: String,
}

impl Writer<'_> {
    const DEEPEST: u32 = 12;
    const LONGEST: usize = 4_000;

    /// A number below `count`; zero at the end of the bytes.
    fn below(&mut self, count: u8) -> u8 {
        self.bytes.next().unwrap_or(0) % count
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn symbol(&mut self) {
        let symbols = ["A", "B", "FLAT", "LATE", "GAPS", "a", "NONE"];
        let symbol = symbols[self.below(7) as usize];
        self.add(&format!("\"{symbol}\""));
    }

    fn window(&mut self) {
        let window = self.below(12);
        if window > 0 {
            self.add(&format!(" {{:window {window}}}"));
        }
    }

    fn indicator(&mut self) -> &'static str {
        let indicators = [
            "rsi",
            "max-drawdown",
            "cumulative-return",
            "moving-average-return",
            "stdev-return",
            "stdev-price",
            "moving-average-price",
            "exponential-moving-average-price",
            "current-price",
        ];
        indicators[self.below(9) as usize]
    }

    fn operand(&mut self) {
        if self.below(4) == 0 {
            let number = self.below(120);
            return self.add(&number.to_string());
        }
        let indicator = self.indicator();
        self.add(&format!("({indicator} "));
        self.symbol();
        if indicator != "current-price" {
            self.window();
        }
        self.add(")");
    }

    fn some(&mut self, depth: u32, least: u8) {
        for _ in 0..least + self.below(3) {
            self.add(" ");
            self.portfolio(depth + 1);
        }
    }

    fn portfolio(&mut self, depth: u32) {
        if depth > Self::DEEPEST || self.text.len() > Self::LONGEST {
            return self.symbol();
        }
        match self.below(10) {
            0 | 1 => return self.symbol(),
            2 => {
                self.add("(group \"g\"");
                self.some(depth, 1);
            }
            3 => {
                self.add("(weight-equal");
                self.some(depth, 1);
            }
            4 => {
                self.add("(weight-specified 1 \"A\"");
                for _ in 0..self.below(3) {
                    let weight = self.below(5);
                    self.add(&format!(" {weight} "));
                    self.portfolio(depth + 1);
                }
            }
            5 => {
                let window = 2 + self.below(6);
                self.add(&format!("(weight-inverse-volatility {window}"));
                self.some(depth, 1);
            }
            6 | 7 => {
                let indicator = self.indicator();
                self.add(&format!("(filter ({indicator}"));
                if indicator != "current-price" {
                    self.window();
                }
                let count = 1 + self.below(3);
                let end = ["top", "bottom"][self.below(2) as usize];
                self.add(&format!(") (select-{end} {count}) ["));
                self.some(depth, 1);
                self.add("]");
            }
            8 => {
                let comparison = [">", "<", ">=", "<=", "="][self.below(5) as usize];
                self.add(&format!("(if ({comparison} "));
                self.operand();
                self.add(" ");
                self.operand();
                self.add(")");
                self.some(depth, 1);
            }
            _ => {
                self.add("[");
                self.some(depth, 0);
                return self.add("]");
            }
        }
        self.add(")");
    }
}
