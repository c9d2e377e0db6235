//! Numbers of patients and of those who treat them, as their authorities publish the checks.

use super::luhn;
use super::number::{characters, digits, is_multiple, remainder, value_of};

/// United States, national provider identifier (45 CFR 162.406): Luhn over 80840 and the number.
pub(super) fn us_npi(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let mut prefixed = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    prefixed[5..].copy_from_slice(&digits);
    matches!(digits[0], 1 | 2) && luhn::is_valid(&prefixed)
}

/// United States, Medicare beneficiary (CMS): kinds of characters by place, none of S, L, O, I, B, Z.
pub(super) fn us_mbi(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<11>(bytes) else { return false };
    let is_letter = |character: u8| character.is_ascii_uppercase() && !b"SLOIBZ".contains(&character);
    let fits = |(character, kind): (&u8, &u8)| match kind {
        b'C' => matches!(character, b'1'..=b'9'),
        b'A' => is_letter(*character),
        b'N' => character.is_ascii_digit(),
        _ => is_letter(*character) || character.is_ascii_digit(),
    };
    characters.iter().zip(b"CAXNAXNAANN").all(fits)
}

/// United States, registration with the Drug Enforcement Administration: the last digit of a weighted sum.
pub(super) fn us_dea(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<9>(bytes) else { return false };
    let values = characters.map(value_of);
    remainder(&values[2..], &[1, 2, 1, 2, 1, 2, -1], 10) == 0
}

/// British Columbia, personal health number: 9, then products modulo 11.
pub(super) fn ca_bc_phn(bytes: &[u8]) -> bool {
    is_multiple(bytes, [0, 2, 4, 8, 5, 10, 9, 7, 3, 1], 11)
        && digits::<10>(bytes).is_some_and(|digits| digits[0] == 9)
}
