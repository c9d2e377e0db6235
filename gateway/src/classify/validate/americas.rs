//! Numbers of persons and companies in America, as their authorities publish the checks. The social security
//! number of the United States is in `ssn.rs`.

use super::number::{characters, digits, is_multiple, letter, remainder, value, value_of};
use super::{date, luhn};

/// United States, individual taxpayer identification number (IRS): area 9xx, groups that are given out.
pub(super) fn us_itin(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    digits[0] == 9 && matches!(value(&digits[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// United States, employer identification number (IRS): prefixes that are given out.
pub(super) fn us_ein(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<9>(bytes) else { return false };
    let never = [0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97];
    !never.contains(&value(&digits[..2])) && value(&digits[2..]) > 0
}

/// United States, bank routing number (ABA): regions, and weights 3, 7, 1.
pub(super) fn us_aba_routing(bytes: &[u8]) -> bool {
    is_multiple(bytes, [3, 7, 1, 3, 7, 1, 3, 7, 1], 10)
        && digits::<9>(bytes)
            .is_some_and(|digits| matches!(value(&digits[..2]), 1..=12 | 21..=32 | 61..=72 | 80))
}

/// Canada, social insurance number: Luhn; no region has 0 or 8.
pub(super) fn ca_sin(bytes: &[u8]) -> bool {
    digits::<9>(bytes).is_some_and(|digits| !matches!(digits[0], 0 | 8) && luhn::is_valid(&digits))
}

/// Canada, business number: Luhn over nine digits, before the program's letters and digits.
pub(super) fn ca_bn(bytes: &[u8]) -> bool {
    let first = bytes.iter().position(u8::is_ascii_alphabetic).unwrap_or(bytes.len());
    let (number, program) = bytes.split_at(first);
    matches!(program.len(), 0 | 6) && digits::<9>(number).is_some_and(|digits| luhn::is_valid(&digits))
}

/// Brazil, persons (Receita Federal): two check digits.
pub(super) fn br_cpf(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let checks = |place: usize, weights: &[i32]| {
        (-remainder(&digits[..place], weights, 11)).rem_euclid(11) % 10 == i32::from(digits[place])
    };
    checks(9, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) && checks(10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// Brazil, companies (Receita Federal; letters since 2026 count as in ASCII, less 48): two check digits.
pub(super) fn br_cnpj(bytes: &[u8]) -> bool {
    const WEIGHTS: [i32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let Some(characters) = characters::<14>(bytes) else { return false };
    let values = characters.map(|character| character - b'0');
    let checks = |place: usize| {
        let sum = remainder(&values[..place], &WEIGHTS[13 - place..], 11);
        (-sum).rem_euclid(11) % 10 == i32::from(values[place])
    };
    values[..12].iter().any(|value| *value > 0) && checks(12) && checks(13)
}

/// Argentina, tax number: kinds of holders, and weights 5 to 2 and 7 to 2.
pub(super) fn ar_cuit(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let index = remainder(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11);
    matches!(value(&digits[..2]), 20 | 23 | 24 | 27 | 30 | 33 | 34 | 50 | 51 | 55)
        && letter(b"09987654321", index as usize) == Some(b'0' + digits[10])
}

/// Chile, persons and companies: seven or eight digits and a check of 0 to 9 or K.
pub(super) fn cl_rut(bytes: &[u8]) -> bool {
    let long = characters::<9>(bytes);
    let Some(padded) = long.or_else(|| {
        let mut padded = [b'0'; 9];
        padded[1..].copy_from_slice(&characters::<8>(bytes)?);
        Some(padded)
    }) else {
        return false;
    };
    let check = remainder(&padded.map(value_of)[..8], &[8, 9, 4, 5, 6, 7, 8, 9], 11);
    letter(b"0123456789K", check as usize) == Some(padded[8])
}

/// Colombia, tax number: primes as weights.
pub(super) fn co_nit(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let index = remainder(&digits, &[41, 37, 29, 23, 19, 17, 13, 7, 3], 11);
    letter(b"01987654321", index as usize) == Some(b'0' + digits[9])
}

/// What a character counts in Mexico's numbers: Ñ, which is no ASCII, stands after N.
fn mexican_value(character: u8) -> u8 {
    value_of(character) + u8::from(character > b'N')
}

/// Mexico, population register: birthday, sex, state, and a check digit.
pub(super) fn mx_curp(bytes: &[u8]) -> bool {
    const STATES: &str =
        "AS BC BS CC CH CL CM CS DF DG GR GT HG JC MC MN MS NE NL NT OC PL QR QT SL SP SR TC TL TS VZ YN ZS";
    let Some(characters) = characters::<18>(bytes) else { return false };
    let date = |place: usize| value(&[value_of(characters[place]), value_of(characters[place + 1])]);
    let state = STATES.as_bytes().chunks(3).any(|state| state[..2] == characters[11..13]);
    let weights = [18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    state
        && date::exists_in_some(date(4), date(6), date(8))
        && remainder(&characters.map(mexican_value), &weights, 10) == 0
}

/// Mexico, tax number of persons (13 characters) and companies (12): a day, and a check character.
pub(super) fn mx_rfc(bytes: &[u8]) -> bool {
    /// A space, which fills companies' numbers up, counts 37.
    const FILL: u8 = 37;
    let mut values = [FILL; 13];
    match (characters::<13>(bytes), characters::<12>(bytes)) {
        (Some(person), _) => values = person.map(mexican_value),
        (_, Some(company)) => values[1..].copy_from_slice(&company.map(mexican_value)),
        _ => return false,
    }
    let sum = remainder(&values[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11);
    date::exists_in_some(value(&values[4..6]), value(&values[6..8]), value(&values[8..10]))
        && (11 - sum) % 11 == i32::from(values[12])
}

/// Peru, tax number: kinds of holders, and weights 5 to 2 and 7 to 2.
pub(super) fn pe_ruc(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let check = (11 - remainder(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11)) % 10;
    matches!(value(&digits[..2]), 10 | 15 | 17 | 20) && check == i32::from(digits[10])
}

/// Ecuador, identity card: province, kind of person, Luhn.
pub(super) fn ec_ci(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    matches!(value(&digits[..2]), 1..=24 | 30 | 50) && digits[2] <= 6 && luhn::is_valid(&digits)
}

/// Venezuela, tax number: the letter of the holder's kind counts 4 to 20.
pub(super) fn ve_rif(bytes: &[u8]) -> bool {
    let Some(characters) = characters::<10>(bytes) else { return false };
    let Some(kind) = b"VEJPG".iter().position(|letter| *letter == characters[0]) else { return false };
    let mut values = characters.map(value_of);
    values[0] = kind as u8 + 1;
    let index = remainder(&values, &[4, 3, 2, 7, 6, 5, 4, 3, 2], 11);
    letter(b"00987654321", index as usize) == Some(characters[9])
}

/// Dominican Republic, identity card: Luhn.
pub(super) fn do_cedula(bytes: &[u8]) -> bool {
    digits::<11>(bytes).is_some_and(|digits| luhn::is_valid(&digits))
}

/// Uruguay, tax number: offices, 001 before the check digit.
pub(super) fn uy_rut(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<12>(bytes) else { return false };
    let check = (-remainder(&digits, &[4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 11)).rem_euclid(11);
    matches!(value(&digits[..2]), 1..=22)
        && value(&digits[2..8]) > 0
        && digits[8..11] == [0, 0, 1]
        && check == i32::from(digits[11])
}
