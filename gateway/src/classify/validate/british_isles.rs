//! Numbers of persons in the United Kingdom and Ireland, as their authorities publish the checks.

use super::number::{characters, digits, is_multiple, letter, remainder, value, value_of};

/// United Kingdom, national insurance number (HMRC NIM39110): prefixes that are not given out.
pub(super) fn uk_nino(bytes: &[u8]) -> bool {
    let Some([first, second, digits @ .., suffix]) = characters::<9>(bytes) else { return false };
    let prefix = !b"DFIQUV".contains(&first) && !b"DFIOQUV".contains(&second);
    let is_given_out = !matches!(&[first, second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    prefix && is_given_out && digits.iter().all(u8::is_ascii_digit) && matches!(suffix, b'A'..=b'D')
}

/// United Kingdom, driving licence (DVLA): the birthday between the name's first letters and the initials; the
/// month is 50 more for women.
pub(super) fn uk_driving_licence(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<16>(bytes) else { return false };
    let month = value(&[value_of(characters[6]), value_of(characters[7])]);
    let day = value(&[value_of(characters[8]), value_of(characters[9])]);
    matches!(month, 1..=12 | 51..=62) && (1..=31).contains(&day)
}

/// United Kingdom, taxpayer reference: the first digit checks the others.
pub(super) fn uk_utr(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let index = remainder(&digits[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2], 11);
    letter(b"21987654321", index as usize) == Some(b'0' + digits[0])
}

/// United Kingdom, VAT number: modulo 97, since 2009 also with 55 added.
pub(super) fn uk_vat(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    match remainder(&digits, &[8, 7, 6, 5, 4, 3, 2, 10, 1], 97) {
        0 => true,
        remainder => value(&digits[..3]) >= 100 && matches!(remainder, 42 | 55),
    }
}

/// United Kingdom, NHS number: weights 10 to 1.
pub(super) fn uk_nhs(bytes: &[u8]) -> bool {
    is_multiple(bytes, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11)
}

/// Ireland, personal public service number: weights 8 to 2, the second letter 9.
pub(super) fn ie_pps(bytes: &[u8]) -> bool {
    const LETTERS: &[u8] = b"WABCDEFGHIJKLMNOPQRSTUV";
    let (short, long) = (characters::<8>(bytes), characters::<9>(bytes));
    let second = long.map_or(0, |characters| match characters[8] {
        letter @ (b'A' | b'B' | b'H') => i32::from(letter - b'A') + 1,
        _ => 0,
    });
    let Some(characters) = short.or_else(|| long?.first_chunk().copied()) else { return false };
    let sum = remainder(&characters.map(value_of), &[8, 7, 6, 5, 4, 3, 2], 23);
    letter(LETTERS, ((sum + 9 * second) % 23) as usize) == Some(characters[7])
}
