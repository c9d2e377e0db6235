//! Numbers of persons and companies in Germany, France, Spain, Italy, the Netherlands, Belgium, Austria,
//! Switzerland and Portugal, as their authorities publish the checks.

use super::number::{characters, digits, is_multiple, letter, remainder, value, value_of};
use super::{luhn, mod11_10, mod97};

/// Germany, tax identification number (§ 139b AO): MOD 11,10; of the first ten digits one occurs twice or three
/// times, the others at most once.
pub(super) fn de_tax_id(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let count = |digit: u8| digits[..10].iter().filter(|other| **other == digit).count();
    let mut repeated = (0..10).map(count).filter(|count| *count > 1);
    let one_repeats = matches!((repeated.next(), repeated.next()), (Some(2 | 3), None));
    digits[0] != 0 && one_repeats && mod11_10::is_valid(&digits)
}

/// Germany, VAT number: MOD 11,10 over the nine digits.
pub(super) fn de_vat(bytes: &[u8]) -> bool {
    digits::<9>(bytes).is_some_and(|digits| digits[0] != 0 && mod11_10::is_valid(&digits))
}

/// Germany, pension insurance number (VKVV § 2): the letter counts as two digits, products by their cross sum.
pub(super) fn de_social_insurance(bytes: &[u8]) -> bool {
    const WEIGHTS: [u8; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let Some(characters) = characters::<12>(bytes) else { return false };
    let letter = value_of(characters[8]).saturating_sub(9);
    let values = characters[..8].iter().map(|character| value_of(*character));
    let values =
        values.chain([letter / 10, letter % 10]).chain(characters[9..11].iter().map(|c| value_of(*c)));
    let products = values.zip(WEIGHTS).map(|(value, weight)| u32::from(value) * u32::from(weight));
    products.map(|product| product / 10 + product % 10).sum::<u32>() % 10
        == u32::from(value_of(characters[11]))
}

/// Germany, identity card (ICAO 9303-3, 4.9): the tenth character checks nine with weights 7, 3, 1.
pub(super) fn de_id_card(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<10>(bytes) else { return false };
    let values = characters.map(value_of);
    remainder(&values[..9], &[7, 3, 1, 7, 3, 1, 7, 3, 1], 10) == i32::from(values[9])
}

/// France, registration number of persons (INSEE): 97 less the remainder; 2A and 2B of Corsica count 19 and 18.
pub(super) fn fr_nir(bytes: &[u8]) -> bool {
    let Some(mut characters) = characters::<15>(bytes) else { return false };
    match &characters[5..7] {
        b"2A" => characters[5..7].copy_from_slice(b"19"),
        b"2B" => characters[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    let Some(digits) = digits::<15>(&characters) else { return false };
    97 - value(&digits[..13]) % 97 == value(&digits[13..])
}

/// France, tax number of persons: the last three digits are the remainder of the others by 511.
pub(super) fn fr_nif(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<13>(bytes) else { return false };
    digits[0] < 4 && value(&digits[..10]) % 511 == value(&digits[10..])
}

/// France, company (INSEE): Luhn.
pub(super) fn fr_siren(bytes: &[u8]) -> bool {
    digits::<9>(bytes).is_some_and(|digits| luhn::is_valid(&digits))
}

/// France, establishment: the company's number and five digits, Luhn over either.
pub(super) fn fr_siret(bytes: &[u8]) -> bool {
    digits::<14>(bytes).is_some_and(|digits| luhn::is_valid(&digits) && luhn::is_valid(&digits[..9]))
}

/// France, VAT number: two digits that follow from the company's number.
pub(super) fn fr_vat(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    luhn::is_valid(&digits[2..]) && (value(&digits[2..]) * 100 + 12) % 97 == value(&digits[..2])
}

/// The letters of Spain's identity numbers, by the remainder by 23.
const DNI_LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Spain, identity number of citizens (Real Decreto 1553/2005).
pub(super) fn es_dni(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<9>(bytes) else { return false };
    let number = value(&characters.map(value_of)[..8]);
    number > 0 && letter(DNI_LETTERS, (number % 23) as usize) == Some(characters[8])
}

/// Spain, identity number of foreigners: X, Y, Z count 0, 1, 2.
pub(super) fn es_nie(bytes: &[u8]) -> bool {
    let Some(mut characters) = characters::<9>(bytes) else { return false };
    let Some(first) = b"XYZ".iter().position(|letter| *letter == characters[0]) else { return false };
    characters[0] = b'0' + first as u8;
    let number = value(&characters.map(value_of)[..8]);
    letter(DNI_LETTERS, (number % 23) as usize) == Some(characters[8])
}

/// Spain, company (Orden EHA/451/2008): Luhn's check digit, or the letter that stands for it.
pub(super) fn es_cif(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<9>(bytes) else { return false };
    let mut digits = characters.map(value_of);
    if !characters[8].is_ascii_digit() {
        let Some(check) = b"JABCDEFGHI".iter().position(|letter| *letter == characters[8]) else {
            return false;
        };
        digits[8] = check as u8;
    }
    luhn::is_valid(&digits[1..])
}

/// Italy, fiscal code (DM 23/12/1976): birthday, and a letter that sums of two tables give.
pub(super) fn it_fiscal_code(bytes: &[u8]) -> bool {
    /// What a character counts at odd places: digits as A to J.
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some(characters) = characters::<16>(bytes) else { return false };
    let index = |character: u8| {
        usize::from(if character.is_ascii_digit() {
            character - b'0'
        } else {
            character.saturating_sub(b'A')
        })
    };
    let sum: u32 = (0..15)
        .map(|place| match place % 2 {
            0 => ODD.get(index(characters[place])).copied().unwrap_or(0),
            _ => index(characters[place]) as u32,
        })
        .sum();
    (sum % 26) as usize == index(characters[15]) && has_italian_birthday(&characters)
}

/// Letters stand for digits where two persons would share a code.
fn has_italian_birthday(characters: &[u8; 16]) -> bool {
    let digit = |place: usize| match characters[place] {
        digit @ b'0'..=b'9' => Some(u64::from(digit - b'0')),
        other => b"LMNPQRSTUV".iter().position(|letter| *letter == other).map(|digit| digit as u64),
    };
    let two = |place: usize| Some(digit(place)? * 10 + digit(place + 1)?);
    let month = b"ABCDEHLMPRST".iter().position(|letter| *letter == characters[8]);
    let date = two(6).zip(month).zip(two(9));
    date.is_some_and(|((year, month), day)| super::date::exists_in_some(year, month as u64 + 1, day % 40))
}

/// Italy, VAT number: Luhn; the eighth to tenth digit name the office.
pub(super) fn it_vat(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let office = matches!(value(&digits[7..10]), 1..=100 | 120 | 121 | 888 | 999);
    office && value(&digits[..7]) > 0 && luhn::is_valid(&digits)
}

/// Netherlands, citizen service number: weights 9 to 2 and -1.
pub(super) fn nl_bsn(bytes: &[u8]) -> bool {
    is_multiple(bytes, [9, 8, 7, 6, 5, 4, 3, 2, -1], 11)
}

/// Netherlands, VAT number: holds a citizen service number, or is checked as a whole.
pub(super) fn nl_vat(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<14>(bytes) else { return false };
    nl_bsn(&characters[2..11]) || mod97::is_valid(&characters)
}

/// Belgium, national number: 97 less the remainder, of a number with a 2 before it for those born from 2000 on.
pub(super) fn be_national_number(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let (number, check) = (value(&digits[..9]), value(&digits[9..]));
    let month = value(&digits[2..4]);
    let checks = |number: u64| 97 - number % 97 == check;
    month <= 12 && value(&digits[4..6]) <= 31 && (checks(number) || checks(2_000_000_000 + number))
}

/// Belgium, enterprise number: 97 less the remainder.
pub(super) fn be_vat(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    digits[0] < 2 && (value(&digits[..8]) + value(&digits[8..])).is_multiple_of(97)
}

/// Austria, social insurance number: the fourth digit checks the others; the last six are the birthday.
pub(super) fn at_ssn(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let check = remainder(&digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6], 11);
    digits[0] != 0 && check == i32::from(digits[3]) && (1..=31).contains(&value(&digits[4..6]))
}

/// Austria, VAT number: Luhn's sum over seven digits, and four.
pub(super) fn at_vat(bytes: &[u8]) -> bool {
    const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let Some(digits) = digits::<8>(bytes) else { return false };
    let sum: u32 = (0..7)
        .map(|place| match place % 2 {
            1 => DOUBLED.get(usize::from(digits[place])).copied().unwrap_or(0),
            _ => u32::from(digits[place]),
        })
        .sum();
    (sum + 4 + u32::from(digits[7])).is_multiple_of(10)
}

/// Switzerland, social insurance number: an EAN-13 that begins with 756.
pub(super) fn ch_ahv(bytes: &[u8]) -> bool {
    is_multiple(bytes, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1], 10)
        && digits::<13>(bytes).is_some_and(|digits| digits.starts_with(&[7, 5, 6]))
}

/// Switzerland, enterprise number (UIDV Annex 1).
pub(super) fn ch_uid(bytes: &[u8]) -> bool {
    is_multiple(bytes, [5, 4, 3, 2, 7, 6, 5, 4, 1], 11)
}

/// Portugal, tax number: weights 9 to 2; a check of 10 is written 0.
pub(super) fn pt_nif(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    let check = -remainder(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2], 11);
    digits[0] != 0 && check.rem_euclid(11) % 10 == i32::from(digits[8])
}

/// Portugal, citizen card: Luhn with letters as 10 to 35.
pub(super) fn pt_cc(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<12>(bytes) else { return false };
    let sum: u32 = characters
        .iter()
        .rev()
        .enumerate()
        .map(|(place, character)| match u32::from(value_of(*character)) {
            value if place % 2 == 0 => value,
            value if value > 4 => 2 * value - 9,
            value => 2 * value,
        })
        .sum();
    sum.is_multiple_of(10)
}
