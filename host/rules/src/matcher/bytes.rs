//! Comparing short texts.

/// Whether two texts are equal. Nearly all names and values are short enough
/// that the call to a comparison of any length would cost more than it does.
#[inline]
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    match (left.first_chunk::<8>(), right.first_chunk::<8>()) {
        // Up to sixteen bytes are the first eight and the last eight.
        (Some(first), Some(other)) if left.len() <= 16 => {
            first == other && left.last_chunk::<8>() == right.last_chunk::<8>()
        }
        (Some(_), Some(_)) => left == right,
        _ => match (left.first_chunk::<4>(), right.first_chunk::<4>()) {
            (Some(first), Some(other)) => {
                first == other && left.last_chunk::<4>() == right.last_chunk::<4>()
            }
            _ => left.iter().eq(right),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn each_length_is_compared_to_the_last_byte() {
        for length in 0..40 {
            let text: Vec<u8> = (0..length).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[text.as_slice(), b"x"].concat()));
            for index in 0..text.len() {
                let mut other = text.clone();
                other[index] ^= 1;
                assert!(!same(&text, &other), "{length} {index}");
            }
        }
    }
}
