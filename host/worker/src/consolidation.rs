//! The book's strategies made one portfolio.

use crate::book::OnFailure;
use alchemiser_events::{Decimal, StrategyName, StrategyStatus, Symbol, Weight};
use rust_decimal::RoundingStrategy;
use std::collections::BTreeMap;

/// One portfolio, and whose wish each target is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consolidated {
    /// Targets, ten decimals, none zero, adding up to at most 1.
    pub targets: BTreeMap<Symbol, Weight>,
    /// For each symbol, each strategy's share of the book times its weight for
    /// the symbol, unrounded.
    pub contributions: BTreeMap<Symbol, BTreeMap<StrategyName, Weight>>,
}

/// The strategies' weights cannot be added up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weights for {symbol} add up to {sum}, which is more than 1")]
pub struct ConsolidationError {
    symbol: Symbol,
    sum: Decimal,
}

/// Too little of the book answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The book goes on only with all its strategies.
    #[error("the book goes on only if every strategy answers")]
    Failed,
    /// To go on would be to sell everything.
    #[error("no strategy of the book answered")]
    NothingAnswered,
    /// More failed than may be redistributed.
    #[error(
        "{failed} of the portfolio belongs to strategies that failed, and the book redistributes \
         at most {limit} (`max_failed_weight`)"
    )]
    AboveLimit {
        /// The shares that failed, added up.
        failed: Decimal,
        /// The largest that may.
        limit: Weight,
    },
}

/// What share of the portfolio each strategy of a book decides on, once it is
/// known which of them answered; in the order of `book`. Those that did not
/// have none.
pub fn effective_shares(
    book: &[(Weight, StrategyStatus)],
    on_failure: OnFailure,
) -> Result<Vec<Weight>, ShareError> {
    let sum = |status| -> Decimal {
        let shares = book.iter().filter(|(_, found)| *found == status);
        shares.map(|(share, _)| share.decimal()).sum()
    };
    let (answered, failed) = (sum(StrategyStatus::Ok), sum(StrategyStatus::Failed));
    let scale = |share: Decimal| match on_failure {
        // The product comes first, so that a sole survivor gets the whole.
        OnFailure::Redistribute { .. } => share * (answered + failed) / answered,
        OnFailure::Fail | OnFailure::Cash => share,
    };
    match on_failure {
        _ if failed.is_zero() => {}
        OnFailure::Fail => return Err(ShareError::Failed),
        _ if answered.is_zero() => return Err(ShareError::NothingAnswered),
        OnFailure::Redistribute { limit } if failed > limit.decimal() => {
            return Err(ShareError::AboveLimit { failed, limit });
        }
        OnFailure::Cash | OnFailure::Redistribute { .. } => {}
    }
    let share = |(share, status): &(Weight, StrategyStatus)| match status {
        StrategyStatus::Failed => Weight::ZERO,
        StrategyStatus::Ok if failed.is_zero() => *share,
        // A share of a whole that is at most 1 is within 0–1.
        StrategyStatus::Ok => {
            Weight::new(scale(share.decimal()).min(Decimal::ONE)).unwrap_or(*share)
        }
    };
    Ok(book.iter().map(share).collect())
}

/// Decimals of a target weight.
const DECIMALS: u32 = 10;

/// Adds up the strategies' weights, each times the strategy's share of the
/// book.
///
/// Targets are rounded to ten decimals, half to even, and the largest takes
/// the residue (of equals the first symbol), so that they add up to the
/// unrounded sum at ten decimals. The order of the strategies does not matter.
pub fn consolidate(
    strategies: &[(StrategyName, Weight, BTreeMap<Symbol, Weight>)],
) -> Result<Consolidated, ConsolidationError> {
    let mut contributions: BTreeMap<Symbol, BTreeMap<StrategyName, Weight>> = BTreeMap::new();
    for (name, share, weights) in strategies {
        for (symbol, weight) in weights.iter().filter(|(_, weight)| !weight.is_zero()) {
            // The product of two numbers within 0–1 is within 0–1.
            let contribution =
                Weight::new(share.decimal() * weight.decimal()).unwrap_or(Weight::ZERO);
            contributions
                .entry(symbol.clone())
                .or_default()
                .insert(name.clone(), contribution);
        }
    }

    let sums: BTreeMap<&Symbol, Decimal> = contributions
        .iter()
        .map(|(symbol, parts)| (symbol, parts.values().map(|part| part.decimal()).sum()))
        .collect();
    let round =
        |sum: Decimal| sum.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointNearestEven);
    let total = round(sums.values().copied().sum()).min(Decimal::ONE);
    let mut rounded: BTreeMap<&Symbol, Decimal> = sums
        .iter()
        .map(|(symbol, sum)| (*symbol, round(*sum)))
        .collect();
    let residue = total - rounded.values().copied().sum::<Decimal>();
    let largest = rounded
        .iter()
        .rev()
        .max_by_key(|(_, weight)| **weight)
        .map(|(symbol, _)| *symbol);
    if let Some(weight) = largest.and_then(|symbol| rounded.get_mut(symbol)) {
        *weight += residue;
    }

    let targets = rounded
        .into_iter()
        .filter(|(_, weight)| !weight.is_zero())
        .map(|(symbol, weight)| match Weight::new(weight) {
            Ok(weight) => Ok((symbol.clone(), weight)),
            Err(_) => Err(ConsolidationError {
                symbol: symbol.clone(),
                sum: weight,
            }),
        })
        .collect::<Result<_, _>>()?;
    Ok(Consolidated {
        targets,
        contributions,
    })
}

/// Each strategy's part of a target, adding up to 1: for attribution.
pub(crate) fn attribution(
    contributions: &BTreeMap<StrategyName, Weight>,
) -> BTreeMap<StrategyName, Weight> {
    let total: Decimal = contributions.values().map(|part| part.decimal()).sum();
    if total.is_zero() {
        return BTreeMap::new();
    }
    let round = |part: Decimal| {
        (part / total).round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointNearestEven)
    };
    let mut parts: BTreeMap<StrategyName, Decimal> = contributions
        .iter()
        .map(|(name, part)| (name.clone(), round(part.decimal())))
        .collect();
    let residue = Decimal::ONE - parts.values().copied().sum::<Decimal>();
    if let Some(largest) = parts.values_mut().max() {
        *largest += residue;
    }
    parts
        .into_iter()
        .map(|(name, part)| (name, Weight::new(part).unwrap_or(Weight::ZERO)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> StrategyName {
        StrategyName::parse(text).unwrap()
    }

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).unwrap()
    }

    fn weight(text: &str) -> Weight {
        Weight::new(Decimal::from_str_exact(text).unwrap()).unwrap()
    }

    fn text(consolidated: &Consolidated) -> Vec<String> {
        consolidated
            .targets
            .iter()
            .map(|(symbol, weight)| format!("{symbol} {weight}"))
            .collect()
    }

    #[test]
    fn shares_times_weights() {
        let consolidated = consolidate(&[
            (
                name("a"),
                weight("0.6"),
                [
                    (symbol("SPY"), weight("0.5")),
                    (symbol("TLT"), weight("0.5")),
                ]
                .into(),
            ),
            (
                name("b"),
                weight("0.3"),
                [(symbol("SPY"), weight("1"))].into(),
            ),
        ])
        .unwrap();
        assert_eq!(text(&consolidated), ["SPY 0.6", "TLT 0.3"]);
        assert_eq!(
            attribution(&consolidated.contributions[&symbol("SPY")]),
            [(name("a"), weight("0.5")), (name("b"), weight("0.5"))].into()
        );
    }

    #[test]
    fn the_largest_takes_the_residue() {
        let third = weight("0.3333333333333333333333333333");
        let thirds = [
            (symbol("A"), third),
            (symbol("B"), third),
            (symbol("C"), third),
        ];
        let consolidated = consolidate(&[(name("a"), Weight::ONE, thirds.into())]).unwrap();
        assert_eq!(
            text(&consolidated),
            ["A 0.3333333334", "B 0.3333333333", "C 0.3333333333"]
        );
    }

    #[test]
    fn nothing_at_all_is_a_portfolio() {
        assert_eq!(consolidate(&[]).unwrap(), Consolidated::default());
        let none = (name("a"), Weight::ONE, BTreeMap::new());
        assert_eq!(consolidate(&[none]).unwrap(), Consolidated::default());
    }

    use StrategyStatus::{Failed, Ok as Answered};

    fn shares(
        book: &[(&str, StrategyStatus)],
        on_failure: OnFailure,
    ) -> Result<Vec<String>, String> {
        let book: Vec<_> = book
            .iter()
            .map(|(share, status)| (weight(share), *status))
            .collect();
        let shares = effective_shares(&book, on_failure).map_err(|error| error.to_string())?;
        Ok(shares.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn failures_lead_to_what_the_book_says() {
        let redistribute = |limit| OnFailure::Redistribute {
            limit: weight(limit),
        };
        let one_failed = [("0.5", Answered), ("0.1", Failed), ("0.3", Answered)];
        let all_answered = [("0.5", Answered), ("0.4", Answered)];
        for on_failure in [OnFailure::Fail, OnFailure::Cash, redistribute("0.1")] {
            assert_eq!(shares(&all_answered, on_failure).unwrap(), ["0.5", "0.4"]);
            let none = shares(&[("0.1", Failed)], on_failure);
            assert!(none.is_err());
        }
        assert!(shares(&one_failed, OnFailure::Fail).is_err());
        assert_eq!(
            shares(&one_failed, OnFailure::Cash).unwrap(),
            ["0.5", "0", "0.3"]
        );
        // The book as a whole keeps its 0.9.
        assert_eq!(
            shares(&one_failed, redistribute("0.1")).unwrap(),
            ["0.5625", "0", "0.3375"]
        );
        assert_eq!(
            shares(&one_failed, redistribute("0.09")).unwrap_err(),
            "0.1 of the portfolio belongs to strategies that failed, and the book redistributes \
             at most 0.09 (`max_failed_weight`)"
        );
        assert_eq!(
            shares(&[("0.07", Answered), ("0.03", Failed)], redistribute("1")).unwrap(),
            ["0.1", "0"]
        );
    }

    proptest! {
        #[test]
        fn redistribution_keeps_the_sum_and_the_proportions(
            parts in prop::collection::vec((1_u32..1000, any::<bool>()), 1..8),
        ) {
            let total: u32 = parts.iter().map(|(part, _)| part).sum();
            let book: Vec<_> = parts
                .iter()
                .map(|(part, answered)| {
                    let share = Decimal::from(*part) / Decimal::from(total);
                    let status = if *answered { Answered } else { Failed };
                    (Weight::new(share).unwrap(), status)
                })
                .collect();
            prop_assume!(parts.iter().any(|(_, answered)| *answered));
            let on_failure = OnFailure::Redistribute { limit: Weight::ONE };
            let shares = effective_shares(&book, on_failure).unwrap();
            let sum = |shares: &[Weight]| -> Decimal { shares.iter().map(|share| share.decimal()).sum() };
            let whole: Decimal = book.iter().map(|(share, _)| share.decimal()).sum();
            prop_assert!((sum(&shares) - whole).abs() < Decimal::new(1, 20));
            prop_assert!(shares.iter().zip(&book).all(|(share, (_, status))| share.is_zero() == (*status == Failed)));

            // Order does not matter.
            let reversed: Vec<_> = book.iter().copied().rev().collect();
            let mut back = effective_shares(&reversed, on_failure).unwrap();
            back.reverse();
            prop_assert_eq!(back, shares);
        }

        #[test]
        fn targets_add_up_and_order_does_not_matter(
            parts in prop::collection::vec((1_u32..1000, prop::collection::vec(0_u32..1000, 1..6)), 1..6),
        ) {
            let book: u32 = parts.iter().map(|(share, _)| share).sum();
            let strategies: Vec<_> = parts
                .iter()
                .enumerate()
                .map(|(index, (share, weights))| {
                    let total = weights.iter().sum::<u32>().max(1);
                    let weights = weights
                        .iter()
                        .enumerate()
                        .map(|(index, part)| {
                            let weight = Decimal::from(*part) / Decimal::from(total);
                            (symbol(&format!("S{index}")), Weight::new(weight).unwrap())
                        })
                        .collect();
                    let share = Weight::new(Decimal::from(*share) / Decimal::from(book)).unwrap();
                    (name(&format!("strategy {index}")), share, weights)
                })
                .collect();
            let consolidated = consolidate(&strategies).unwrap();
            let sum: Decimal = consolidated.targets.values().map(|weight| weight.decimal()).sum();
            let unrounded: Decimal = consolidated
                .contributions
                .values()
                .flat_map(BTreeMap::values)
                .map(|weight| weight.decimal())
                .sum();
            prop_assert_eq!(sum, unrounded.round_dp(10));

            let reversed: Vec<_> = strategies.into_iter().rev().collect();
            prop_assert_eq!(consolidate(&reversed).unwrap(), consolidated);
        }
    }
}
