//! Every type of event, on the wire and back.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "what fails here is the test"
)]

use alchemiser_events::*;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn identifier() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9:|-]{1,24}"
}

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

macro_rules! identifiers {
    ($($function:ident: $kind:ty),* $(,)?) => {
        $(fn $function() -> impl Strategy<Value = $kind> {
            identifier().prop_map(|text| <$kind>::parse(&text).unwrap())
        })*
    };
}

identifiers! {
    event_id: EventId,
    correlation_id: CorrelationId,
    causation_id: CausationId,
    plan_id: PlanId,
    client_order_id: ClientOrderId,
    broker_order_id: BrokerOrderId,
    strategy_name: StrategyName,
}

fn symbol() -> impl Strategy<Value = Symbol> {
    "[A-Z0-9]{1,5}([.-][A-Z]{1,2})?".prop_map(|text| Symbol::parse(&text).unwrap())
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0_u32..=12).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn money() -> impl Strategy<Value = Money> {
    prop_oneof![Just(Money::ZERO), decimal().prop_map(Money::new)]
}

fn quantity() -> impl Strategy<Value = Quantity> {
    decimal().prop_map(|number| Quantity::new(number.abs()).unwrap())
}

fn price() -> impl Strategy<Value = Price> {
    (1..=i64::MAX, 0_u32..=12)
        .prop_map(|(digits, scale)| Price::new(Decimal::new(digits, scale)).unwrap())
}

fn weight() -> impl Strategy<Value = Weight> {
    (0..=10_i64.pow(12)).prop_map(|digits| Weight::new(Decimal::new(digits, 12)).unwrap())
}

fn difference() -> impl Strategy<Value = WeightDifference> {
    (-(10_i64.pow(12))..=10_i64.pow(12))
        .prop_map(|digits| WeightDifference(Decimal::new(digits, 12)))
}

/// Any microsecond from 1970 to 2100.
fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..4_102_444_800_000_000_i64).prop_map(|microsecond| {
        let (seconds, rest) = (microsecond / 1_000_000, microsecond % 1_000_000);
        let whole = Timestamp::parse("1970-01-01T00:00:00Z").unwrap();
        whole
            .after(std::time::Duration::from_secs(seconds.unsigned_abs()))
            .after(std::time::Duration::from_micros(rest.unsigned_abs()))
    })
}

fn session() -> impl Strategy<Value = SessionDate> {
    (1970..2100, 1..=12, 1..=28).prop_map(|(year, month, day)| {
        SessionDate::parse(&format!("{year}-{month:02}-{day:02}")).unwrap()
    })
}

fn reference() -> impl Strategy<Value = BlobReference> {
    vec(any::<u8>(), 0..8).prop_map(|content| BlobReference::to(&content))
}

fn produced_by() -> impl Strategy<Value = ProducedBy> {
    (text(), identifier(), reference()).prop_map(|(plugin, version, reference)| ProducedBy {
        plugin,
        version,
        sha256: reference.sha256,
    })
}

fn error_detail() -> impl Strategy<Value = ErrorDetail> {
    (
        identifier(),
        text(),
        any::<bool>(),
        btree_map(text(), text(), 0..3),
    )
        .prop_map(|(class, message, retryable, context)| ErrorDetail {
            class,
            message,
            retryable,
            context,
        })
}

fn side() -> impl Strategy<Value = Side> {
    select(vec![Side::Sell, Side::Buy])
}

fn mode() -> impl Strategy<Value = TradingMode> {
    select(vec![TradingMode::Paper, TradingMode::Live])
}

fn order() -> impl Strategy<Value = OrderResult> {
    use OrderStatus::{Filled, Partial, Rejected, Skipped, Unfilled, Unknown};
    let names = (client_order_id(), option::of(broker_order_id()));
    let kind = (
        symbol(),
        side(),
        select(vec![Filled, Partial, Unfilled, Rejected, Skipped, Unknown]),
        select(vec![OrderType::Market, OrderType::Limit]),
        any::<bool>(),
    );
    let amounts = (
        quantity(),
        quantity(),
        quantity(),
        option::of(price()),
        money(),
    );
    let times = (timestamp(), option::of(timestamp()), option::of(text()));
    (names, kind, amounts, times).prop_map(|(names, kind, amounts, times)| OrderResult {
        symbol: kind.0,
        action: kind.1,
        status: kind.2,
        success: kind.4,
        client_order_id: names.0,
        order_id: names.1,
        order_type: kind.3,
        requested_qty: amounts.0,
        filled_qty: amounts.1,
        remaining_qty: amounts.2,
        avg_fill_price: amounts.3,
        trade_amount: amounts.4,
        timestamp: times.0,
        filled_at: times.1,
        error_message: times.2,
    })
}

fn execution_data() -> impl Strategy<Value = ExecutionData> {
    use ExecutionStatus::{Failure, NoTrades, PartialSuccess, Success};
    let status = select(vec![Success, PartialSuccess, Failure, NoTrades]);
    let amounts = (money(), money(), money());
    let rest = (any::<u32>(), any::<u32>(), any::<bool>());
    (
        plan_id(),
        status,
        amounts,
        timestamp(),
        vec(order(), 0..3),
        rest,
    )
        .prop_map(
            |(plan_id, status, amounts, execution_timestamp, orders, rest)| ExecutionData {
                plan_id,
                status,
                orders_placed: rest.0,
                orders_succeeded: rest.1,
                total_trade_value: amounts.0,
                execution_timestamp,
                success: rest.2,
                orders,
                cash_before: amounts.1,
                cash_after: amounts.2,
            },
        )
}

fn workflow_started() -> impl Strategy<Value = Payload> {
    (text(), mode(), text(), text(), session(), any::<bool>()).prop_map(
        |(requested_by, trading_mode, stage, strategy_profile, session, dry_run)| {
            Payload::WorkflowStarted(WorkflowStarted {
                workflow_type: WorkflowType::Trading,
                requested_by,
                configuration: WorkflowConfiguration {
                    trading_mode,
                    stage,
                    strategy_profile,
                    session,
                    dry_run,
                },
            })
        },
    )
}

fn strategy_result() -> impl Strategy<Value = StrategyResult> {
    let status = select(vec![StrategyStatus::Ok, StrategyStatus::Failed]);
    let references = (produced_by(), reference(), option::of(reference()));
    (
        (strategy_name(), option::of(text()), weight()),
        (status, option::of(error_detail())),
        btree_map(symbol(), weight(), 0..4),
        session(),
        references,
    )
        .prop_map(
            |(named, ended, allocation, evaluated_at, references)| StrategyResult {
                strategy_id: named.0,
                file: named.1,
                weight: named.2,
                status: ended.0,
                error: ended.1,
                allocation,
                evaluated_at,
                produced_by: references.0,
                inputs_ref: references.1,
                trace_id: references.2,
            },
        )
}

fn signal_generated() -> impl Strategy<Value = Payload> {
    let signal = (
        symbol(),
        weight(),
        btree_map(strategy_name(), weight(), 0..3),
        text(),
    )
        .prop_map(|(symbol, target_weight, contributing, reasoning)| Signal {
            symbol,
            target_weight,
            contributing,
            reasoning,
        });
    let portfolio = (
        btree_map(symbol(), weight(), 0..4),
        correlation_id(),
        timestamp(),
        any::<u32>(),
        vec(strategy_name(), 0..3),
    )
        .prop_map(
            |(target_allocations, correlation_id, timestamp, strategy_count, names)| {
                ConsolidatedPortfolio {
                    target_allocations,
                    correlation_id,
                    timestamp,
                    strategy_count,
                    source_strategies: names,
                }
            },
        );
    (
        vec(strategy_result(), 0..3),
        vec(signal, 0..3),
        portfolio,
        any::<u32>(),
    )
        .prop_map(
            |(strategies, signals, consolidated_portfolio, signal_count)| {
                Payload::SignalGenerated(SignalGenerated {
                    signals_data: SignalsData {
                        strategies,
                        signals,
                    },
                    consolidated_portfolio,
                    signal_count,
                })
            },
        )
}

fn plan_item() -> impl Strategy<Value = PlanItem> {
    let action = select(vec![PlanAction::Sell, PlanAction::Buy, PlanAction::Hold]);
    let weights = (weight(), weight(), difference());
    let amounts = (money(), money(), money(), quantity(), quantity(), price());
    let rest = (
        1_u8..=5,
        any::<bool>(),
        btree_map(strategy_name(), weight(), 0..3),
    );
    (symbol(), action, weights, amounts, rest).prop_map(
        |(symbol, action, weights, amounts, rest)| PlanItem {
            symbol,
            action,
            priority: rest.0,
            current_weight: weights.0,
            target_weight: weights.1,
            weight_diff: weights.2,
            current_value: amounts.0,
            target_value: amounts.1,
            trade_amount: amounts.2,
            current_qty: amounts.3,
            target_qty: amounts.4,
            reference_price: amounts.5,
            close_position: rest.1,
            strategy_attribution: rest.2,
        },
    )
}

fn rebalance_planned() -> impl Strategy<Value = Payload> {
    let plan = (
        plan_id(),
        correlation_id(),
        causation_id(),
        timestamp(),
        vec(plan_item(), 0..3),
        (money(), money(), money()),
    )
        .prop_map(
            |(plan_id, correlation_id, causation_id, timestamp, items, amounts)| RebalancePlan {
                plan_id,
                correlation_id,
                causation_id,
                timestamp,
                items,
                total_portfolio_value: amounts.0,
                cash: amounts.1,
                total_trade_value: amounts.2,
            },
        );
    let comparison = (
        btree_map(symbol(), weight(), 0..3),
        btree_map(symbol(), weight(), 0..3),
        btree_map(symbol(), difference(), 0..3),
        btree_map(symbol(), money(), 0..3),
        btree_map(symbol(), money(), 0..3),
    )
        .prop_map(|maps| AllocationComparison {
            target_values: maps.0,
            current_values: maps.1,
            deltas: maps.2,
            target_money: maps.3,
            current_money: maps.4,
        });
    (plan, comparison, any::<bool>(), timestamp()).prop_map(
        |(rebalance_plan, allocation_comparison, trades_required, deadline)| {
            Payload::RebalancePlanned(RebalancePlanned {
                rebalance_plan,
                allocation_comparison,
                trades_required,
                deadline,
            })
        },
    )
}

fn trade_executed() -> impl Strategy<Value = Payload> {
    let counts = (any::<u32>(), any::<u32>());
    (
        execution_data(),
        any::<bool>(),
        counts,
        option::of(text()),
        vec(symbol(), 0..3),
    )
        .prop_map(
            |(execution_data, success, counts, failure_reason, failed_symbols)| {
                Payload::TradeExecuted(TradeExecuted {
                    execution_data,
                    success,
                    orders_placed: counts.0,
                    orders_succeeded: counts.1,
                    failure_reason,
                    failed_symbols,
                })
            },
        )
}

fn workflow_completed() -> impl Strategy<Value = Payload> {
    (any::<i64>(), any::<u32>(), any::<u32>(), money(), plan_id()).prop_map(
        |(workflow_duration_ms, orders_placed, orders_succeeded, value, execution_plan_id)| {
            Payload::WorkflowCompleted(WorkflowCompleted {
                workflow_type: WorkflowType::Trading,
                workflow_duration_ms,
                success: true,
                summary: WorkflowSummary {
                    orders_placed,
                    orders_succeeded,
                    total_trade_value: value,
                    execution_plan_id,
                },
            })
        },
    )
}

fn workflow_failed() -> impl Strategy<Value = Payload> {
    use WorkflowStep::{Orchestration, PortfolioAnalysis, SignalGeneration, TradeExecution};
    let steps = vec![
        SignalGeneration,
        PortfolioAnalysis,
        TradeExecution,
        Orchestration,
    ];
    (
        text(),
        select(steps),
        error_detail(),
        select(EventType::ALL.to_vec()),
        event_id(),
        option::of(execution_data()),
    )
        .prop_map(
            |(failure_reason, failure_step, error, event_type, event_id, data)| {
                Payload::WorkflowFailed(WorkflowFailed {
                    workflow_type: WorkflowType::Trading,
                    failure_reason,
                    failure_step,
                    error,
                    original_event_type: event_type,
                    original_event_id: event_id,
                    execution_data: data,
                })
            },
        )
}

fn trading_notification() -> impl Strategy<Value = Payload> {
    let counts = (any::<u32>(), any::<u32>(), money());
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    (
        any::<bool>(),
        mode(),
        counts,
        option::of(execution_data()),
        texts,
    )
        .prop_map(
            |(trading_success, trading_mode, counts, execution_data, texts)| {
                Payload::TradingNotificationRequested(TradingNotificationRequested {
                    trading_success,
                    trading_mode,
                    orders_placed: counts.0,
                    orders_succeeded: counts.1,
                    total_trade_value: counts.2,
                    execution_data,
                    error_message: texts.0,
                    error_code: texts.1,
                    recipient_override: texts.2,
                })
            },
        )
}

fn error_notification() -> impl Strategy<Value = Payload> {
    let severity = select(vec![
        ErrorSeverity::Critical,
        ErrorSeverity::High,
        ErrorSeverity::Medium,
    ]);
    let priority = select(vec![
        ErrorPriority::Urgent,
        ErrorPriority::High,
        ErrorPriority::Medium,
    ]);
    (
        severity,
        priority,
        text(),
        text(),
        option::of(text()),
        option::of(text()),
    )
        .prop_map(
            |(error_severity, error_priority, error_title, error_report, error_code, recipient)| {
                Payload::ErrorNotificationRequested(ErrorNotificationRequested {
                    error_severity,
                    error_priority,
                    error_title,
                    error_report,
                    error_code,
                    recipient_override: recipient,
                })
            },
        )
}

fn system_notification() -> impl Strategy<Value = Payload> {
    let kind = select(vec![
        NotificationKind::Info,
        NotificationKind::Warning,
        NotificationKind::Alert,
    ]);
    (kind, text(), text(), option::of(text())).prop_map(
        |(notification_type, subject, text_content, recipient_override)| {
            Payload::SystemNotificationRequested(SystemNotificationRequested {
                notification_type,
                subject,
                text_content,
                recipient_override,
            })
        },
    )
}

fn payload(event_type: EventType) -> BoxedStrategy<Payload> {
    match event_type {
        EventType::WorkflowStarted => workflow_started().boxed(),
        EventType::SignalGenerated => signal_generated().boxed(),
        EventType::RebalancePlanned => rebalance_planned().boxed(),
        EventType::TradeExecuted => trade_executed().boxed(),
        EventType::WorkflowCompleted => workflow_completed().boxed(),
        EventType::WorkflowFailed => workflow_failed().boxed(),
        EventType::TradingNotificationRequested => trading_notification().boxed(),
        EventType::ErrorNotificationRequested => error_notification().boxed(),
        EventType::SystemNotificationRequested => system_notification().boxed(),
    }
}

fn event_of(event_type: EventType) -> impl Strategy<Value = Event> {
    let identity = (correlation_id(), causation_id(), event_id(), timestamp());
    let source = select(event_type.producers().to_vec());
    let origin = (source, option::of(text()), 0_u32..3, any::<u32>());
    let plugin = (option::of(produced_by()), option::of(reference()));
    (identity, origin, plugin, payload(event_type)).prop_map(
        |(identity, (source_module, source_component, minor, sequence), plugin, payload)| {
            let version = format!("1.{minor}");
            Event {
                header: Header {
                    correlation_id: identity.0,
                    causation_id: identity.1,
                    event_id: identity.2,
                    timestamp: identity.3,
                    source_module,
                    source_component,
                    schema_version: SchemaVersion::try_from(version).unwrap(),
                    sequence,
                    produced_by: plugin.0,
                    inputs_ref: plugin.1,
                },
                payload,
            }
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    select(EventType::ALL.to_vec()).prop_flat_map(event_of)
}

/// Visits every value, with the name of the field that it is in.
fn visit(value: &mut Value, field: &str, change: &mut impl FnMut(&str, &mut Value)) {
    change(field, value);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                visit(value, &name.clone(), change);
            }
        }
        Value::Array(values) => {
            for value in values {
                visit(value, field, change);
            }
        }
        _ => {}
    }
}

const DECIMAL_FIELDS: [&str; 19] = [
    "weight",
    "target_weight",
    "current_weight",
    "weight_diff",
    "current_value",
    "target_value",
    "trade_amount",
    "current_qty",
    "target_qty",
    "reference_price",
    "total_portfolio_value",
    "total_trade_value",
    "cash",
    "cash_before",
    "cash_after",
    "requested_qty",
    "filled_qty",
    "remaining_qty",
    "avg_fill_price",
];

const TIME_FIELDS: [&str; 5] = [
    "timestamp",
    "time",
    "deadline",
    "execution_timestamp",
    "filled_at",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reading_what_was_written_gives_the_same_bytes(event in event()) {
        let written = event.to_json();
        prop_assert!(!written.is_empty());
        let read: Event = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&read.header, &event.header);
        prop_assert_eq!(&read.payload, &event.payload);
        prop_assert_eq!(read.to_json(), written);
    }

    #[test]
    fn an_envelope_holds_the_whole_event(event in event()) {
        let envelope = event.envelope();
        prop_assert_eq!(&envelope["detail-type"], event.event_type().name());
        prop_assert_eq!(&envelope["source"], &event.header.source_module.wire_name());
        let read = Event::from_envelope(&envelope).unwrap();
        prop_assert_eq!(read.to_json(), event.to_json());
    }

    #[test]
    fn an_envelope_that_contradicts_its_event_is_refused(
        event in event(),
        other_type in select(EventType::ALL.to_vec()),
        other_source in select(Source::ALL.to_vec()),
    ) {
        let envelope = event.envelope();
        if other_type != event.event_type() {
            let mut wrong = envelope.clone();
            wrong["detail-type"] = json!(other_type);
            let refused = matches!(Event::from_envelope(&wrong), Err(EnvelopeError::Type { .. }));
            prop_assert!(refused);
        }
        if other_source != event.header.source_module {
            let mut wrong = envelope.clone();
            wrong["source"] = json!(other_source.wire_name());
            let refused = matches!(Event::from_envelope(&wrong), Err(EnvelopeError::Source { .. }));
            prop_assert!(refused);
        }
        for field in ["detail-type", "source", "detail"] {
            let mut wrong = envelope.clone();
            wrong.as_object_mut().unwrap().remove(field);
            prop_assert!(Event::from_envelope(&wrong).is_err(), "without {}", field);
        }
    }

    #[test]
    fn only_a_types_own_producers_may_emit_it(
        event in event(),
        source in select(Source::ALL.to_vec()),
    ) {
        let event = Event { header: Header { source_module: source, ..event.header }, ..event };
        let read = Event::from_envelope(&event.envelope());
        if event.event_type().producers().contains(&source) {
            prop_assert!(read.is_ok());
        } else {
            let refused = matches!(read, Err(EnvelopeError::Producer { .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn what_a_newer_minor_version_adds_is_ignored(event in event(), minor in any::<u32>()) {
        let mut newer = serde_json::to_value(&event).unwrap();
        newer["schema_version"] = json!("1.0");
        let as_known: Event = serde_json::from_value(newer.clone()).unwrap();
        newer["schema_version"] = json!(format!("1.{minor}"));
        visit(&mut newer, "", &mut |field, value| {
            // Maps by symbol or by strategy have no fields of their own.
            let is_record = matches!(
                field,
                "" | "rebalance_plan" | "items" | "orders" | "configuration" | "summary"
                    | "execution_data" | "error" | "signals_data" | "consolidated_portfolio"
            );
            if let (true, Some(fields)) = (is_record, value.as_object_mut()) {
                fields.insert("added_later".to_owned(), json!({"a": [1, null]}));
            }
        });
        let read: Event = serde_json::from_value(newer).unwrap();
        prop_assert_eq!(&read.payload, &as_known.payload);
        prop_assert_eq!(String::from(read.header.schema_version), format!("1.{minor}"));
    }

    #[test]
    fn another_major_version_is_refused(event in event(), major in any::<u32>()) {
        prop_assume!(major != 1);
        let mut newer = serde_json::to_value(&event).unwrap();
        newer["schema_version"] = json!(format!("{major}.0"));
        let error = serde_json::from_value::<Event>(newer).unwrap_err().to_string();
        prop_assert!(error.contains("major version"), "{}", error);
    }

    #[test]
    fn times_have_six_digits_everywhere(event in event()) {
        let mut envelope = event.envelope();
        let mut seen = 0;
        let mut wrong = None;
        visit(&mut envelope, "", &mut |field, value| {
            if let (true, Some(text)) = (TIME_FIELDS.contains(&field), value.as_str()) {
                seen += 1;
                let digits = text.rsplit_once('.').map_or("", |(_, digits)| digits);
                if !(digits.len() == 7 && digits.ends_with('Z')) {
                    wrong = Some(text.to_owned());
                }
            }
        });
        prop_assert!(seen >= 2);
        prop_assert_eq!(wrong, None);
    }

    /// Whoever writes events by hand may write numbers.
    #[test]
    fn decimals_are_read_from_numbers_too(cents in -1_000_000_i64..1_000_000, event in event()) {
        let amount = Decimal::new(cents, 2).abs() + Decimal::ONE;
        let mut as_text = serde_json::to_value(&event).unwrap();
        visit(&mut as_text, "", &mut |field, value| {
            if DECIMAL_FIELDS.contains(&field) && value.is_string() {
                let fraction = field.contains("weight");
                let number = if fraction { Decimal::ONE / Decimal::from(8) } else { amount };
                *value = json!(number.to_string());
            }
        });
        let mut as_number = as_text.clone();
        visit(&mut as_number, "", &mut |field, value| {
            if let (true, Some(text)) = (DECIMAL_FIELDS.contains(&field), value.as_str()) {
                *value = serde_json::from_str(text).unwrap();
            }
        });
        let from_text: Event = serde_json::from_value(as_text).unwrap();
        let from_number: Event = serde_json::from_value(as_number).unwrap();
        prop_assert_eq!(from_number.to_json(), from_text.to_json());
    }

    #[test]
    fn equal_amounts_have_equal_text(one in decimal(), scale in 0_u32..6) {
        let mut other = one;
        other.rescale(one.scale() + scale);
        prop_assert_eq!(one, other);
        prop_assert_eq!(Money::new(one).to_string(), Money::new(other).to_string());
        if let (Ok(one), Ok(other)) = (Price::new(one), Price::new(other)) {
            prop_assert_eq!(one.to_string(), other.to_string());
        }
    }
}

#[test]
fn nothing_has_no_sign() {
    let tenth_of_a_cent = Decimal::new(-1, 3);
    for nothing in [
        Money::ZERO,
        Money::default(),
        Money::new(tenth_of_a_cent),
        -Money::ZERO,
        Money::new(-Decimal::ONE) + Money::new(Decimal::ONE),
        Money::new(Decimal::ONE) - Money::new(Decimal::ONE),
        serde_json::from_str("\"-0.00\"").unwrap(),
    ] {
        assert_eq!(nothing.to_string(), "0.00");
    }
    let minus_zero = -Decimal::ZERO;
    assert_eq!(Quantity::new(minus_zero).unwrap().to_string(), "0");
    assert_eq!(Weight::new(minus_zero).unwrap().to_string(), "0");
}
