//! Dates within numbers: the Gregorian calendar.

/// Whether the day exists.
pub(super) fn exists(year: u64, month: u64, day: u64) -> bool {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether the day exists in some century, of which the year's last two digits are known.
pub(super) fn exists_in_some(year: u64, month: u64, day: u64) -> bool {
    exists(2000 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_decides() {
        for (year, month, day) in [(2024, 2, 29), (2000, 2, 29), (1999, 12, 31), (2023, 4, 30)] {
            assert!(exists(year, month, day), "{year}-{month}-{day}");
        }
        for (year, month, day) in [(2023, 2, 29), (1900, 2, 29), (2023, 4, 31), (2023, 13, 1), (2023, 1, 0)] {
            assert!(!exists(year, month, day), "{year}-{month}-{day}");
        }
        assert!(exists_in_some(0, 2, 29) && !exists_in_some(1, 2, 29));
    }
}
