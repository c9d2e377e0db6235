//! Numbers of persons and companies in Poland, Czechia, Slovakia, Romania, Bulgaria, the states of former
//! Yugoslavia, Greece, Türkiye, Ukraine, Moldova and Russia, as their authorities publish the checks.

use super::number::{digits, is_multiple, remainder, value};
use super::{date, luhn, mod11_10};

/// Poland, PESEL: birthday, whose month tells the century, and a check digit.
pub(super) fn pl_pesel(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let month = value(&digits[2..4]) % 20;
    date::exists_in_some(value(&digits[..2]), month, value(&digits[4..6]))
        && remainder(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10) == 0
}

/// Poland, tax number.
pub(super) fn pl_nip(bytes: &[u8]) -> bool {
    is_multiple(bytes, [6, 5, 7, 2, 3, 4, 5, 6, 7, -1], 11)
}

/// Poland, statistical number of companies.
pub(super) fn pl_regon(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    remainder(&digits, &[8, 9, 2, 3, 4, 5, 6, 7], 11) % 10 == i32::from(digits[8])
}

/// Czechia and Slovakia, birth number: birthday, whose month is 50 more for women, and a remainder by 11. Nine
/// digits until 1953 have no check.
pub(super) fn birth_number(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let month = value(&digits[2..4]) % 50 % 20;
    date::exists_in_some(value(&digits[..2]), month, value(&digits[4..6]))
        && value(&digits[..9]) % 11 % 10 == u64::from(digits[9])
}

/// Romania, personal numerical code: century and sex, birthday, county, and a check digit.
pub(super) fn ro_cnp(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    let check = match remainder(&digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9], 11) {
        10 => 1,
        check => check,
    };
    let county = matches!(value(&digits[7..9]), 1..=48 | 51 | 52 | 70 | 80..=83);
    let birthday = date::exists_in_some(value(&digits[1..3]), value(&digits[3..5]), value(&digits[5..7]));
    digits[0] != 0 && county && birthday && check == i32::from(digits[12])
}

/// Bulgaria, uniform civil number: birthday, whose month tells the century, and a check digit.
pub(super) fn bg_egn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let month = match value(&digits[2..4]) {
        month @ 41.. => month - 40,
        month @ 21.. => month - 20,
        month => month,
    };
    date::exists_in_some(value(&digits[..2]), month, value(&digits[4..6]))
        && remainder(&digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6], 11) % 10 == i32::from(digits[9])
}

/// Croatia, personal identification number: MOD 11,10.
pub(super) fn hr_oib(bytes: &[u8]) -> bool {
    digits::<11>(bytes).is_some_and(|digits| mod11_10::is_valid(&digits))
}

/// Slovenia, Serbia, Bosnia, North Macedonia and Montenegro, master citizen number: birthday with three digits of
/// the year, region, and a check digit.
pub(super) fn jmbg(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    let year = value(&digits[4..7]);
    let year = if year < 800 { 2000 + year } else { 1000 + year };
    let check = -remainder(&digits, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11);
    date::exists(year, value(&digits[2..4]), value(&digits[..2]))
        && check.rem_euclid(11) % 10 == i32::from(digits[12])
}

/// Greece, social security number: birthday and Luhn.
pub(super) fn gr_amka(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    date::exists_in_some(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2]))
        && luhn::is_valid(&digits)
}

/// Greece, tax number: powers of two.
pub(super) fn gr_afm(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    remainder(&digits, &[256, 128, 64, 32, 16, 8, 4, 2], 11) % 10 == i32::from(digits[8])
}

/// Türkiye, identity number: two check digits.
pub(super) fn tr_kimlik(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let first = remainder(&digits, &[7, -1, 7, -1, 7, -1, 7, -1, 7], 10) == i32::from(digits[9]);
    let second = remainder(&digits, &[1; 10], 10) == i32::from(digits[10]);
    digits[0] != 0 && first && second
}

/// Türkiye, tax number.
pub(super) fn tr_vkn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let term = |place: usize| {
        let power = 9 - place as u32;
        match (u32::from(digits[place]) + power) % 10 {
            0 => 0,
            shifted => match shifted * (1 << power) % 9 {
                0 => 9,
                term => term,
            },
        }
    };
    ((0..9).map(term).sum::<u32>() + u32::from(digits[9])).is_multiple_of(10)
}

/// Ukraine, registration number of tax payers.
pub(super) fn ua_rntrc(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    remainder(&digits, &[-1, 5, 7, 9, 4, 6, 10, 5, 7], 11) % 10 == i32::from(digits[9])
}

/// Moldova, state identification number.
pub(super) fn md_idno(bytes: &[u8]) -> bool {
    is_multiple(bytes, [7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1, -1], 10)
}

/// Russia, tax number: of companies with one check digit, of persons with two.
pub(super) fn ru_inn(bytes: &[u8]) -> bool {
    const WEIGHTS: [i32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let checks = |digits: &[u8], place: usize| {
        remainder(&digits[..place], &WEIGHTS[11 - place..], 11) % 10 == i32::from(digits[place])
    };
    match (digits::<10>(bytes), digits::<12>(bytes)) {
        (Some(digits), _) => checks(&digits, 9),
        (_, Some(digits)) => checks(&digits, 10) && checks(&digits, 11),
        _ => false,
    }
}

/// Russia, insurance number of persons: a sum modulo 101.
pub(super) fn ru_snils(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    remainder(&digits, &[9, 8, 7, 6, 5, 4, 3, 2, 1], 101) % 100 == value(&digits[9..]) as i32
}
