//! Numbers of persons and companies in Africa, Australia and New Zealand, as their authorities publish the checks.

use super::number::{characters, digits, is_multiple, remainder, value, value_of};
use super::{date, luhn};

/// South Africa, identity number: birthday, citizenship, Luhn.
pub(super) fn za_id(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    date::exists_in_some(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]))
        && digits[10] <= 1
        && luhn::is_valid(&digits)
}

/// South Africa, tax number: kinds of holders, Luhn.
pub(super) fn za_tax(bytes: &[u8]) -> bool {
    digits::<10>(bytes).is_some_and(|digits| matches!(digits[0], 0..=3 | 9) && luhn::is_valid(&digits))
}

/// Mauritius, identity number: a letter, birthday, and a character by the sum modulo 17.
pub(super) fn mu_nid(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<14>(bytes) else { return false };
    let values = characters.map(value_of);
    let date = |place: usize| value(&values[place..place + 2]);
    let sum = remainder(&values, &[14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 17);
    date::exists_in_some(date(5), date(3), date(1)) && sum == 0 && values[13] < 17
}

/// Morocco, enterprise number: ISO/IEC 7064 MOD 97-10 with a remainder of 0.
pub(super) fn ma_ice(bytes: &[u8]) -> bool {
    digits::<15>(bytes).is_some_and(|digits| value(&digits).is_multiple_of(97))
}

/// Australia, tax file number.
pub(super) fn au_tfn(bytes: &[u8]) -> bool {
    is_multiple(bytes, [1, 4, 3, 7, 5, 8, 6, 9, 10], 11)
}

/// Australia, business number: modulo 89, with the first digit one less.
pub(super) fn au_abn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    digits[0] > 0 && (remainder(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 89) - 10) % 89 == 0
}

/// Australia, company number: weights 8 to 1.
pub(super) fn au_acn(bytes: &[u8]) -> bool {
    is_multiple(bytes, [8, 7, 6, 5, 4, 3, 2, 1, 1], 10)
}

/// Australia, Medicare card: the ninth digit checks the first eight; issue and person follow.
pub(super) fn au_medicare(bytes: &[u8]) -> bool {
    let card = digits::<10>(bytes).or_else(|| digits::<11>(bytes)?.first_chunk().copied());
    card.is_some_and(|card| {
        let checks = remainder(&card, &[1, 3, 7, 9, 1, 3, 7, 9, -1], 10) == 0;
        matches!(card[0], 2..=6) && card[9] > 0 && checks
    })
}

/// New Zealand, tax number: two sets of weights.
pub(super) fn nz_ird(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    let check = |weights: &[i32]| (-remainder(&digits[..8], weights, 11)).rem_euclid(11);
    let check = match check(&[3, 2, 7, 6, 5, 4, 3, 2]) {
        10 => check(&[7, 4, 3, 2, 5, 2, 7, 6]),
        check => check,
    };
    (10_000_000..150_000_000).contains(&value(&digits)) && check == i32::from(digits[8])
}
