//! Where strings can end, for a whole text at once.
//!
//! Looking for the end of each of many short strings costs more in starting
//! than in looking; so all bytes that matter are marked first, 64 at a time.

/// A bit for each byte of a text: whether it is a quote, a backslash or a
/// control character.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    words: Vec<u64>,
    length: usize,
    ascii: bool,
}

const BLOCK: usize = 64;

impl Marks {
    /// The marks of a text.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut marks = Self::default();
        marks.set(text);
        marks
    }

    /// Makes them those of a text, in the same memory.
    pub(crate) fn set(&mut self, text: &[u8]) {
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let mut all = 0;
        self.words.clear();
        self.words.reserve(blocks.len() + 1);
        self.words
            .extend(blocks.iter().map(|block| marks_of(block, &mut all)));
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        self.words.push(marks_of(&last, &mut all));
        self.length = text.len();
        self.ascii = all < 0x80;
    }

    /// Whether the text is ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// The first marked byte from a place on; the length of the text if there
    /// is none.
    #[inline]
    pub(super) fn next(&self, from: usize) -> usize {
        let mut index = from / BLOCK;
        // What is before the place is shifted out, and back in as nothing.
        let mut word = self.word(index) >> (from % BLOCK) << (from % BLOCK);
        while word == 0 {
            index += 1;
            if index >= self.words.len() {
                return self.length;
            }
            word = self.word(index);
        }
        index * BLOCK + word.trailing_zeros() as usize
    }

    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// About how many bytes they take.
    pub(crate) fn memory(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// The marks of 64 bytes; `all` gets the bits of each byte. Written so that
/// the compiler compares many bytes at once.
#[inline]
fn marks_of(block: &[u8; BLOCK], all: &mut u8) -> u64 {
    let flags = block.map(|byte| {
        *all |= byte;
        u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20)
    });
    // The product moves the lowest bits of eight bytes into its highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |marks, eight| {
        marks << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56
    })
}
