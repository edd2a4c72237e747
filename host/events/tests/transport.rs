//! Events that are larger than the transport takes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here is the test"
)]

use alchemiser_events::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const LIMIT: usize = DEFAULT_LARGEST_ENTRY;

/// An event with a small field, a long one and another.
fn event(long: &str, other: &str) -> Event {
    let correlation_id = CorrelationId::parse("dev-paper-2022-12-28-1600").unwrap();
    let causation_id = CausationId::command(&correlation_id);
    let event_type = EventType::WorkflowFailed;
    Event {
        header: Header {
            event_id: EventId::derive(&causation_id, "strategy", event_type, 0, 0),
            correlation_id,
            causation_id: causation_id.clone(),
            timestamp: Timestamp::parse("2022-12-28T21:00:00Z").unwrap(),
            source_module: Source::Strategy,
            source_component: None,
            schema_version: SchemaVersion::default(),
            sequence: 2,
            produced_by: None,
            inputs_ref: None,
        },
        payload: Payload::WorkflowFailed(WorkflowFailed {
            workflow_type: WorkflowType::Trading,
            failure_reason: long.to_owned(),
            failure_step: WorkflowStep::SignalGeneration,
            error: ErrorDetail {
                class: "Broken".to_owned(),
                message: other.to_owned(),
                retryable: false,
                context: BTreeMap::new(),
            },
            original_event_type: EventType::WorkflowStarted,
            original_event_id: EventId::parse("workflow-started-1").unwrap(),
            execution_data: None,
        }),
    }
}

/// One whose entry has exactly so many bytes.
fn event_of_size(size: usize) -> Event {
    let empty = event("", "");
    let rest = empty.entry_size(&empty.to_json());
    event(&"x".repeat(size - rest), "")
}

/// Text that no compression makes shorter by much: two thirds of it are noise.
fn noise(length: usize) -> String {
    let mut digest = Sha256Digest::of(b"noise");
    let mut text = String::new();
    while text.len() < length {
        digest = Sha256Digest::of(digest.bytes());
        // Six bits in each character.
        text.extend(digest.bytes().iter().map(|byte| {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
            char::from(alphabet[usize::from(byte % 64)])
        }));
    }
    text.truncate(length);
    text
}

fn packed(parcel: &Parcel) -> Box<PackedEvent> {
    match Transported::parse(&parcel.detail).unwrap() {
        Transported::Packed(packed) => packed,
        Transported::Whole(_) => panic!("it is whole"),
    }
}

fn reference(parcel: &Parcel) -> PayloadRef {
    let transported = Transported::parse(&parcel.detail).unwrap();
    transported.payload_ref().unwrap().clone()
}

fn unpack(parcel: &Parcel) -> String {
    packed(parcel).unpack_json(parcel.blob.as_deref()).unwrap()
}

#[test]
fn the_whole_entry_counts_as_eventbridge_counts_it() {
    let event = event("€", "");
    let detail = event.to_json();
    // 14 for the time, then source, detail-type, detail and both resources.
    let strings = "alchemiser.strategy".len()
        + "WorkflowFailed".len()
        + "correlation:dev-paper-2022-12-28-1600".len()
        + "causation:cmd:dev-paper-2022-12-28-1600".len();
    assert_eq!(event.entry_size(&detail), 14 + strings + detail.len());
    let in_characters = detail.chars().count();
    assert_eq!(detail.len(), in_characters + 2, "bytes, not characters");
}

#[test]
fn what_fits_is_left_alone_to_the_byte() {
    for size in [199_999, LIMIT] {
        let event = event_of_size(size);
        let parcel = event.pack(LIMIT).unwrap();
        assert_eq!(event.entry_size(&parcel.detail), size);
        assert_eq!((parcel.is_packed(), &parcel.blob), (false, &None));
        assert_eq!(parcel.detail, event.to_json());
        let transported = Transported::parse(&parcel.detail).unwrap();
        assert!(matches!(transported, Transported::Whole(_)));
    }
}

#[test]
fn what_is_a_byte_too_large_is_compressed_within_the_event() {
    for size in [LIMIT + 1, 262_144, 262_145, 1_048_577, 10_000_000] {
        let event = event_of_size(size);
        let parcel = event.pack(LIMIT).unwrap();
        assert!(event.entry_size(&parcel.detail) <= LIMIT);
        assert_eq!(parcel.blob, None);
        assert_eq!(reference(&parcel).fields, ["failure_reason"]);
        assert_eq!(unpack(&parcel), event.to_json());
        assert_eq!(parcel, event.pack(LIMIT).unwrap(), "the same bytes");
    }
}

#[test]
fn what_cannot_be_compressed_becomes_a_blob() {
    for length in [LIMIT, 300_000, 2_000_000] {
        let event = event(&noise(length), "");
        let parcel = event.pack(LIMIT).unwrap();
        let reference = reference(&parcel);
        let blob = parcel.blob.clone().unwrap();
        assert_eq!(reference.gzip, None);
        assert_eq!(reference.content, BlobReference::to(&blob));
        assert_eq!(packed(&parcel).blob(), Some(&reference.content));
        // The blob can be read without this program.
        let content: Value = serde_json::from_slice(&blob).unwrap();
        assert_eq!(content, json!({"failure_reason": noise(length)}));
        assert!(parcel.detail.len() < 2_000);
        assert_eq!(unpack(&parcel), event.to_json());
    }
}

#[test]
fn what_identifies_an_event_and_its_small_fields_stay() {
    let event = event(&noise(300_000), "");
    let parcel = event.pack(LIMIT).unwrap();
    let envelope = parcel.envelope(&event);
    let whole = event.envelope();
    for field in ["id", "source", "detail-type", "time", "resources"] {
        assert_eq!(envelope[field], whole[field]);
    }
    for (field, value) in whole["detail"].as_object().unwrap() {
        let expected = match field.as_str() {
            "failure_reason" => &Value::Null,
            _ => value,
        };
        assert_eq!(&envelope["detail"][field], expected, "{field}");
    }
    let transported = Transported::parse(&parcel.detail).unwrap();
    assert_eq!(transported.envelope(), envelope);
    assert_eq!(*transported.header(), event.header);
    assert_eq!(transported.event_type(), event.event_type());
    assert!(transported.check_producer().is_ok());
}

#[test]
fn only_as_many_fields_leave_as_have_to_and_the_largest_first() {
    let fields = |event: &Event| reference(&event.pack(LIMIT).unwrap()).fields;
    // One is enough.
    assert_eq!(
        fields(&event(&noise(150_000), &noise(140_000))),
        ["failure_reason"]
    );
    assert_eq!(fields(&event(&noise(140_000), &noise(150_000))), ["error"]);
    // One is not: with either of them the rest would be too large.
    let both = event(&noise(300_000), &noise(290_000));
    let parcel = both.pack(LIMIT).unwrap();
    assert_eq!(reference(&parcel).fields, ["failure_reason", "error"]);
    assert_eq!(unpack(&parcel), both.to_json());
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let mut event = event("short", "short");
    event.header.source_component = Some("x".repeat(5_000));
    let error = event.pack(4_096).unwrap_err();
    assert_eq!(error.size, event.entry_size(&event.to_json()));
    let text = error.to_string();
    assert!(
        text.contains("eventbridge.max_payload_size_bytes"),
        "{text}"
    );
}

#[test]
fn an_event_that_speaks_of_a_reference_is_none_that_has_one() {
    let event = event("\"payload_ref\":{\"fields\":[]}", "payload_ref");
    let detail = event.pack(LIMIT).unwrap().detail;
    assert!(matches!(
        Transported::parse(&detail).unwrap(),
        Transported::Whole(read) if read.to_json() == event.to_json()
    ));
}

/// The detail with something changed in its reference.
fn changed(parcel: &Parcel, change: impl FnOnce(&mut Value)) -> Result<Event, UnpackError> {
    let mut detail: Value = serde_json::from_str(&parcel.detail).unwrap();
    change(&mut detail);
    match Transported::parse(&detail.to_string()).unwrap() {
        Transported::Packed(packed) => packed.unpack(parcel.blob.as_deref()),
        Transported::Whole(event) => Ok(event),
    }
}

#[test]
fn whatever_was_altered_is_noticed() {
    let parcel = event_of_size(LIMIT + 1).pack(LIMIT).unwrap();
    assert!(changed(&parcel, |_| {}).is_ok());
    let error = |change: fn(&mut Value)| changed(&parcel, change).unwrap_err();
    let gzip = |detail: &Value| detail["payload_ref"]["gzip"].as_str().unwrap().to_owned();
    assert!(matches!(
        changed(&parcel, |detail| {
            let text = gzip(detail);
            detail["payload_ref"]["gzip"] = text[..text.len() / 2 / 4 * 4].into();
        }),
        Err(UnpackError::Compression { .. } | UnpackError::Length { .. })
    ));
    assert!(matches!(
        error(|detail| detail["payload_ref"]["gzip"] = "no base64".into()),
        UnpackError::Compression { .. }
    ));
    assert!(matches!(
        error(|detail| detail["payload_ref"]["sha256"] = json!(Sha256Digest::of(b"other"))),
        UnpackError::Digest { .. }
    ));
    assert!(matches!(
        error(|detail| detail["payload_ref"]["fields"] = json!(["error"])),
        UnpackError::Misfit(_)
    ));
    assert!(matches!(
        error(|detail| detail["failure_reason"] = "there again".into()),
        UnpackError::Misfit(_)
    ));
    assert!(matches!(
        error(|detail| {
            detail.as_object_mut().unwrap().remove("failure_reason");
        }),
        UnpackError::Misfit(_)
    ));
}

#[test]
fn a_blob_that_is_not_what_it_was_is_refused() {
    let parcel = event(&noise(300_000), "").pack(LIMIT).unwrap();
    let packed = packed(&parcel);
    let blob = parcel.blob.clone().unwrap();
    assert!(packed.unpack(Some(&blob)).is_ok());
    let mut altered = blob.clone();
    altered[1000] ^= 1;
    let error = packed.unpack(Some(&altered)).unwrap_err();
    assert!(matches!(error, UnpackError::Digest { .. }), "{error}");
    for length in [0, blob.len() - 1] {
        let error = packed.unpack(Some(&blob[..length])).unwrap_err();
        let says = format!("{} bytes when packed, and has {length} now", blob.len());
        assert!(error.to_string().contains(&says), "{error}");
    }
    assert!(packed.unpack(None).is_err());
}

/// A gigabyte of nothing compresses to a megabyte. No more of it is made than
/// was packed.
#[test]
fn a_compressed_content_is_not_read_beyond_its_size() {
    use base64::Engine as _;
    use std::io::Read as _;
    let mut bomb = Vec::new();
    flate2::read::GzEncoder::new(
        std::io::repeat(0).take(1 << 30),
        flate2::Compression::best(),
    )
    .read_to_end(&mut bomb)
    .unwrap();
    let bomb = base64::prelude::BASE64_STANDARD.encode(bomb);
    let parcel = event_of_size(LIMIT + 1).pack(LIMIT).unwrap();
    let begin = std::time::Instant::now();
    let error = changed(&parcel, |detail| {
        detail["payload_ref"]["gzip"] = bomb.into()
    });
    assert!(
        matches!(
            error,
            Err(UnpackError::Length {
                found: Length::More,
                ..
            })
        ),
        "{error:?}"
    );
    assert!(begin.elapsed().as_millis() < 500, "all of it was read");
}

#[test]
fn an_event_is_known_again_however_it_was_packed() {
    let (one, other) = (noise(150_000), noise(140_000));
    let event_one = event(&one, &other);
    let whole = event_one.to_json();
    let mut forms = vec![whole.clone()];
    for limit in [4_096, 50_000, LIMIT, 262_144] {
        forms.push(event_one.pack(limit).unwrap().detail);
    }
    for form in &forms {
        assert!(transports(form, &whole));
        // Another in what left, in what stayed, and in both.
        for (long, message) in [(&other, &other), (&one, &one), (&other, &one)] {
            assert!(!transports(form, &event(long, message).to_json()));
        }
    }
    assert!(!transports("no JSON with a payload_ref", &whole));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_packed_fits_and_comes_back_to_the_byte(
        long in any::<String>(), times in 0..400_usize,
        other in any::<String>(), other_times in 0..400_usize,
        limit in 4_096..20_000_usize,
    ) {
        let event = event(&long.repeat(times), &other.repeat(other_times));
        let parcel = event.pack(limit).unwrap();
        prop_assert!(event.entry_size(&parcel.detail) <= limit);
        let whole = event.to_json();
        prop_assert_eq!(parcel.is_packed(), event.entry_size(&whole) > limit);
        if parcel.is_packed() {
            prop_assert_eq!(unpack(&parcel), whole.clone());
            let read = packed(&parcel).unpack(parcel.blob.as_deref()).unwrap();
            prop_assert_eq!(read.to_json(), whole.clone());
            for field in reference(&parcel).fields {
                prop_assert!(parcel.envelope(&event)["detail"][field].is_null());
            }
        }
        prop_assert!(transports(&parcel.detail, &whole));
    }
}
