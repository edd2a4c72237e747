//! Events in the form in which they are transported: whole, or *packed* where
//! they would be larger than the transport takes.
//!
//! Of a packed event the largest fields of the payload are `null`, and one more
//! field, `payload_ref`, says what left and where to: compressed into the event
//! itself, or, where that is still too large, into a blob. What identifies an
//! event and its small fields always stay, so that rules read the same
//! everywhere: they match what is transported.
//!
//! The same event gives the same bytes. Unpacked, it is to the byte what was
//! packed.

use crate::digest::{BlobReference, Sha256Digest};
use crate::event::{EnvelopeError, Event, EventType, Header, check_producer, envelope};
use crate::payload::Payload;
use crate::time::Timestamp;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::io::Read as _;
use std::ops::RangeInclusive;

/// What an entry may be at most unless it is set: what the transport takes,
/// with room for what it may add.
pub const DEFAULT_LARGEST_ENTRY: usize = 200_000;

/// What may be set for it, in bytes. Below, not even the fields that always
/// stay are sure to fit; above is what EventBridge takes at most, and some of
/// its targets take no more than 256 KiB.
pub const LARGEST_ENTRY: RangeInclusive<usize> = 4_096..=1_048_576;

/// Values below this stay, in bytes: it is by such that rules route, and
/// packing them would save nothing.
const SMALL: usize = 256;

/// What every event has, whatever it says.
const BASE_FIELDS: [&str; 11] = [
    "correlation_id",
    "causation_id",
    "event_id",
    "timestamp",
    "source_module",
    "source_component",
    "schema_version",
    "sequence",
    "produced_by",
    "inputs_ref",
    "event_type",
];

const REFERENCE: &str = "payload_ref";

/// An event as it came off the transport. Who it is can be read in any case;
/// what it says, once it is unpacked.
#[derive(Clone, Debug)]
pub enum Transported {
    /// Nothing left it.
    Whole(Event),
    /// Something did.
    Packed(Box<PackedEvent>),
}

/// An event some of whose payload left it.
#[derive(Clone, Debug)]
pub struct PackedEvent {
    detail: String,
    visible: Visible,
}

/// What is read of a packed event.
#[derive(Clone, Debug, Deserialize)]
struct Visible {
    #[serde(flatten)]
    header: Header,
    event_type: EventType,
    /// That of a plan, which is small and so is always there.
    deadline: Option<Timestamp>,
    payload_ref: PayloadRef,
}

/// What left an event, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadRef {
    /// The fields that left, in the order of the event.
    pub fields: Vec<String>,
    /// Their content: the JSON text of an object of these fields. Unless it
    /// is carried by the event, it is the blob of that digest.
    #[serde(flatten)]
    pub content: BlobReference,
    /// The content, if the event carries it: compressed with gzip, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gzip: Option<String>,
}

/// An event that is ready for transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The event's JSON as it is transported.
    pub detail: String,
    /// What must be kept as a blob before the event is published.
    pub blob: Option<Vec<u8>>,
    is_packed: bool,
}

/// What always stays of the event is too large by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{event_type} `{event_id}` has {size} bytes, and cannot be packed to fit into \
     {limit}; raise `eventbridge.max_payload_size_bytes`"
)]
pub struct PayloadTooLarge {
    /// What it says.
    pub event_type: EventType,
    /// Which event.
    pub event_id: String,
    /// Of the whole entry, in bytes.
    pub size: usize,
    /// What it may have at most.
    pub limit: usize,
}

/// A packed event's content is not what was packed.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It has another length. Nothing beyond what was packed is read.
    #[error("{fields} of the event had {expected} bytes when packed, and {found}")]
    Length {
        /// What left the event.
        fields: String,
        /// The bytes packed.
        expected: u64,
        /// What there is now.
        found: Length,
    },
    /// It has another digest.
    #[error("{fields} of the event had the digest {expected} when packed, and now {found}")]
    Digest {
        /// What left the event.
        fields: String,
        /// That of what was packed.
        expected: Sha256Digest,
        /// That of what there is now.
        found: Sha256Digest,
    },
    /// What the event carries cannot be decompressed.
    #[error("{fields} of the event cannot be decompressed: {reason}")]
    Compression {
        /// What left the event.
        fields: String,
        /// What was found.
        reason: String,
    },
    /// What left does not fit into what stayed.
    #[error("what left the event does not fit into what stayed: {0}")]
    Misfit(String),
    /// Put together, it is no event.
    #[error("the event does not have the form of its type: {0}")]
    Form(#[from] serde_json::Error),
}

/// How much there is of a content, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Exactly(u64),
    /// More than were packed.
    More,
}

impl fmt::Display for Length {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(bytes) => write!(formatter, "has {bytes} now"),
            Self::More => formatter.write_str("has more now"),
        }
    }
}

impl Event {
    /// Makes the event ready for a transport whose entries may have `limit`
    /// bytes, which is one of [`LARGEST_ENTRY`].
    ///
    /// Only as many fields leave as have to, the largest first. They travel
    /// compressed within the event if they then fit, and as a blob otherwise.
    pub fn pack(&self, limit: usize) -> Result<Parcel, PayloadTooLarge> {
        let whole = self.to_json();
        let frame = self.entry_size("");
        let size = frame + whole.len();
        if size <= limit {
            return Ok(Parcel {
                detail: whole,
                blob: None,
                is_packed: false,
            });
        }
        self.packed(&whole, limit - frame.min(limit))
            .ok_or_else(|| PayloadTooLarge {
                event_type: self.event_type(),
                event_id: self.header.event_id.to_string(),
                size,
                limit,
            })
    }

    /// The size of an entry with this detail, as EventBridge counts it.
    pub fn entry_size(&self, detail: &str) -> usize {
        /// What the time counts for.
        const TIME: usize = 14;
        let header = &self.header;
        let resources: usize = header.resources().iter().map(String::len).sum();
        TIME + header.source_module.wire_name().len()
            + self.event_type().name().len()
            + detail.len()
            + resources
    }

    /// The event with as little gone as makes its detail fit, if that is
    /// possible.
    fn packed(&self, whole: &str, limit: usize) -> Option<Parcel> {
        let members: Members<'_> = serde_json::from_str(whole).ok()?;
        let mut largest: Vec<usize> = (0..members.0.len())
            .filter(|&member| {
                let (name, value) = &members.0[member];
                !BASE_FIELDS.contains(&name.as_str()) && value.len() >= SMALL
            })
            .collect();
        // Of equal ones the first; the sort is stable.
        largest.sort_by_key(|&member| std::cmp::Reverse(members.0[member].1.len()));

        let choices = (1..=largest.len()).map(|count| {
            let mut fields = largest[..count].to_vec();
            fields.sort_unstable();
            fields
        });
        let fits = |parcel: &Parcel| parcel.detail.len() <= limit;
        choices
            .clone()
            .filter_map(|fields| members.without(&fields, Some(limit)))
            .find(fits)
            .or_else(|| {
                choices
                    .filter_map(|fields| members.without(&fields, None))
                    .find(fits)
            })
    }
}

impl Parcel {
    /// Whether something left the event.
    pub fn is_packed(&self) -> bool {
        self.is_packed
    }

    /// The parcel's event in the form in which EventBridge delivers it and
    /// rules match it.
    pub fn envelope(&self, event: &Event) -> Value {
        // Whatever was put together here can be read.
        match serde_json::from_str(&self.detail) {
            Ok(detail) if self.is_packed => envelope(&event.header, event.event_type(), detail),
            _ => event.envelope(),
        }
    }
}

impl Transported {
    /// Reads a detail as it came off the transport.
    pub fn parse(detail: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Probe {
            payload_ref: Option<IgnoredAny>,
        }
        // Most events are whole, and this shows it at once; what mentions a
        // reference need not have one.
        let is_packed = detail.contains(REFERENCE)
            && serde_json::from_str::<Probe>(detail)?.payload_ref.is_some();
        if !is_packed {
            return serde_json::from_str(detail).map(Self::Whole);
        }
        Ok(Self::Packed(Box::new(PackedEvent {
            visible: serde_json::from_str(detail)?,
            detail: detail.to_owned(),
        })))
    }

    /// Identity and causality.
    pub fn header(&self) -> &Header {
        match self {
            Self::Whole(event) => &event.header,
            Self::Packed(packed) => &packed.visible.header,
        }
    }

    /// Its type.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Whole(event) => event.event_type(),
            Self::Packed(packed) => packed.visible.event_type,
        }
    }

    /// When it must not be acted on any more, if it says so: that of a plan.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Whole(event) => match &event.payload {
                Payload::RebalancePlanned(planned) => Some(planned.deadline),
                _ => None,
            },
            Self::Packed(packed) => packed.visible.deadline,
        }
    }

    /// What left it, and where to; `None` if it is whole.
    pub fn payload_ref(&self) -> Option<&PayloadRef> {
        match self {
            Self::Whole(_) => None,
            Self::Packed(packed) => Some(&packed.visible.payload_ref),
        }
    }

    /// The event in the form in which EventBridge delivers it and rules match
    /// it: as it was transported.
    pub fn envelope(&self) -> Value {
        match self {
            Self::Whole(event) => event.envelope(),
            // It was read once, so it can be read again.
            Self::Packed(packed) => envelope(
                self.header(),
                self.event_type(),
                serde_json::from_str(&packed.detail).unwrap_or_default(),
            ),
        }
    }

    /// Refuses an event that its source may not emit.
    pub fn check_producer(&self) -> Result<(), EnvelopeError> {
        check_producer(self.event_type(), self.header().source_module)
    }
}

impl From<Event> for Transported {
    fn from(event: Event) -> Self {
        Self::Whole(event)
    }
}

impl PackedEvent {
    /// The blob that [`PackedEvent::unpack`] asks for; `None` if the event
    /// carries its content.
    pub fn blob(&self) -> Option<&BlobReference> {
        let reference = &self.visible.payload_ref;
        reference.gzip.is_none().then_some(&reference.content)
    }

    /// The event, put together and verified. `blob` is the content of
    /// [`PackedEvent::blob`], if there is one.
    ///
    /// # Errors
    ///
    /// When something is not what was packed.
    pub fn unpack(&self, blob: Option<&[u8]>) -> Result<Event, UnpackError> {
        Ok(serde_json::from_str(&self.unpack_json(blob)?)?)
    }

    /// The very bytes of the whole event; see [`PackedEvent::unpack`].
    ///
    /// # Errors
    ///
    /// When something is not what was packed.
    pub fn unpack_json(&self, blob: Option<&[u8]>) -> Result<String, UnpackError> {
        let reference = &self.visible.payload_ref;
        let content = match &reference.gzip {
            Some(gzip) => &reference.decompress(gzip)?,
            None => blob.unwrap_or_default(),
        };
        reference.verify(content)?;
        let misfit = |what: &str| UnpackError::Misfit(what.to_owned());
        let gone: Members<'_> = serde_json::from_slice(content)?;
        let names = gone.0.iter().map(|(name, _)| name);
        if !names.eq(&reference.fields) {
            return Err(misfit("other fields left than the event says"));
        }
        let stayed: Members<'_> = serde_json::from_str(&self.detail)?;
        let mut returned = 0;
        let mut whole = Vec::with_capacity(stayed.0.len());
        for (name, value) in stayed.0 {
            if name == REFERENCE {
                continue;
            }
            let back = gone.0.iter().find(|(gone, _)| *gone == name);
            whole.push(match back {
                None => (name, value),
                Some((_, back)) if value == "null" => {
                    returned += 1;
                    (name, *back)
                }
                Some(_) => return Err(UnpackError::Misfit(format!("`{name}` is there as well"))),
            });
        }
        if returned != gone.0.len() {
            return Err(misfit("a field that left has no place"));
        }
        Ok(Members(whole).to_json(None))
    }
}

impl PayloadRef {
    fn decompress(&self, gzip: &str) -> Result<Vec<u8>, UnpackError> {
        let unusable = |reason: String| UnpackError::Compression {
            fields: self.names(),
            reason,
        };
        let compressed = BASE64_STANDARD
            .decode(gzip)
            .map_err(|error| unusable(error.to_string()))?;
        let mut content = Vec::new();
        // One byte more shows that there is more.
        GzDecoder::new(&compressed[..])
            .take(self.content.size.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(content)
    }

    fn verify(&self, content: &[u8]) -> Result<(), UnpackError> {
        let found = BlobReference::to(content);
        if found.size != self.content.size {
            return Err(UnpackError::Length {
                fields: self.names(),
                expected: self.content.size,
                found: if found.size > self.content.size {
                    Length::More
                } else {
                    Length::Exactly(found.size)
                },
            });
        }
        if found.sha256 != self.content.sha256 {
            return Err(UnpackError::Digest {
                fields: self.names(),
                expected: self.content.sha256,
                found: found.sha256,
            });
        }
        Ok(())
    }

    /// What left, in words.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.fields.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }
}

/// Whether `detail` transports the event whose whole JSON is `whole`, however
/// it was packed: with another limit something else may have left it.
pub fn transports(detail: &str, whole: &str) -> bool {
    detail == whole || packed_from(detail, whole).unwrap_or(false)
}

fn packed_from(detail: &str, whole: &str) -> Result<bool, serde_json::Error> {
    let Transported::Packed(packed) = Transported::parse(detail)? else {
        return Ok(false);
    };
    let reference = &packed.visible.payload_ref;
    let whole: Members<'_> = serde_json::from_str(whole)?;
    let (gone, stayed): (Vec<_>, Vec<_>) = whole
        .0
        .into_iter()
        .map(|(name, value)| (reference.fields.contains(&name), name, value))
        .partition(|(is_gone, ..)| *is_gone);
    let content = Members(without_mark(gone)).to_json(None);
    let detail: Members<'_> = serde_json::from_str(detail)?;
    let visible = detail
        .0
        .into_iter()
        .filter(|(name, _)| name != REFERENCE && !reference.fields.contains(name));
    Ok(visible.eq(without_mark(stayed)) && reference.verify(content.as_bytes()).is_ok())
}

fn without_mark<'a>(members: Vec<(bool, String, &'a str)>) -> Vec<(String, &'a str)> {
    let member = |(_, name, value)| (name, value);
    members.into_iter().map(member).collect()
}

/// The members of a JSON object in their order, each value in its very bytes.
struct Members<'a>(Vec<(String, &'a str)>);

impl Members<'_> {
    /// The object as JSON, perhaps with one more member at its end.
    fn to_json(&self, reference: Option<&str>) -> String {
        let mut json = String::from("{");
        let last = reference.map(|reference| (REFERENCE, reference));
        let members = self.0.iter().map(|(name, value)| (name.as_str(), *value));
        for (name, value) in members.chain(last) {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&Value::from(name).to_string());
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }

    /// The event without these fields; their content in a blob or, if it is to
    /// be carried, compressed. `None` if that is sure not to fit.
    fn without(&self, fields: &[usize], carried_within: Option<usize>) -> Option<Parcel> {
        let (mut gone, mut stayed) = (Vec::new(), Vec::new());
        for (position, (name, value)) in self.0.iter().enumerate() {
            let is_gone = fields.contains(&position);
            if is_gone {
                gone.push((name.clone(), *value));
            }
            stayed.push((name.clone(), if is_gone { "null" } else { value }));
        }
        let visible: usize = stayed.iter().map(|(_, value)| value.len()).sum();
        if carried_within.is_some_and(|limit| visible > limit) {
            return None;
        }
        let content = Members(gone).to_json(None).into_bytes();
        let reference = PayloadRef {
            fields: fields
                .iter()
                .map(|&position| self.0[position].0.clone())
                .collect(),
            content: BlobReference::to(&content),
            gzip: carried_within.map(|_| BASE64_STANDARD.encode(compress(&content))),
        };
        let reference = serde_json::to_string(&reference).ok()?;
        Some(Parcel {
            detail: Members(stayed).to_json(Some(&reference)),
            blob: carried_within.is_none().then_some(content),
            is_packed: true,
        })
    }
}

/// The same bytes for the same content: no time and no name is put in.
fn compress(content: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    // Reading from memory and writing to it does not fail; if it did, what
    // comes out would be refused when it is unpacked.
    let _ = GzEncoder::new(content, Compression::default()).read_to_end(&mut compressed);
    compressed
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de str)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder).map(Members)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// A field that is added to the header must be told here as well.
    #[test]
    fn the_base_fields_are_those_of_the_header() {
        let detail = json!({
            "correlation_id": "w", "causation_id": "c", "event_id": "e",
            "timestamp": "2022-12-28T21:00:00Z", "source_module": "strategy",
            "source_component": "strategy", "schema_version": "1.0", "sequence": 1,
            "produced_by": {"plugin": "p", "version": "1.0.0", "sha256": Sha256Digest::of(b"")},
            "inputs_ref": BlobReference::to(b""),
        });
        let header: Header = serde_json::from_value(detail).unwrap();
        let mut fields: Vec<String> = match serde_json::to_value(&header).unwrap() {
            Value::Object(fields) => fields.keys().cloned().collect(),
            other => vec![other.to_string()],
        };
        fields.push("event_type".to_owned());
        fields.sort_unstable();
        let mut base = BASE_FIELDS.map(str::to_owned).to_vec();
        base.sort_unstable();
        assert_eq!(fields, base);
    }
}
