//! Equal parts of a whole, such as lanes of slots. Pure.

use std::ops::Range;

/// The share of `whole` that the part `number` of equal `parts` has.
pub(super) fn part(number: usize, parts: usize, whole: usize) -> Range<usize> {
    (number * whole).div_ceil(parts)..((number + 1) * whole).div_ceil(parts)
}

/// The number of the part, of equal `parts`, that has the position `at` of `whole`.
pub(super) fn part_of(at: usize, whole: usize, parts: usize) -> usize {
    at * parts / whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::SLOTS;

    #[test]
    fn parts_cover_the_whole_in_turn() {
        for (parts, whole) in [(1, 1), (3, 3), (3, 4), (4, 13), (12, SLOTS), (1024, SLOTS)] {
            let ends: Vec<usize> =
                (0..parts).map(|number| part(number, parts, whole).end).collect();
            assert_eq!((part(0, parts, whole).start, ends[parts - 1]), (0, whole));
            for at in 0..whole {
                assert!(
                    part(part_of(at, whole, parts), parts, whole).contains(&at),
                    "{at} of {whole} in {parts}"
                );
            }
        }
    }
}
