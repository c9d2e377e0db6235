//! Numbers of persons and companies in Sweden, Norway, Denmark, Finland, Iceland, Estonia, Latvia and Lithuania,
//! as their authorities publish the checks.

use super::number::{characters, digits, is_multiple, letter, remainder, value, value_of};
use super::{date, luhn};

/// Sweden, personal identity number (SFS 1991:481): birthday, whose day is 60 more in coordination numbers, and
/// Luhn over the last ten digits.
pub(super) fn se_personnummer(bytes: &[u8]) -> bool {
    let long = digits::<12>(bytes);
    let short = long.and_then(|digits| digits.last_chunk().copied()).or_else(|| digits::<10>(bytes));
    let Some(digits) = short else { return false };
    let (year, month, day) = (value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]));
    let century = long.is_none_or(|long| matches!(value(&long[..2]), 18..=20));
    let day = if day > 60 { day - 60 } else { day };
    century && date::exists_in_some(year, month, day) && luhn::is_valid(&digits)
}

/// Sweden, organisation: Luhn; the third digit is 2 or more, where persons have the month.
pub(super) fn se_company(bytes: &[u8]) -> bool {
    digits::<10>(bytes).is_some_and(|digits| digits[2] > 1 && luhn::is_valid(&digits))
}

/// Norway, national identity number: birthday, whose day is 40 more in D-numbers, and two check digits.
pub(super) fn no_fodselsnummer(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let first = remainder(&digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1], 11) == 0;
    let second = remainder(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1], 11) == 0;
    let (day, month) = (value(&digits[..2]), value(&digits[2..4]));
    let less = |number: u64| if number > 40 { number - 40 } else { number };
    first && second && date::exists_in_some(value(&digits[4..6]), less(month), less(day))
}

/// Norway, organisation.
pub(super) fn no_company(bytes: &[u8]) -> bool {
    is_multiple(bytes, [3, 2, 7, 6, 5, 4, 3, 2, 1], 11)
}

/// Denmark, central person register: a birthday; since 2007 there is no check digit.
pub(super) fn dk_cpr(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    date::exists_in_some(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2]))
}

/// Denmark, company.
pub(super) fn dk_cvr(bytes: &[u8]) -> bool {
    is_multiple(bytes, [2, 7, 6, 5, 4, 3, 2, 1], 11)
        && digits::<8>(bytes).is_some_and(|digits| digits[0] != 0)
}

/// Finland, personal identity code: birthday, sign of the century, and a character by the remainder by 31.
pub(super) fn fi_hetu(bytes: &[u8]) -> bool {
    const CHECKS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (Some(birthday), Some([rest @ .., check])) = (bytes.get(..6), bytes.get(7..)) else { return false };
    let (Some(birthday), Some(individual)) = (characters::<6>(birthday), characters::<3>(rest)) else {
        return false;
    };
    let (birthday, individual) = (birthday.map(value_of), value(&individual.map(value_of)));
    let day = date::exists_in_some(value(&birthday[4..]), value(&birthday[2..4]), value(&birthday[..2]));
    let index = (value(&birthday) * 1000 + individual) % 31;
    day && (2..900).contains(&individual)
        && letter(CHECKS, index as usize) == Some(check.to_ascii_uppercase())
}

/// Finland, business identity code.
pub(super) fn fi_business_id(bytes: &[u8]) -> bool {
    is_multiple(bytes, [7, 9, 10, 5, 8, 4, 2, 1], 11)
}

/// Iceland, identification number: birthday, whose day is 40 more for companies, and a check digit.
pub(super) fn is_kennitala(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<10>(bytes) else { return false };
    let day = value(&digits[..2]);
    let day = if day > 40 { day - 40 } else { day };
    let birthday = date::exists_in_some(value(&digits[4..6]), value(&digits[2..4]), day);
    birthday && matches!(digits[9], 0 | 9) && remainder(&digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1], 11) == 0
}

/// Estonia and Lithuania, personal code: century and sex, birthday, and a check digit in two stages.
pub(super) fn baltic_personal_code(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let year = match digits[0] {
        century @ 1..=8 => 1800 + 100 * u64::from((century - 1) / 2) + value(&digits[1..3]),
        _ => return false,
    };
    let check = match remainder(&digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1], 11) {
        10 => remainder(&digits, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3], 11) % 10,
        check => check,
    };
    date::exists(year, value(&digits[3..5]), value(&digits[5..7])) && check == i32::from(digits[10])
}

/// Latvia, personal code: birthday, or 32 at the beginning since 2017, and a check digit.
pub(super) fn lv_personal_code(bytes: &[u8]) -> bool {
    let Some(digits) = digits::<11>(bytes) else { return false };
    let check = (1 + remainder(&digits, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9], 11)) % 11 % 10;
    let day = value(&digits[..2]);
    let year = 1800 + 100 * u64::from(digits[6]) + value(&digits[4..6]);
    let is_dated = digits[6] < 3 && date::exists(year, value(&digits[2..4]), day);
    (day == 32 || is_dated) && check == i32::from(digits[10])
}
