//! Machine readable zones of passports, identity cards and visas, ICAO 9303 parts 3 to 7: lines of 44, 36 or 30
//! characters, with check digits of weights 7, 3, 1.

use std::ops::Range;

use super::number::value_of;

/// Whether one of the lines in `bytes` holds dates and a document number with the right check digits.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let is_member = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'<';
    bytes.split(|byte| !is_member(byte)).any(is_checked)
}

/// Whether the line is the one with the dates.
fn is_checked(line: &[u8]) -> bool {
    let fields: &[Range<usize>] = match line.len() {
        44 | 36 => &[0..9, 13..19, 21..27],
        30 => &[0..6, 8..14],
        _ => return false,
    };
    fields.iter().all(|field| check_of(&line[field.clone()]) == line[field.end])
}

/// The check digit of a field.
fn check_of(field: &[u8]) -> u8 {
    let terms = field.iter().zip([7, 3, 1].into_iter().cycle());
    let sum: u32 = terms.map(|(character, weight)| u32::from(value_of(*character)) * weight).sum();
    b'0' + (sum % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specimens_pass_and_changed_ones_fail() {
        // The specimens of ICAO 9303 part 4 (passport), part 6 (TD2) and part 5 (TD1).
        for lines in [
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
            "D231458907UTO7408122F1204159<<<<<<<6",
            "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<",
        ] {
            assert!(is_valid(lines.as_bytes()), "{lines}");
        }
        for lines in [
            "L898902C46UTO7408122F1204159ZE184226B<<<<<10",
            "L898902C36UTO7408132F1204159ZE184226B<<<<<10",
            "7408122F1204158UTO<<<<<<<<<<<6",
            "",
        ] {
            assert!(!is_valid(lines.as_bytes()), "{lines}");
        }
    }
}
