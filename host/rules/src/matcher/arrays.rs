//! Whether fields hold together, when some of them lie in arrays.
//!
//! Fields that lie in one array must be found in one element of it. Where each
//! field lies in one array only, as it does in every event that names each
//! field once, the arrays are gone through one within the other, each value
//! once. Only where one field is spread over several arrays, which takes
//! repeated names, do choices have to be combined; that is bounded by
//! [`MOST_STEPS`].

use super::scan::{ArrayId, ElementId, Elements};
use crate::event::EventError;

/// How many steps may be taken for one event, about a second's work: a step is
/// to look at a value for a rule, or at a rule for a value.
const MOST_STEPS: u32 = 100_000_000;

/// The steps taken for an event.
#[derive(Debug, Default)]
pub(super) struct Steps(u32);

impl Steps {
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<(), EventError> {
        self.0 = u32::try_from(count)
            .ok()
            .and_then(|count| self.0.checked_add(count))
            .filter(|steps| *steps <= MOST_STEPS)
            .ok_or(EventError::TooManyCombinations)?;
        Ok(())
    }
}

/// A field to be found, with what there is of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Whether it may also not be there. Then all values under its path are
    /// among the places, otherwise at least those that hold.
    pub(super) may_be_absent: bool,
    /// Where its values are.
    pub(super) places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) element: ElementId,
    /// Whether one of the field's tests holds for the value.
    pub(super) holds: bool,
}

/// A field's places within one element, by element.
#[derive(Clone, Copy)]
struct Slice<'places> {
    may_be_absent: bool,
    places: &'places [Place],
}

impl<'places> Slice<'places> {
    /// What of it lies in an element.
    fn within(self, from: ElementId, to: ElementId) -> Self {
        let start = self.places.partition_point(|place| place.element < from);
        let rest = &self.places[start..];
        let length = rest.partition_point(|place| place.element < to);
        Self {
            places: &rest[..length],
            ..self
        }
    }
}

/// Whether all fields, in the order of their paths, hold together.
pub(super) fn hold_together(
    wanted: &mut [Wanted],
    elements: &Elements,
    steps: &mut Steps,
) -> Result<bool, EventError> {
    for field in wanted.iter_mut() {
        // Nearly always in order already: a repeated name can be behind an
        // array that belongs to the same path.
        field.places.sort_unstable_by_key(|place| place.element);
    }
    let slices: Vec<Slice<'_>> = wanted
        .iter()
        .map(|field| Slice {
            may_be_absent: field.may_be_absent,
            places: &field.places,
        })
        .collect();
    let mut search = Search { elements, steps };
    search.hold_within(&slices, ElementId::EVENT, false)
}

/// Where a field's values in an element lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// Nowhere.
    Absent,
    /// In no array.
    Direct,
    /// In one array.
    In(ArrayId),
    /// In several arrays, or in some and directly.
    Mixed,
}

struct Search<'search> {
    elements: &'search Elements,
    steps: &'search mut Steps,
}

impl Search<'_> {
    /// Whether fields hold together by what of them lies in an element. With
    /// `first_is_there` the first of them may not be absent.
    fn hold_within(
        &mut self,
        fields: &[Slice<'_>],
        within: ElementId,
        first_is_there: bool,
    ) -> Result<bool, EventError> {
        let mut spreads = Vec::with_capacity(fields.len());
        for field in fields {
            spreads.push(self.spread(field, within)?);
        }
        if spreads.contains(&Spread::Mixed) {
            let mut chosen = Vec::new();
            return self.combine(fields, within, first_is_there, &mut chosen);
        }
        // Fields that are not in arrays are bound to nothing.
        for (index, (field, spread)) in fields.iter().zip(&spreads).enumerate() {
            let holds = match spread {
                Spread::Absent => field.may_be_absent && !(first_is_there && index == 0),
                Spread::Direct => field.places.iter().any(|place| place.holds),
                Spread::In(_) | Spread::Mixed => true,
            };
            if !holds {
                return Ok(false);
            }
        }
        // Those that are in one array are bound to each other only.
        for (index, spread) in spreads.iter().enumerate() {
            let Spread::In(_) = spread else { continue };
            if spreads[..index].contains(spread) {
                continue;
            }
            let together: Vec<Slice<'_>> = fields
                .iter()
                .zip(&spreads)
                .filter(|(_, other)| *other == spread)
                .map(|(field, _)| *field)
                .collect();
            if !self.hold_in_one_element(&together, within)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether some element of an array has all the fields. Each has values in
    /// the array; so the first cannot be absent, and chooses the element.
    fn hold_in_one_element(
        &mut self,
        fields: &[Slice<'_>],
        within: ElementId,
    ) -> Result<bool, EventError> {
        let mut first = fields[0].places;
        while let Some(place) = first.first() {
            let element = self.child(place.element, within)?;
            let end = self.elements.end_of(element);
            let inside: Vec<Slice<'_>> = fields
                .iter()
                .map(|field| field.within(element, end))
                .collect();
            if self.hold_within(&inside, element, true)? {
                return Ok(true);
            }
            first = &first[inside[0].places.len()..];
        }
        Ok(false)
    }

    fn spread(&mut self, field: &Slice<'_>, within: ElementId) -> Result<Spread, EventError> {
        let mut spread = Spread::Absent;
        let mut rest = field.places;
        self.steps.take(rest.len())?;
        while let Some(place) = rest.first() {
            let (here, length) = if place.element == within {
                (Spread::Direct, 1)
            } else {
                let child = self.child(place.element, within)?;
                let end = self.elements.end_of(child);
                let length = rest.iter().take_while(|place| place.element < end).count();
                (Spread::In(self.elements.array(child)), length)
            };
            if spread != Spread::Absent && spread != here {
                return Ok(Spread::Mixed);
            }
            spread = here;
            rest = &rest[length..];
        }
        Ok(spread)
    }

    /// The element directly in an array of `within` that an element lies in.
    fn child(&mut self, element: ElementId, within: ElementId) -> Result<ElementId, EventError> {
        let mut child = element;
        for (steps, above) in self.elements.up_to(element, within).enumerate() {
            child = above;
            self.steps.take(usize::from(steps > 0))?;
        }
        Ok(child)
    }

    /// Tries all choices of a value for each field; `chosen` has the elements
    /// that those before have chosen, with their arrays.
    fn combine(
        &mut self,
        fields: &[Slice<'_>],
        within: ElementId,
        first_is_there: bool,
        chosen: &mut Vec<(ArrayId, ElementId)>,
    ) -> Result<bool, EventError> {
        let Some((field, rest)) = fields.split_first() else {
            return Ok(true);
        };
        let before = chosen.len();
        let mut there = first_is_there;
        self.steps.take(field.places.len())?;
        for place in field.places {
            if !self.choose(place.element, within, chosen)? {
                continue;
            }
            there = true;
            if place.holds && self.combine(rest, within, false, chosen)? {
                return Ok(true);
            }
            chosen.truncate(before);
        }
        if field.may_be_absent && !there {
            return self.combine(rest, within, false, chosen);
        }
        Ok(false)
    }

    /// Adds the elements that a value lies in to the chosen ones, unless
    /// another element of one of their arrays is chosen.
    fn choose(
        &mut self,
        element: ElementId,
        within: ElementId,
        chosen: &mut Vec<(ArrayId, ElementId)>,
    ) -> Result<bool, EventError> {
        let before = chosen.len();
        for element in self.elements.up_to(element, within) {
            self.steps.take(1 + chosen.len())?;
            let array = self.elements.array(element);
            match chosen.iter().find(|(other, _)| *other == array) {
                Some((_, other)) if *other == element => break,
                Some(_) => {
                    chosen.truncate(before);
                    return Ok(false);
                }
                None => chosen.push((array, element)),
            }
        }
        Ok(true)
    }
}
