//! Tree to program: the check of the whole file, without prices.
//!
//! Every form is looked at, branches that are never taken included. A problem
//! does not end the check, so that all of them can be shown at once.
//!
//! The functions recurse as deep as the forms are nested, to which the reader
//! sets a limit.

mod arguments;

use crate::operator::{Comparison, Operator};
use crate::problem::{Problems, shortened};
use crate::program::{
    Builder, Call, Condition, Edge, Number, Occurrence, Operand, Operation, Position, Program,
    Selection, SymbolId,
};
use crate::tree::{FormId, Kind, Siblings, Tree};
use alchemiser_indicators::{Indicator, Specification, WindowError};
use alchemiser_sdk::{Error, spelling};

/// Checks a whole file.
///
/// # Errors
/// The problems, `UnknownOperator` and `ArgumentError`, in the order of the
/// text; at least one.
pub(crate) fn check(tree: Tree) -> Result<Program, Vec<Error>> {
    let mut checker = Checker {
        tree: &tree,
        builder: Builder::default(),
        problems: Problems::default(),
        pending: Vec::new(),
        shares: Vec::new(),
    };
    let root = checker.root();
    let Checker {
        builder, problems, ..
    } = checker;
    let problems = problems.into_vec();
    match root {
        Some(root) if problems.is_empty() => Ok(builder.finish(root, tree.texts)),
        _ => Err(problems),
    }
}

/// Each function that checks a form answers `None` when it, or something in
/// it, has a problem; that is written down by then.
struct Checker<'a> {
    tree: &'a Tree,
    builder: Builder,
    problems: Problems,
    /// Children of the forms that are being checked, innermost last.
    pending: Vec<Occurrence>,
    /// Likewise, the weights of `weight-specified`.
    shares: Vec<f64>,
}

impl<'a> Checker<'a> {
    fn root(&mut self) -> Option<Occurrence> {
        let form = Tree::ROOT;
        let is_symphony =
            self.tree.kind(form) == Kind::List && self.known_head(form) == Some(Operator::Symphony);
        if is_symphony {
            self.symphony(form)
        } else {
            self.portfolio(form, None)
        }
    }

    /// `(defsymphony NAME CONFIG P)`. What the map says has no influence.
    fn symphony(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::Symphony);
        let [name, configuration, portfolio] =
            self.exactly(form, Operator::Symphony, "a name, a map and a portfolio")?;
        self.text(name, within, "the name, a text");
        if self.tree.kind(configuration) != Kind::Map {
            self.unexpected::<()>(configuration, within, "a map of settings");
        }
        self.portfolio(portfolio, within)
    }

    fn portfolio(&mut self, form: FormId, within: Option<Operator>) -> Option<Occurrence> {
        const EXPECTED: &str = "a portfolio";
        match self.tree.kind(form) {
            Kind::String(_) => self.string_asset(form, within),
            Kind::Vector => self.vector(form, within),
            Kind::List => match self.head(form, within, EXPECTED)? {
                Operator::Asset => self.asset(form),
                Operator::Group => self.group(form),
                Operator::WeightEqual => self.weight_equal(form),
                Operator::WeightSpecified => self.weight_specified(form),
                Operator::WeightInverseVolatility => self.weight_inverse_volatility(form),
                Operator::Filter => self.filter(form),
                Operator::If => self.conditional(form),
                Operator::Symphony => {
                    let message = "`defsymphony` may only be the outermost form";
                    self.argument(form, within, message)
                }
                _ => self.unexpected(form, within, EXPECTED),
            },
            _ => self.unexpected(form, within, EXPECTED),
        }
    }

    /// `"S"`, the same as `(asset "S")`.
    fn string_asset(&mut self, form: FormId, within: Option<Operator>) -> Option<Occurrence> {
        let position = self.position(form);
        let symbol = self.symbol(form, within)?;
        Some(self.occurrence(Operation::Asset(symbol), position))
    }

    /// `(asset S [NAME])`
    fn asset(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::Asset);
        let position = self.position(form);
        let mut arguments = self.arguments(form);
        let (symbol, name) = (arguments.next(), arguments.next());
        let (Some(symbol), None) = (symbol, arguments.next()) else {
            return self.arity(form, Operator::Asset, "a symbol, and perhaps a name");
        };
        let symbol = self.symbol(symbol, within);
        if let Some(name) = name {
            let is_nil = |text| self.tree.texts.get(text) == "nil";
            match self.tree.kind(name) {
                Kind::String(_) => {}
                Kind::Symbol(text) if is_nil(text) => {}
                _ => return self.unexpected(name, within, "a name, a text or `nil`"),
            }
        }
        Some(self.occurrence(Operation::Asset(symbol?), position))
    }

    /// `(group NAME P…)`. Of several portfolios the last counts.
    fn group(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::Group);
        let position = self.position(form);
        let mut arguments = self.arguments(form);
        let (Some(name), true) = (arguments.next(), arguments.clone().next().is_some()) else {
            return self.arity(form, Operator::Group, "a name and at least one portfolio");
        };
        let name_is_text = self.text(name, within, "the name, a text");
        let mut body = None;
        for portfolio in arguments {
            body = self.portfolio(portfolio, within);
        }
        let (Kind::String(name), true) = (self.tree.kind(name), name_is_text) else {
            return None;
        };
        self.pending.push(body?);
        Some(self.parent(Operation::Group(name), position, self.pending.len() - 1))
    }

    /// `(weight-equal P…)`
    fn weight_equal(&mut self, form: FormId) -> Option<Occurrence> {
        let position = self.position(form);
        let arguments = self.arguments(form);
        if arguments.clone().next().is_none() {
            return self.arity(form, Operator::WeightEqual, "at least one portfolio");
        }
        let first = self.pending.len();
        self.elements(arguments, Some(Operator::WeightEqual))?;
        Some(self.parent(Operation::Equal, position, first))
    }

    /// `(weight-specified w P w P …)`
    fn weight_specified(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::WeightSpecified);
        let position = self.position(form);
        let mut arguments = self.arguments(form);
        let count = arguments.clone().count();
        if count == 0 || !count.is_multiple_of(2) {
            return self.arity(
                form,
                Operator::WeightSpecified,
                "pairs of a weight and a portfolio",
            );
        }
        let (first, first_share) = (self.pending.len(), self.shares.len());
        let mut complete = true;
        while let (Some(weight), Some(portfolio)) = (arguments.next(), arguments.next()) {
            match self.number(weight) {
                Some(weight) if weight >= 0.0 => self.shares.push(weight),
                Some(_) => {
                    self.argument::<()>(weight, within, "a weight must not be negative");
                    complete = false;
                }
                None => {
                    self.unexpected::<()>(weight, within, "a weight, a number");
                    complete = false;
                }
            }
            match self.portfolio(portfolio, within) {
                Some(portfolio) => self.pending.push(portfolio),
                None => complete = false,
            }
        }
        let total: f64 = self.shares[first_share..].iter().sum();
        if complete && total <= 0.0 {
            self.argument::<()>(form, within, "the weights add up to zero");
            complete = false;
        }
        if !complete {
            self.pending.truncate(first);
            self.shares.truncate(first_share);
            return None;
        }
        let mut shares = self.shares.split_off(first_share);
        for share in &mut shares {
            *share /= total;
        }
        let edges = self.edges(position, first);
        let node = self.builder.node(Operation::Specified, &edges, &shares);
        Some(Occurrence { node, position })
    }

    /// `(weight-inverse-volatility n P…)`
    fn weight_inverse_volatility(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::WeightInverseVolatility);
        let position = self.position(form);
        let mut arguments = self.arguments(form);
        let (Some(window), true) = (arguments.next(), arguments.clone().next().is_some()) else {
            let takes = "a window and at least one portfolio";
            return self.arity(form, Operator::WeightInverseVolatility, takes);
        };
        let volatility = self.whole_number(window, within).and_then(|days| {
            let indicator = Indicator::StandardDeviationReturn;
            self.specification(indicator, Some(days), window, within)
        });
        let first = self.pending.len();
        self.elements(arguments, within)?;
        let Some(volatility) = volatility else {
            self.pending.truncate(first);
            return None;
        };
        Some(self.parent(Operation::InverseVolatility(volatility), position, first))
    }

    /// `(filter (I) [SELECT] P)`
    fn filter(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::Filter);
        let position = self.position(form);
        let mut arguments = self.arguments(form);
        let (score, second, third) = (arguments.next(), arguments.next(), arguments.next());
        let (score, selection, candidates) = match (score, second, third, arguments.next()) {
            (Some(score), Some(candidates), None, _) => (score, None, candidates),
            (Some(score), Some(selection), Some(candidates), None) => {
                (score, Some(selection), candidates)
            }
            _ => {
                let takes = "an indicator, perhaps a selection, and a portfolio";
                return self.arity(form, Operator::Filter, takes);
            }
        };
        let score = self.score(score);
        let selection = match selection {
            Some(selection) => self.selection(selection),
            None => Some(Selection::All),
        };
        let candidates = self.portfolio(candidates, within)?;
        let operation = Operation::Filter {
            score: score?,
            selection: selection?,
        };
        self.pending.push(candidates);
        Some(self.parent(operation, position, self.pending.len() - 1))
    }

    /// `(I {:window n})`, the indicator of a filter.
    fn score(&mut self, form: FormId) -> Option<Specification> {
        let indicator = self.indicator(
            form,
            Some(Operator::Filter),
            "an indicator such as `(rsi {:window 10})`",
        )?;
        let within = Some(Operator::Indicator(indicator));
        let mut arguments = self.arguments(form);
        let parameters = arguments.next();
        if let Some(text) = parameters.filter(|&first| self.is_string(first)) {
            let message = "the indicator of a filter takes no symbol: each candidate is scored";
            return self.argument(text, within, message);
        }
        if arguments.next().is_some() {
            return self.arity(form, Operator::Indicator(indicator), "at most a map here");
        }
        self.parameters(form, parameters, indicator)
    }

    /// `(select-top n)` or `(select-bottom n)`
    fn selection(&mut self, form: FormId) -> Option<Selection> {
        const EXPECTED: &str = "`(select-top n)` or `(select-bottom n)`";
        let operator = self.head(form, Some(Operator::Filter), EXPECTED)?;
        let select = match operator {
            Operator::SelectTop => Selection::Top,
            Operator::SelectBottom => Selection::Bottom,
            _ => return self.unexpected(form, Some(Operator::Filter), EXPECTED),
        };
        let [count] = self.exactly(form, operator, "a whole number")?;
        match self.whole_number(count, Some(operator))? {
            0 => self.argument(count, Some(operator), "at least 1 must be selected"),
            count => Some(select(count)),
        }
    }

    /// `(if C P [P])`
    fn conditional(&mut self, form: FormId) -> Option<Occurrence> {
        let within = Some(Operator::If);
        let position = self.position(form);
        let mut arguments = self.arguments(form);
        let (condition, chosen) = (arguments.next(), arguments.next());
        let (otherwise, rest) = (arguments.next(), arguments.next());
        let (Some(condition), Some(chosen), None) = (condition, chosen, rest) else {
            let takes = "a condition and one or two portfolios";
            return self.arity(form, Operator::If, takes);
        };
        let condition = self.condition(condition);
        let chosen = self.portfolio(chosen, within);
        let otherwise = match otherwise {
            Some(otherwise) => Some(self.portfolio(otherwise, within)?),
            None => None,
        };
        let (condition, chosen) = (condition?, chosen?);
        let first = self.pending.len();
        self.pending.push(chosen);
        self.pending.extend(otherwise);
        Some(self.parent(Operation::If(condition), position, first))
    }

    /// `(> x y)` and the like. The three forms get the positions that
    /// [`Condition`] says.
    fn condition(&mut self, form: FormId) -> Option<Condition> {
        const EXPECTED: &str = "a comparison such as `(> (rsi \"SPY\") 70)`";
        self.position(form);
        let operator = self.head(form, Some(Operator::If), EXPECTED)?;
        let Operator::Comparison(comparison) = operator else {
            return self.unexpected(form, Some(Operator::If), EXPECTED);
        };
        let [left, right] = self.exactly(form, operator, "two operands")?;
        let left = self.operand(left, comparison);
        let right = self.operand(right, comparison);
        Some(Condition {
            comparison,
            left: left?,
            right: right?,
        })
    }

    /// A number, or `(I S [{:window n}])`.
    fn operand(&mut self, form: FormId, comparison: Comparison) -> Option<Operand> {
        self.position(form);
        if let Some(number) = self.number(form) {
            return Some(Operand::Number(Number::new(number)));
        }
        let within = Some(Operator::Comparison(comparison));
        let indicator = self.indicator(form, within, "a number or an indicator")?;
        let operator = Operator::Indicator(indicator);
        let mut arguments = self.arguments(form);
        let (symbol, parameters) = (arguments.next(), arguments.next());
        let (Some(symbol), None) = (symbol, arguments.next()) else {
            return self.arity(form, operator, "a symbol, and perhaps a map");
        };
        let symbol = self.symbol(symbol, Some(operator));
        let specification = self.parameters(form, parameters, indicator);
        let call = Call {
            symbol: symbol?,
            specification: specification?,
        };
        Some(Operand::Indicator(self.builder.call(call)))
    }

    fn indicator(
        &mut self,
        form: FormId,
        within: Option<Operator>,
        expected: &str,
    ) -> Option<Indicator> {
        match self.head(form, within, expected)? {
            Operator::Indicator(indicator) => Some(indicator),
            _ => self.unexpected(form, within, expected),
        }
    }

    /// `{:window n}`, an empty map, or nothing, of the call `form`.
    fn parameters(
        &mut self,
        form: FormId,
        parameters: Option<FormId>,
        indicator: Indicator,
    ) -> Option<Specification> {
        let within = Some(Operator::Indicator(indicator));
        let Some(parameters) = parameters else {
            return self.specification(indicator, None, form, within);
        };
        if self.tree.kind(parameters) != Kind::Map {
            return self.unexpected(parameters, within, "a map such as `{:window 10}`");
        }
        let mut window = None;
        let mut entries = self.tree.children(parameters);
        while let (Some(key), Some(value)) = (entries.next(), entries.next()) {
            match self.parameter_name(key) {
                Some("window") if window.is_some() => {
                    return self.argument(key, within, "`window` is given twice");
                }
                Some("window") => window = Some(value),
                _ => {
                    let found = self.describe(key);
                    let message = format!("the only parameter is `:window`; found {found}");
                    return self.argument(key, within, message);
                }
            }
        }
        match window {
            Some(window) => {
                let days = self.whole_number(window, within)?;
                self.specification(indicator, Some(days), window, within)
            }
            None => self.specification(indicator, None, parameters, within),
        }
    }

    /// The text of a parameter's name: keyword, string and symbol are equal,
    /// and a leading colon does not count.
    fn parameter_name(&self, key: FormId) -> Option<&'a str> {
        match self.tree.kind(key) {
            Kind::Keyword(text) | Kind::Symbol(text) => Some(self.tree.texts.get(text)),
            Kind::String(text) => {
                let text = self.tree.texts.get(text);
                Some(text.strip_prefix(':').unwrap_or(text))
            }
            _ => None,
        }
    }

    /// An indicator with its window; `form` is blamed if it does not suit.
    fn specification(
        &mut self,
        indicator: Indicator,
        window: Option<u32>,
        form: FormId,
        within: Option<Operator>,
    ) -> Option<Specification> {
        match Specification::new(indicator, window) {
            Ok(specification) => Some(specification),
            Err(WindowError::TooSmall { minimum, .. }) => {
                let message = format!("the window must be at least {minimum}");
                self.argument(form, within, message)
            }
            Err(error @ WindowError::NotTaken { .. }) => {
                self.argument(form, within, error.to_string())
            }
        }
    }

    /// `[P…]`. Nested vectors are one list of elements, and a vector of one
    /// element is that element.
    fn vector(&mut self, form: FormId, within: Option<Operator>) -> Option<Occurrence> {
        let position = self.position(form);
        let first = self.pending.len();
        self.elements(self.tree.children(form), within)?;
        match self.pending[first..] {
            [only] => {
                self.pending.truncate(first);
                Some(only)
            }
            _ => Some(self.parent(Operation::Vector, position, first)),
        }
    }

    /// Checks portfolios and leaves them in `pending`, vectors replaced by
    /// their elements.
    fn elements(&mut self, forms: Siblings<'a>, within: Option<Operator>) -> Option<()> {
        let first = self.pending.len();
        let mut complete = true;
        for form in forms {
            let element = match self.tree.kind(form) {
                Kind::Vector => self.elements(self.tree.children(form), within),
                _ => self
                    .portfolio(form, within)
                    .map(|element| self.pending.push(element)),
            };
            complete &= element.is_some();
        }
        if !complete {
            self.pending.truncate(first);
        }
        complete.then_some(())
    }

    fn symbol(&mut self, form: FormId, within: Option<Operator>) -> Option<SymbolId> {
        let Kind::String(text) = self.tree.kind(form) else {
            return self.unexpected(form, within, "a symbol, a text such as \"SPY\"");
        };
        let text = self.tree.texts.get(text);
        match spelling(text) {
            Some(symbol) => Some(self.builder.symbol(&symbol)),
            None => {
                let text = shortened(text);
                let message = format!(
                    "{text:?} is no symbol: 1 to 10 letters, digits, `.` and `-`, \
                     with no `.` or `-` at an end or doubled"
                );
                self.argument(form, within, message)
            }
        }
    }

    fn position(&mut self, form: FormId) -> Position {
        self.builder.position(self.tree.place(form))
    }

    fn occurrence(&mut self, operation: Operation, position: Position) -> Occurrence {
        let node = self.builder.node(operation, &[], &[]);
        Occurrence { node, position }
    }

    /// A node whose children are the pending ones from `first` on.
    fn parent(&mut self, operation: Operation, position: Position, first: usize) -> Occurrence {
        let edges = self.edges(position, first);
        let node = self.builder.node(operation, &edges, &[]);
        Occurrence { node, position }
    }

    fn edges(&mut self, parent: Position, first: usize) -> Vec<Edge> {
        self.pending
            .drain(first..)
            .map(|child| child.seen_from(parent))
            .collect()
    }
}
