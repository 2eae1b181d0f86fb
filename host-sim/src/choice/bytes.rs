//! Bytes as decisions, for fuzzers: they change, cut and join bytes without knowing what they mean.

/// A small number is one byte, any other up to 65,535 three: most decisions have few answers.
pub(super) fn decode(mut bytes: &[u8]) -> Vec<u32> {
    let mut log = Vec::with_capacity(bytes.len());
    while let Some((first, rest)) = bytes.split_first() {
        bytes = match (first, rest) {
            (0xff, [high, low, rest @ ..]) => {
                log.push(u32::from_be_bytes([0, 0, *high, *low]));
                rest
            }
            _ => {
                log.push(u32::from(*first));
                rest
            }
        };
    }
    log
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_byte_is_a_decision_and_a_marked_pair_is_a_larger_one() {
        let rows: [(&[u8], &[u32]); 5] = [
            (&[], &[]),
            (&[0, 1, 254], &[0, 1, 254]),
            (&[0xff, 1, 2, 3], &[258, 3]),
            // Cut off in the midst of a large one: still a run.
            (&[0xff, 1], &[255, 1]),
            (&[0xff], &[255]),
        ];
        for (bytes, expected) in rows {
            assert_eq!(decode(bytes), expected, "{bytes:?}");
        }
    }
}
