//! Which lines of each part are shown when not all fit. Pure.

/// Lines that a part of the view needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// With fewer lines the part is left out.
    pub(super) least: usize,
    /// With all its lines.
    pub(super) most: usize,
}

/// The lines that each part gets, at most `height` in all. The first parts get their least lines
/// first; what is left is shared line by line.
pub(super) fn fit(needs: &[Need], height: usize) -> Vec<usize> {
    let mut left = height;
    let mut given: Vec<usize> = needs
        .iter()
        .map(|need| {
            let lines = if need.least <= left { need.least } else { 0 };
            left -= lines;
            lines
        })
        .collect();
    loop {
        let before = left;
        for (lines, need) in given.iter_mut().zip(needs) {
            if left > 0 && *lines > 0 && *lines < need.most {
                *lines += 1;
                left -= 1;
            }
        }
        if left == before {
            return given;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parts_are_shown_and_the_rest_is_shared() {
        let needs = [(3, 3), (2, 10), (2, 4)].map(|(least, most)| Need { least, most });
        for (height, lines) in [
            (0, [0, 0, 0]),
            (2, [0, 2, 0]),
            (4, [3, 0, 0]),
            (6, [3, 3, 0]),
            (7, [3, 2, 2]),
            (10, [3, 4, 3]),
            (14, [3, 7, 4]),
            (99, [3, 10, 4]),
        ] {
            assert_eq!(fit(&needs, height), lines, "{height}");
        }
    }
}
