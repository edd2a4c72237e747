//! The form of a slice, and what is no slice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use alchemiser_events::Sha256Digest;
use alchemiser_market::{Market, Session};
use std::collections::BTreeMap;
use support::{all, last, market};

#[test]
fn the_form() {
    let market = market(&BTreeMap::from([
        ("AAA", vec![Some(100), Some(250), Some(301), Some(400)]),
        ("BBB", vec![None, Some(2000), None, Some(3000)]),
        ("CCC", vec![None, None, None, Some(1)]),
    ]));
    let requirements = [
        last("AAA", 1),
        all("BBB"),
        all("CCC"),
        all("DDD"),
        last("AAA", 2),
    ];
    let slice = market.slice(&requirements, Session(2));
    let expected = "\
# alchemiser market slice 1
# omitted AAA 1 0
date,AAA,BBB,CCC
2020-01-01,,,
2020-01-02,2.5,20,
2020-01-03,3.01,,
";
    assert_eq!(std::str::from_utf8(slice.bytes()).unwrap(), expected);
    assert_eq!(slice.digest(), Sha256Digest::of(expected.as_bytes()));
}

#[test]
fn nothing_required() {
    let market = market(&BTreeMap::from([("AAA", vec![Some(100), Some(250)])]));
    let slice = market.slice(&[], Session(1));
    let restored = Market::from_slice(slice.bytes()).unwrap();
    assert_eq!(restored.calendar(), market.calendar());
    assert_eq!(restored.symbols().len(), 0);
}

#[test]
fn what_is_no_slice() {
    let damaged = "the header of the slice is damaged";
    for (text, message) in [
        ("", format!("not a market slice, line 1: {damaged}")),
        (
            "date,AAA\n2020-01-01,1\n",
            format!("not a market slice, line 1: {damaged}"),
        ),
        (
            "# alchemiser market slice 2\ndate,AAA\n2020-01-01,1\n",
            format!("not a market slice, line 1: {damaged}"),
        ),
        (
            "# alchemiser market slice 1\n# omitted AAA\ndate,AAA\n2020-01-01,1\n",
            format!("not a market slice, line 2: {damaged}"),
        ),
        (
            "# alchemiser market slice 1\n# omitted BBB 1 0\ndate,AAA\n2020-01-01,1\n",
            format!("not a market slice: {damaged}"),
        ),
        (
            // There is no room for two sessions before the first one held.
            "# alchemiser market slice 1\n# omitted AAA 2 0\ndate,AAA\n2020-01-01,\n2020-01-02,1\n",
            format!("not a market slice: {damaged}"),
        ),
        (
            "# alchemiser market slice 1\n# omitted AAA 1 4294967295\ndate,AAA\n2020-01-01,1\n",
            format!("not a market slice: {damaged}"),
        ),
        (
            "# alchemiser market slice 1\ndate,close\n2020-01-01,1\n",
            format!("not a market slice: {damaged}"),
        ),
        (
            "# alchemiser market slice 1\ndate,AAA\n2020-01-01,0\n",
            "not a market slice, line 3: `0` in column `AAA` is not a price: a decimal number \
             above 0, of at most 28 digits"
                .to_owned(),
        ),
    ] {
        let error = Market::from_slice(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}
