//! Strings with their escapes taken out.

/// Appends what stands between the quotes of a valid JSON string, escapes
/// taken out. A surrogate that stands alone becomes the three bytes that UTF-8
/// would give it if it had them; they equal nothing that a pattern can say.
pub(crate) fn decode(quoted: &[u8], text: &mut Vec<u8>) {
    let mut rest = quoted;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(backslash);
        text.extend_from_slice(plain);
        let [_, letter, ..] = escape else { return };
        rest = &escape[2..];
        text.push(match letter {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = code_unit(rest);
                rest = rest.get(4..).unwrap_or_default();
                if let Some(pair) = pair(unit, rest) {
                    rest = rest.get(6..).unwrap_or_default();
                    push_scalar(pair, text);
                } else {
                    push_scalar(unit, text);
                }
                continue;
            }
            other => *other,
        });
    }
    text.extend_from_slice(rest);
}

/// The number that four hexadecimal digits write.
fn code_unit(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |unit, &digit| {
        unit << 4 | char::from(digit).to_digit(16).unwrap_or(0)
    })
}

/// The character that a first surrogate makes with the escape that follows it.
fn pair(first: u32, rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?;
    let second = code_unit(digits);
    let is_pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
    is_pair.then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn push_scalar(scalar: u32, text: &mut Vec<u8>) {
    if let Some(character) = char::from_u32(scalar) {
        let mut buffer = [0; 4];
        text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    } else {
        // A lone surrogate, at most 16 bits: three bytes of the general scheme.
        let bytes = [
            0xe0 | (scalar >> 12) as u8,
            0x80 | (scalar >> 6 & 0x3f) as u8,
            0x80 | (scalar & 0x3f) as u8,
        ];
        text.extend_from_slice(&bytes);
    }
}
