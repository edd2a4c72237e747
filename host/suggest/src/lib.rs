//! "Did you mean …?": the advice that comes with a word that nobody knows.
//!
//! *Invariant:* this crate does no I/O.

/// The known word that a word was most likely meant to be, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        // Below this, two words have little more in common than their length,
        // unless both are short and a single slip lies between them.
        .filter(|(likeness, candidate)| {
            *likeness > 0.8 || strsim::damerau_levenshtein(word, candidate) == 1
        })
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// Advice for a word that is not among the known ones: the nearest of them, or
/// all of them when none is near.
pub fn instead_of(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known here: `{}`", known.join("`, `")),
    }
}

/// serde's message, with advice when it is about a key or a value that nobody
/// knows; serde then lists the known ones in prose.
pub fn with_advice(message: &str) -> String {
    let message = message.trim();
    let unknown = |what, name| {
        let (unknown, known) = message.strip_prefix(what)?.split_once("`, expected ")?;
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let advice = instead_of(unknown, &known);
        Some(format!("unknown {name} `{unknown}`; {advice}"))
    };
    unknown("unknown field `", "key")
        .or_else(|| unknown("unknown variant `", "value"))
        .unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_come_with_the_nearest() {
        assert_eq!(
            with_advice("unknown field `stat`, expected one of `stage`, `account`, `state`"),
            "unknown key `stat`; did you mean `state`?"
        );
        assert_eq!(
            with_advice("unknown field `colour`, expected `starting_cash` or `spread_bps`\n"),
            "unknown key `colour`; known here: `starting_cash`, `spread_bps`"
        );
        assert_eq!(
            with_advice("unknown variant `pnl`, expected `trade`"),
            "unknown value `pnl`; known here: `trade`"
        );
        assert_eq!(with_advice("invalid type"), "invalid type");
    }

    #[test]
    fn near_is_alike_or_one_slip_away() {
        let known = ["dsl", "momentum", "rebalance"];
        for (word, expected) in [
            ("dls", Some("dsl")),
            ("ds", Some("dsl")),
            ("momentun", Some("momentum")),
            ("rebalancing", Some("rebalance")),
            ("portfolio", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
