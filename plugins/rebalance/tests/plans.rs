//! Worked examples: what is planned, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code, unreachable_pub)]

mod common;

use common::{lines, plan, refused, request};

#[test]
fn worked_examples() {
    // Each account is worth 10,000.00; a trade is made from 100.00 on.
    let table = [
        (
            "an exit, and two buys by priority",
            request(
                "4503.77",
                &[("SPY", "0.6"), ("QQQ", "0.4")],
                &[("SPY", "10"), ("TLT", "5.5")],
                &[("SPY", "500.123"), ("TLT", "90"), ("QQQ", "400")],
            ),
            vec![
                "SELL TLT -495.00 to 0, closed",
                "BUY QQQ 3960.00 to 9.9",
                "BUY SPY 938.77 to 11.877078",
            ],
        ),
        (
            "at the target",
            request(
                "100",
                &[("SPY", "1")],
                &[("SPY", "19.8")],
                &[("SPY", "500")],
            ),
            vec!["HOLD SPY 0.00 to 19.8"],
        ),
        (
            "exactly the smallest trade",
            request(
                "200",
                &[("SPY", "1")],
                &[("SPY", "19.6")],
                &[("SPY", "500")],
            ),
            vec!["BUY SPY 100.00 to 19.8"],
        ),
        (
            "a cent below the smallest trade",
            request(
                "199.99",
                &[("SPY", "1")],
                &[("SPY", "19.60002")],
                &[("SPY", "500")],
            ),
            vec!["HOLD SPY 0.00 to 19.60002"],
        ),
        (
            "an exit below the smallest trade",
            request(
                "9995",
                &[("SPY", "1")],
                &[("DUST", "1")],
                &[("SPY", "500"), ("DUST", "5")],
            ),
            vec!["SELL DUST -5.00 to 0, closed", "BUY SPY 9900.00 to 19.8"],
        ),
        (
            "an exit too small even for that",
            request(
                "9995.01",
                &[("SPY", "1")],
                &[("DUST", "1")],
                &[("SPY", "500"), ("DUST", "4.99")],
            ),
            vec!["BUY SPY 9900.00 to 19.8", "HOLD DUST 0.00 to 1"],
        ),
        (
            "a tiny target is no exit",
            request(
                "9000",
                &[("SPY", "0.99999"), ("X", "0.00001")],
                &[("X", "10")],
                &[("SPY", "500"), ("X", "100")],
            ),
            // 9.90 dollars are wanted in X at 1 % reserve: 0.099 shares.
            vec!["SELL X -999.90 to 0.00099", "BUY SPY 9899.90 to 19.799802"],
        ),
        (
            "weights that leave a part uninvested",
            request("10000", &[("SPY", "0.98")], &[], &[("SPY", "500")]),
            vec!["BUY SPY 9702.00 to 19.404"],
        ),
        (
            "no target at all sells everything",
            request("0", &[], &[("SPY", "20")], &[("SPY", "500")]),
            vec!["SELL SPY -10000.00 to 0, closed"],
        ),
        (
            "a target of zero for something not held",
            request("10000", &[("SPY", "0")], &[], &[("SPY", "500")]),
            vec!["HOLD SPY 0.00 to 0"],
        ),
        (
            "nothing held and nothing wanted",
            request("10000", &[], &[], &[]),
            vec![],
        ),
        (
            "no money",
            request("0", &[("SPY", "1")], &[], &[("SPY", "500")]),
            vec!["HOLD SPY 0.00 to 0"],
        ),
    ];
    for (what, request, expected) in table {
        assert_eq!(lines(&plan(&request)), expected, "{what}");
    }
}

#[test]
fn an_item_in_full() {
    let request = request(
        "4503.77",
        &[("SPY", "0.6"), ("QQQ", "0.4")],
        &[("SPY", "10.0"), ("TLT", "5.5")],
        &[("SPY", "500.123"), ("TLT", "90.00"), ("QQQ", "400")],
    );
    let plan = plan(&request);
    assert_eq!(plan.portfolio_value, "10000.00");
    assert_eq!(plan.total_trade_value, "5393.77");
    let [_, _, spy] = plan.items.as_slice() else {
        panic!("three items: {plan:?}");
    };
    assert_eq!(spy.priority, 3);
    assert_eq!(spy.current_quantity, "10");
    assert_eq!(spy.reference_price, "500.123");
    assert_eq!(spy.current_value, "5001.23");
    assert_eq!(spy.target_value, "5940.00");
    assert_eq!(spy.current_weight, "0.500123");
    assert_eq!(spy.target_weight, "0.594");
}

#[test]
fn items_stand_in_the_order_of_execution() {
    let request = request(
        "20000",
        &[
            ("A", "0.25"),
            ("B", "0.25"),
            ("C", "0.02"),
            ("D", "0.1"),
            ("E", "0.2"),
        ],
        &[("D", "10000"), ("E", "60000"), ("Z", "100"), ("Y", "100")],
        &[
            ("A", "1"),
            ("B", "1"),
            ("C", "1"),
            ("D", "1"),
            ("E", "1"),
            ("Y", "1"),
            ("Z", "50"),
        ],
    );
    let order: Vec<(String, u8)> = plan(&request)
        .items
        .iter()
        .map(|item| {
            (
                format!("{} {}", common::name(item.action), item.symbol),
                item.priority,
            )
        })
        .collect();
    let expected = [
        ("SELL E", 1),
        ("SELL Z", 2),
        ("SELL Y", 3),
        ("BUY A", 1),
        ("BUY B", 1),
        ("BUY C", 2),
        ("HOLD D", 3),
    ];
    assert_eq!(
        order,
        expected.map(|(text, priority)| (text.to_owned(), priority))
    );
}

#[test]
fn priorities_follow_the_size_of_the_difference() {
    for (amount, priority) in [
        ("10000", 1),
        ("9999.99", 2),
        ("1000", 2),
        ("999.99", 3),
        ("100", 3),
        ("99.99", 4),
        ("50", 4),
        ("49.99", 5),
    ] {
        let request = request("1", &[], &[("X", amount)], &[("X", "1")]);
        assert_eq!(plan(&request).items[0].priority, priority, "{amount}");
    }
}

#[test]
fn whole_shares_are_bought_and_sold_whole() {
    let whole = |cash: &str, weight: &str, held: &str| {
        let mut request = request(cash, &[("X", weight)], &[("X", held)], &[("X", "300")]);
        request.instruments[0].fractionable = false;
        request.settings.cash_reserve = "0".to_owned();
        lines(&plan(&request))
    };
    // The target of 5000 dollars is 16.67 shares.
    assert_eq!(whole("10000", "0.5", "0"), ["BUY X 5000.00 to 16"]);
    assert_eq!(whole("4000", "0.5", "20"), ["SELL X -1000.00 to 16"]);
    // What is missing does not pay for a share.
    assert_eq!(whole("5200", "0.5", "16"), ["HOLD X 0.00 to 16"]);
    assert_eq!(whole("100", "0", "3"), ["SELL X -900.00 to 0, closed"]);
}

#[test]
fn buys_are_scaled_to_cash_and_expected_proceeds() {
    // The whole value moves from A to B and C: 0.5 % of the proceeds is not
    // counted on, so that 9,950 dollars are there for 10,000.
    let mut request = request(
        "0",
        &[("B", "0.6"), ("C", "0.4")],
        &[("A", "100")],
        &[("A", "100"), ("B", "50"), ("C", "20")],
    );
    request.settings.cash_reserve = "0".to_owned();
    let expected = [
        "SELL A -10000.00 to 0, closed",
        "BUY B 5970.00 to 119.4",
        "BUY C 3980.00 to 199",
    ];
    assert_eq!(lines(&plan(&request)), expected);
    assert_eq!(plan(&request).items[1].target_value, "6000.00");

    request.settings.allow_margin = true;
    let expected = [
        "SELL A -10000.00 to 0, closed",
        "BUY B 6000.00 to 120",
        "BUY C 4000.00 to 200",
    ];
    assert_eq!(lines(&plan(&request)), expected);
}

#[test]
fn a_buy_that_scaling_makes_too_small_is_given_up_for_the_others() {
    // A is over its target by 99 dollars, too little to sell, and the cash
    // reserve is 0: 901 dollars are there for buys of 1,000.
    let mut request = request(
        "901",
        &[("A", "0.9"), ("B", "0.0895"), ("C", "0.0105")],
        &[("A", "90.99")],
        &[("A", "100"), ("B", "1"), ("C", "1")],
    );
    request.settings.cash_reserve = "0".to_owned();
    let expected = [
        "BUY B 895.00 to 895",
        "HOLD C 0.00 to 0",
        "HOLD A 0.00 to 90.99",
    ];
    let mut lines = lines(&plan(&request));
    lines[1..].sort_by_key(|line| !line.contains(" C "));
    assert_eq!(lines, expected);
}

#[test]
fn an_account_that_borrows_can_sell_but_not_buy() {
    let request = request(
        "-2000",
        &[("A", "0.5"), ("B", "0.5")],
        &[("A", "120")],
        &[("A", "100"), ("B", "10")],
    );
    // Proceeds of 7,050 dollars pay the debt first: 5,014.75 are left.
    assert_eq!(
        lines(&plan(&request)),
        ["SELL A -7050.00 to 49.5", "BUY B 4950.00 to 495"]
    );
    let debt = common::apply(&request, &plan(&request));
    assert_eq!(common::decimal(&debt.cash), common::decimal("100"));
}

#[test]
fn nothing_is_traded_while_no_weight_is_off_by_the_threshold() {
    let held = |quantity: &str, cash: &str| {
        let mut request = request(
            cash,
            &[("SPY", "1")],
            &[("SPY", quantity)],
            &[("SPY", "100")],
        );
        request.settings.cash_reserve = "0".to_owned();
        request.settings.rebalance_threshold = "0.05".to_owned();
        lines(&plan(&request))
    };
    assert_eq!(held("95.01", "499"), ["HOLD SPY 0.00 to 95.01"]);
    assert_eq!(held("95", "500"), ["BUY SPY 500.00 to 100"]);
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let good = || {
        request(
            "1000",
            &[("SPY", "0.5")],
            &[("TLT", "1")],
            &[("SPY", "500"), ("TLT", "90")],
        )
    };
    let with = |change: &dyn Fn(&mut alchemiser_sdk::planner::Request)| {
        let mut request = good();
        change(&mut request);
        let error = refused(&request);
        format!(
            "{error} [{} {}]",
            error.symbol.as_deref().unwrap_or_default(),
            error.what.as_deref().unwrap_or_default()
        )
    };
    let table = [
        (
            with(&|request| request.targets[0].weight = "1.01".into()),
            "ArgumentError: the weight of `SPY` is 1.01, and must be from 0 to 1 [SPY weight]",
        ),
        (
            with(&|request| request.targets[0].weight = "-0.1".into()),
            "ArgumentError: the weight of `SPY` is -0.1, and must be from 0 to 1 [SPY weight]",
        ),
        (
            with(&|request| request.settings.max_position = "0.4".into()),
            "ArgumentError: the weight of `SPY` is 0.5, above the largest position, 0.4 [SPY weight]",
        ),
        (
            with(&|request| {
                let mut other = request.targets[0].clone();
                other.symbol = "TLT".into();
                other.weight = "0.500000002".into();
                request.targets.push(other);
            }),
            "ArgumentError: the weights add up to 1.000000002, and may not exceed 1 [ weight]",
        ),
        (
            with(&|request| request.instruments.clear()),
            "ArgumentError: there is no price for `SPY`, `TLT` [SPY price]",
        ),
        (
            with(&|request| request.targets.push(request.targets[0].clone())),
            "ArgumentError: there are two targets for `SPY` [SPY weight]",
        ),
        (
            with(&|request| request.positions.push(request.positions[0].clone())),
            "ArgumentError: there are two positions for `TLT` [TLT quantity]",
        ),
        (
            with(&|request| request.instruments.push(request.instruments[1].clone())),
            "ArgumentError: there are two instruments for `TLT` [TLT price]",
        ),
        (
            with(&|request| request.positions[0].quantity = "-1".into()),
            "ArgumentError: the quantity of `TLT` is -1, and must be from 0 to 1000000000000 [TLT quantity]",
        ),
        (
            with(&|request| request.instruments[1].price = "0".into()),
            "ArgumentError: the price of `TLT` is 0, and must be from 0.000000001 to 1000000000 [TLT price]",
        ),
        (
            with(&|request| request.instruments[1].price = "9e1".into()),
            "ArgumentError: the price of `TLT` is `9e1`, which is no decimal number [TLT price]",
        ),
        (
            with(&|request| request.cash = "1_000".into()),
            "ArgumentError: `cash` is `1_000`, which is no decimal number [ cash]",
        ),
        (
            with(&|request| request.cash = "-90".into()),
            "ArgumentError: the account holds 90.00 and its cash is -90.00; together they must be \
             above 0 and at most 1000000000000000 [ cash]",
        ),
        (
            with(&|request| request.settings.cash_reserve = "1".into()),
            "ArgumentError: the cash reserve is everything, and must be below 1 [ cash-reserve]",
        ),
        (
            with(&|request| request.settings.min_trade_share = "".into()),
            "ArgumentError: `min-trade-share` is ``, which is no decimal number [ min-trade-share]",
        ),
        (
            with(&|request| request.parameters = r#"{"reserve": 1}"#.into()),
            "ParameterError: parameters: unknown key `reserve`; none is known here [ reserve]",
        ),
    ];
    for (message, expected) in table {
        assert_eq!(message, expected);
    }
}

#[test]
fn weights_may_exceed_one_by_their_rounding() {
    let request = request(
        "1000",
        &[("A", "0.5"), ("B", "0.500000001")],
        &[],
        &[("A", "1"), ("B", "1")],
    );
    assert_eq!(plan(&request).items.len(), 2);
}
