//! International bank account numbers, ISO 13616: the lengths of the SWIFT registry and ISO 7064 MOD 97-10.

use super::mod97;

/// Country codes by the length of their numbers.
const LENGTHS: &[(usize, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO FK GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// Whether `bytes`, without spaces and hyphens, has its country's length and the right check digits.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let length = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let Some((head, rest)) = bytes.split_at_checked(4) else { return false };
    let country = head.get(..2).unwrap_or_default();
    let fits = |entry: &&(usize, &str)| entry.0 == length;
    let has_length = LENGTHS.iter().find(fits).is_some_and(|(_, countries)| {
        countries.split(' ').any(|known| known.as_bytes().eq_ignore_ascii_case(country))
    });
    has_length && mod97::remainder(rest.iter().chain(head).copied()) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_registry_pass_and_changed_ones_fail() {
        let valid = [
            "DE89370400440532013000",
            "GB29 NWBK 6016 1331 9268 19",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "PT50000201231234567890154",
            "LC55HEMM000100010012001200023015",
        ];
        for iban in valid {
            assert!(is_valid(iban.as_bytes()), "{iban}");
        }
        for iban in ["DE88370400440532013000", "DE8937040044053201300", "XX89370400440532013000", "DE"] {
            assert!(!is_valid(iban.as_bytes()), "{iban}");
        }
    }
}
