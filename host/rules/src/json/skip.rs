//! Finding the end of a string, eight bytes at a time.

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first place from `position` on with a quote, a backslash or a control
/// character; the length of the text if there is none.
#[inline]
pub(super) fn to_special(bytes: &[u8], mut position: usize) -> usize {
    while let Some(word) = bytes.get(position..position + 8) {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        let special = special_bytes(u64::from_le_bytes(eight));
        if special != 0 {
            return position + special.trailing_zeros() as usize / 8;
        }
        position += 8;
    }
    while bytes
        .get(position)
        .is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        position += 1;
    }
    position
}

/// The high bit of each byte that is special. Bytes behind the first such one
/// may be marked wrongly, since subtraction borrows from them.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let zeros = (quotes.wrapping_sub(ONES) & !quotes)
        | (backslashes.wrapping_sub(ONES) & !backslashes)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    zeros & HIGH_BITS
}
