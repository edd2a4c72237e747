//! Reading an event once, and keeping of it what rules name.

use super::paths::{PathId, Paths};
use crate::event::EventError;
use crate::json::{self, Marks, Reader, Start};
use crate::pattern::{Scalar, comparable};

/// An object or array that is an element of an array, by the order in which
/// they begin in the event; the event itself comes first.
///
/// A value that stands in an array by itself belongs to the element that the
/// array lies in: it binds no other field to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ElementId(u32);

impl ElementId {
    pub(super) const EVENT: Self = Self(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// An array of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ArrayId(u32);

#[derive(Clone, Copy, Debug)]
struct Element {
    /// The element that its array lies in; for the event itself, the event.
    parent: ElementId,
    array: ArrayId,
    /// The first element that begins behind it.
    end: ElementId,
}

/// The elements of an event, each with those in it.
#[derive(Debug, Default)]
pub(super) struct Elements(Vec<Element>);

impl Elements {
    fn clear(&mut self) {
        self.0.clear();
        self.0.push(Element {
            parent: ElementId::EVENT,
            array: ArrayId(0),
            end: ElementId(u32::MAX),
        });
    }

    fn begin(&mut self, parent: ElementId, array: ArrayId) -> ElementId {
        let element = ElementId(self.0.len() as u32);
        self.0.push(Element {
            parent,
            array,
            end: element,
        });
        element
    }

    fn end(&mut self, element: ElementId) {
        let end = ElementId(self.0.len() as u32);
        self.0[element.index()].end = end;
    }

    /// The array that an element is in.
    pub(super) fn array(&self, element: ElementId) -> ArrayId {
        self.0[element.index()].array
    }

    /// The first element behind an element and all in it.
    pub(super) fn end_of(&self, element: ElementId) -> ElementId {
        self.0[element.index()].end
    }

    /// An element and those that it lies in, up to but without `within`.
    pub(super) fn up_to(
        &self,
        element: ElementId,
        within: ElementId,
    ) -> impl Iterator<Item = ElementId> {
        let above = |element: &ElementId| self.0[element.index()].parent;
        std::iter::successors(Some(element), move |element| Some(above(element)))
            .take_while(move |element| *element != within)
    }
}

/// The number of a leaf of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafId(u32);

impl LeafId {
    const NONE: Self = Self(u32::MAX);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value of the event under a path that a rule names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) path: PathId,
    pub(super) element: ElementId,
    /// The next leaf of the same path.
    next: LeafId,
    kind: LeafKind,
    start: u32,
    end: u32,
    /// For a number its value, or NaN if it cannot be compared.
    value: f64,
}

#[derive(Clone, Copy, Debug)]
enum LeafKind {
    /// A string as it stands in the event.
    Plain,
    /// A string whose escapes were taken out.
    Decoded,
    Number,
    True,
    False,
    Null,
}

/// The leaves of one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaves {
    /// The event that they are of; leaves of another are none.
    event: u32,
    first: LeafId,
    last: LeafId,
    pub(super) count: u32,
    /// Whether some of them lie in elements of arrays.
    pub(super) in_arrays: bool,
}

impl Leaves {
    /// The number of the first.
    #[inline]
    pub(super) fn first(&self) -> usize {
        self.first.index()
    }
}

/// What was found in an event. The memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Found {
    leaves: Vec<Leaf>,
    pub(super) elements: Elements,
    /// The strings whose escapes were taken out.
    decoded: Vec<u8>,
    /// Where strings can end in the event.
    marks: Marks,
    by_path: Vec<Leaves>,
    /// The number of the event, so that nothing need be cleared.
    event: u32,
}

impl Found {
    fn clear(&mut self, paths: &Paths) {
        self.leaves.clear();
        self.decoded.clear();
        self.elements.clear();
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.by_path.clear();
            self.event = 1;
        }
        let nothing = Leaves {
            event: 0,
            first: LeafId::NONE,
            last: LeafId::NONE,
            count: 0,
            in_arrays: false,
        };
        if self.by_path.len() < paths.len() {
            self.by_path.resize(paths.len(), nothing);
        }
    }

    /// The leaves of a path, if there are any.
    #[inline]
    pub(super) fn of(&self, path: PathId) -> Option<&Leaves> {
        self.by_path
            .get(path.index())
            .filter(|leaves| leaves.event == self.event)
    }

    /// Whether a leaf is the first of its path.
    #[inline]
    pub(super) fn is_first(&self, leaf: usize, path: PathId) -> bool {
        self.of(path).is_some_and(|leaves| leaves.first() == leaf)
    }

    /// All leaves, as they come in the event.
    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The leaves of a path with their numbers, as they come in the event.
    #[inline]
    pub(super) fn each(&self, leaves: &Leaves) -> impl Iterator<Item = (usize, &Leaf)> {
        let mut at = leaves.first;
        std::iter::from_fn(move || {
            let leaf = self.leaves.get(at.index())?;
            let index = std::mem::replace(&mut at, leaf.next).index();
            Some((index, leaf))
        })
    }

    /// The value of a leaf of the event that was read last.
    #[inline]
    pub(super) fn value<'event>(&'event self, event: &'event [u8], leaf: &Leaf) -> Scalar<'event> {
        let range = leaf.start as usize..leaf.end as usize;
        match leaf.kind {
            LeafKind::Plain => Scalar::String(event.get(range).unwrap_or_default()),
            LeafKind::Decoded => Scalar::String(self.decoded.get(range).unwrap_or_default()),
            LeafKind::Number => Scalar::Number {
                text: event.get(range).unwrap_or_default(),
                value: (!leaf.value.is_nan()).then_some(leaf.value),
            },
            LeafKind::True => Scalar::Bool(true),
            LeafKind::False => Scalar::Bool(false),
            LeafKind::Null => Scalar::Null,
        }
    }

    #[inline]
    fn add(&mut self, leaf: Leaf) {
        let id = LeafId(self.leaves.len() as u32);
        let in_array = leaf.element != ElementId::EVENT;
        let leaves = &mut self.by_path[leaf.path.index()];
        if leaves.event == self.event {
            self.leaves[leaves.last.index()].next = id;
            leaves.last = id;
            leaves.count += 1;
            leaves.in_arrays |= in_array;
        } else {
            *leaves = Leaves {
                event: self.event,
                first: id,
                last: id,
                count: 1,
                in_arrays: in_array,
            };
        }
        self.leaves.push(leaf);
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        self.leaves.capacity() * size_of::<Leaf>()
            + self.elements.0.capacity() * size_of::<Element>()
            + self.decoded.capacity()
            + self.marks.memory()
            + self.by_path.capacity() * size_of::<Leaves>()
    }
}

/// Reads an event and finds what lies under the paths. All of it is checked to
/// be UTF-8 and JSON, what is skipped too.
pub(super) fn scan(event: &[u8], paths: &Paths, found: &mut Found) -> Result<(), EventError> {
    found.clear(paths);
    if u32::try_from(event.len()).is_err() {
        return Err(EventError::TooLarge);
    }
    // Out of what is filled while it is read.
    let mut marks = std::mem::take(&mut found.marks);
    marks.set(event);
    let result = scan_marked(event, &marks, paths, found);
    found.marks = marks;
    result
}

fn scan_marked(
    event: &[u8],
    marks: &Marks,
    paths: &Paths,
    found: &mut Found,
) -> Result<(), EventError> {
    if !marks.is_ascii() {
        std::str::from_utf8(event).map_err(|error| EventError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
    }
    let mut scanner = Scanner {
        reader: Reader::new(event, marks),
        paths,
        found,
        arrays: 0,
        name: Vec::new(),
    };
    if scanner.reader.start()? != Start::Object {
        scanner.reader.skip_value(0)?;
        scanner.reader.end()?;
        return Err(EventError::NotAnObject);
    }
    scanner.object(PathId::ROOT, ElementId::EVENT, 0)?;
    Ok(scanner.reader.end()?)
}

struct Scanner<'event, 'rules> {
    reader: Reader<'event>,
    paths: &'rules Paths,
    found: &'rules mut Found,
    /// How many arrays there are so far.
    arrays: u32,
    /// A name without its escapes.
    name: Vec<u8>,
}

impl Scanner<'_, '_> {
    /// The object that begins here, which rules name fields of.
    fn object(
        &mut self,
        path: PathId,
        element: ElementId,
        depth: usize,
    ) -> Result<(), json::SyntaxError> {
        let depth = self.reader.deeper(depth)?;
        let mut more = self.reader.enter();
        while more {
            let within = match self.reader.plain_name() {
                Some(name) => self.paths.descend(path, name),
                None => self.descend(path)?,
            };
            match within {
                Some(path) => self.value(path, element, depth)?,
                None => self.reader.skip_value(depth)?,
            }
            more = self.reader.next_entry()?;
        }
        Ok(())
    }

    /// The path that the next name leads to, however it is written.
    #[cold]
    fn descend(&mut self, path: PathId) -> Result<Option<PathId>, json::SyntaxError> {
        let name = self.reader.name()?;
        let quoted = self.reader.slice(name.start, name.end);
        if !name.escaped {
            return Ok(self.paths.descend(path, quoted));
        }
        self.name.clear();
        json::decode(quoted, &mut self.name);
        Ok(self.paths.descend(path, &self.name))
    }

    /// The value that begins here, under a path that rules name.
    fn value(
        &mut self,
        path: PathId,
        element: ElementId,
        depth: usize,
    ) -> Result<(), json::SyntaxError> {
        match self.reader.start()? {
            Start::Object if self.paths.has_children(path) => self.object(path, element, depth),
            Start::Array => self.array(path, element, depth),
            Start::Object => self.reader.skip_value(depth),
            scalar => self.scalar(scalar, path, element),
        }
    }

    /// The array that begins here, under a path that rules name.
    fn array(
        &mut self,
        path: PathId,
        element: ElementId,
        depth: usize,
    ) -> Result<(), json::SyntaxError> {
        let array = ArrayId(self.arrays);
        self.arrays += 1;
        let depth = self.reader.deeper(depth)?;
        let mut more = self.reader.enter();
        while more {
            match self.reader.start()? {
                Start::Object | Start::Array => {
                    let element = self.found.elements.begin(element, array);
                    self.value(path, element, depth)?;
                    self.found.elements.end(element);
                }
                scalar => self.scalar(scalar, path, element)?,
            }
            more = self.reader.next_element()?;
        }
        Ok(())
    }

    /// The value that begins here and is neither object nor array.
    #[inline]
    fn scalar(
        &mut self,
        start: Start,
        path: PathId,
        element: ElementId,
    ) -> Result<(), json::SyntaxError> {
        let mut leaf = Leaf {
            path,
            element,
            next: LeafId::NONE,
            kind: LeafKind::Null,
            // Positions fit, since the event's length does.
            start: self.reader.position() as u32,
            end: 0,
            value: f64::NAN,
        };
        match start {
            Start::String => {
                let quoted = self.reader.string()?;
                if quoted.escaped {
                    let text = self.reader.slice(quoted.start, quoted.end);
                    leaf.kind = LeafKind::Decoded;
                    leaf.start = self.found.decoded.len() as u32;
                    json::decode(text, &mut self.found.decoded);
                    leaf.end = self.found.decoded.len() as u32;
                } else {
                    leaf.kind = LeafKind::Plain;
                    leaf.start = quoted.start as u32;
                    leaf.end = quoted.end as u32;
                }
            }
            Start::Number => {
                let text = self.reader.number()?;
                leaf.kind = LeafKind::Number;
                leaf.end = self.reader.position() as u32;
                leaf.value = comparable(text).unwrap_or(f64::NAN);
            }
            Start::True => {
                leaf.kind = LeafKind::True;
                self.reader.literal(b"true")?;
            }
            Start::False => {
                leaf.kind = LeafKind::False;
                self.reader.literal(b"false")?;
            }
            _ => self.reader.literal(b"null")?,
        }
        if self.paths.is_field(path) {
            self.found.add(leaf);
        }
        Ok(())
    }
}
