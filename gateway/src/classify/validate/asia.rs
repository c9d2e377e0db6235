//! Numbers of persons and companies in Asia, as their authorities publish the checks.

use super::number::{characters, digits, letter, remainder, value, value_of};
use super::{date, luhn, mod11, verhoeff};

/// India, Aadhaar (UIDAI): Verhoeff; no number begins with 0 or 1 or is a palindrome.
pub(super) fn in_aadhaar(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<12>(bytes) else { return false };
    let is_palindrome = digits.iter().eq(digits.iter().rev());
    digits[0] > 1 && !is_palindrome && verhoeff::is_valid(&digits)
}

/// India, permanent account number: kinds of holders, no 0000.
pub(super) fn in_pan(bytes: &[u8]) -> bool {
    characters::<10>(bytes)
        .is_some_and(|characters| b"ABCFGHJKLPT".contains(&characters[3]) && &characters[5..9] != b"0000")
}

/// India, goods and services tax: state, permanent account number, and Luhn's sum in base 36.
pub(super) fn in_gstin(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<15>(bytes) else { return false };
    let values = characters.map(value_of);
    let terms = values.iter().rev().enumerate().map(|(place, value)| {
        let product = u32::from(*value) * if place % 2 == 0 { 1 } else { 2 };
        product / 36 + product % 36
    });
    (1..=37).contains(&value(&values[..2]))
        && in_pan(&characters[2..12])
        && terms.sum::<u32>().is_multiple_of(36)
}

/// India, voter card: three letters and Luhn over seven digits.
pub(super) fn in_voter_id(bytes: &[u8]) -> bool {
    digits::<7>(bytes).is_some_and(|digits| luhn::is_valid(&digits))
}

/// China, resident identity number (GB 11643): province, birthday, MOD 11-2.
pub(super) fn cn_resident_id(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<18>(bytes) else { return false };
    let values = characters.map(value_of);
    let province = matches!(value(&values[..2]), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    let year = value(&values[6..10]);
    let is_birthday = date::exists(year, value(&values[10..12]), value(&values[12..14]));
    province && (1900..2100).contains(&year) && is_birthday && mod11::is_valid(&characters)
}

/// China, unified social credit code of companies (GB 32100): powers of 3 modulo 31.
pub(super) fn cn_uscc(bytes: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [i32; 18] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1];
    let Some(characters) = characters::<18>(bytes) else { return false };
    let values = characters.map(|character| {
        ALPHABET.iter().position(|other| *other == character).map_or(u8::MAX, |value| value as u8)
    });
    !values.contains(&u8::MAX) && remainder(&values, &WEIGHTS, 31) == 0
}

/// Korea, resident registration number as given out before October 2020: birthday, sex, region and a check digit.
pub(super) fn kr_rrn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    let check = (11 - remainder(&digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], 11)) % 10;
    kr_rrn_unchecked(bytes) && value(&digits[7..9]) <= 96 && check == i32::from(digits[12])
}

/// Korea, resident registration number: birthday and sex. Since October 2020 the digits after them are random.
pub(super) fn kr_rrn_unchecked(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    (1..=8).contains(&digits[6])
        && date::exists_in_some(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]))
}

/// Korea, business registration number (National Tax Service): weights, and the tens of the last product.
pub(super) fn kr_brn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let sum = remainder(&digits, &[1, 3, 7, 1, 3, 7, 1, 3, 5], 10) + i32::from(digits[8]) * 5 / 10;
    (10 - sum % 10) % 10 == i32::from(digits[9])
}

/// Japan, individual number (Ministry of Internal Affairs, ordinance 85 of 2014).
pub(super) fn jp_my_number(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<12>(bytes) else { return false };
    let sum = remainder(&digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11);
    (-sum).rem_euclid(11) % 10 == i32::from(digits[11])
}

/// Japan, corporate number: the first digit checks the others, modulo 9.
pub(super) fn jp_corporate_number(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    9 - remainder(&digits[1..], &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1], 9) == i32::from(digits[0])
}

/// Taiwan, identity card: the letter of the county counts as two digits.
pub(super) fn tw_id(bytes: &[u8]) -> bool {
    const COUNTIES: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(characters) = characters::<10>(bytes) else { return false };
    let Some(county) = COUNTIES.iter().position(|letter| *letter == characters[0]) else { return false };
    let county = county as i32 + 10;
    let sum = remainder(&characters.map(value_of)[1..], &[8, 7, 6, 5, 4, 3, 2, 1, 1], 10);
    (county / 10 + county % 10 * 9 + sum) % 10 == 0
}

/// Hong Kong, identity card: one or two letters, a space counts 36.
pub(super) fn hk_id(bytes: &[u8]) -> bool {
    let (short, long) = (characters::<8>(bytes), characters::<9>(bytes));
    let mut values = [36; 9];
    match (short, long) {
        (Some(short), _) => values[1..].copy_from_slice(&short.map(value_of)),
        (_, Some(long)) => values = long.map(value_of),
        _ => return false,
    }
    remainder(&values, &[9, 8, 7, 6, 5, 4, 3, 2, 1], 11) == 0
}

/// Singapore, identity card: a letter by the sum, other letters for foreigners.
pub(super) fn sg_nric(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<9>(bytes) else { return false };
    let sum = remainder(&characters.map(value_of)[1..8], &[2, 7, 6, 5, 4, 3, 2], 11);
    let (offset, table): (i32, &[u8]) = match characters[0] {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    letter(table, ((sum + offset) % 11) as usize) == Some(characters[8])
}

/// Singapore, entity number of businesses (9 characters) and local companies (10).
pub(super) fn sg_uen(bytes: &[u8]) -> bool {
    if let Some(business) = characters::<9>(bytes) {
        let index = remainder(&business.map(value_of)[..8], &[10, 4, 9, 3, 8, 2, 7, 1], 11);
        return letter(b"XMKECAWLJDB", index as usize) == Some(business[8]);
    }
    let Some(company) = characters::<10>(bytes) else { return false };
    let values = company.map(value_of);
    let index = remainder(&values[..9], &[10, 8, 6, 4, 9, 7, 5, 3, 1], 11);
    (1900..2100).contains(&value(&values[..4])) && letter(b"ZKCMDNERGWH", index as usize) == Some(company[9])
}

/// Malaysia, identity card: birthday and place of birth.
pub(super) fn my_nric(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<12>(bytes) else { return false };
    let place = matches!(value(&digits[6..8]), 1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99);
    place && date::exists_in_some(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]))
}

/// Thailand, identity card: weights 13 to 2.
pub(super) fn th_id(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    let sum = remainder(&digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11);
    (1..=8).contains(&digits[0]) && (11 - sum) % 10 == i32::from(digits[12])
}

/// Indonesia, resident number: province, birthday, whose day is 40 more for women.
pub(super) fn id_nik(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<16>(bytes) else { return false };
    let province =
        matches!(value(&digits[..2]), 11..=21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=96);
    let place = (1..=79).contains(&value(&digits[2..4]));
    let (year, month, day) = (value(&digits[10..12]), value(&digits[8..10]), value(&digits[6..8]) % 40);
    province && place && date::exists_in_some(year, month, day) && value(&digits[12..]) > 0
}

/// Indonesia, tax number of 15 digits: Luhn over the first nine.
pub(super) fn id_npwp(bytes: &[u8]) -> bool {
    digits::<15>(bytes).is_some_and(|digits| luhn::is_valid(&digits[..9]))
}

/// Pakistan, identity card: region first, sex last.
pub(super) fn pk_cnic(bytes: &[u8]) -> bool {
    digits::<13>(bytes).is_some_and(|digits| (1..=7).contains(&digits[0]) && digits[12] != 0)
}

/// Vietnam, tax number: weights 31 to 3.
pub(super) fn vn_tax(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let check = 10 - remainder(&digits, &[31, 29, 23, 19, 17, 13, 7, 5, 3], 11);
    value(&digits[2..9]) > 0 && check == i32::from(digits[9])
}

/// Israel, identity number: Luhn.
pub(super) fn il_id(bytes: &[u8]) -> bool {
    digits::<9>(bytes).is_some_and(|digits| luhn::is_valid(&digits))
}

/// Taiwan, business number: the digits of the products; a 7 at the seventh place may be taken for 0 or 1.
pub(super) fn tw_ubn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<8>(bytes) else { return false };
    let products =
        digits.iter().zip([1, 2, 1, 2, 1, 2, 4, 1]).map(|(digit, weight)| u32::from(*digit) * weight);
    let sum = products.map(|product| product / 10 + product % 10).sum::<u32>() % 10;
    sum == 0 || sum == 9 && digits[6] == 7
}
