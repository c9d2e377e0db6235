//! Business identifier codes, ISO 9362: four letters of the party, its country, its location, its branch.

/// ISO 3166-1 alpha-2, and XK, which SWIFT uses for Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM \
    FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO \
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA \
    SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US \
    UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Whether the fifth and sixth letter name a country.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let country = bytes.get(4..6).unwrap_or_default();
    COUNTRIES.split_ascii_whitespace().any(|known| known.as_bytes() == country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_country_decides() {
        for code in ["DEUTDEFF", "NEDSZAJJXXX", "AGRIFRPP882"] {
            assert!(is_valid(code.as_bytes()), "{code}");
        }
        for code in ["DEUTXXFF", "PASSWORD", "ABCD"] {
            assert!(!is_valid(code.as_bytes()), "{code}");
        }
    }
}
