//! The checks of numbers against python-stdnum 2.2 (PyPI): `tests/data/stdnum.tsv` holds random numbers of the forms
//! that the detectors accept, and its verdicts. Those are left out that depend on the day of the test, or where the
//! tables of the authority say more (groups of ITINs, regions of routing numbers).

use std::collections::BTreeMap;

use super::*;

/// A validator's verdict on a text that is nothing but the number.
fn accepts(validator: &str, number: &str) -> bool {
    let found = Match { field: number.as_bytes(), start: 0, end: number.len() };
    named(validator).accept(found).is_some()
}

#[test]
fn the_checks_agree_with_python_stdnum() {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in include_str!("../../../tests/data/stdnum.tsv").lines() {
        let [validator, number, verdict] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let expected = verdict == "valid";
        if accepts(validator, number) != expected {
            wrong.push(line);
        }
        let (valid, invalid) = counts.entry(validator).or_default();
        *(if expected { valid } else { invalid }) += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (validator, (valid, invalid)) in counts {
        assert!(valid >= 3 && invalid >= 3, "{validator}: {valid} valid and {invalid} invalid ones");
    }
}

#[test]
fn a_number_of_another_length_is_refused() {
    for line in include_str!("../../../tests/data/stdnum.tsv").lines() {
        let [validator, number, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        for other in ["", &number[..2], &number.repeat(3)] {
            assert!(!accepts(validator, other), "{validator} {other}");
        }
    }
}

#[test]
fn published_examples_pass_and_their_neighbours_fail() {
    let cases: [(&str, &[&str], &[&str]); 14] = [
        // HMRC, NIM39110.
        (
            "uk_nino",
            &["AB123456C", "JG103759A", "WP 12 34 56 D"],
            &["QQ123456C", "GB123456A", "AB123456E", "DA123456A"],
        ),
        // DVLA, "How to read a driving licence".
        (
            "uk_driving_licence",
            &["MORGA657054SM9IJ", "JONES711215AB9CD", "SMITH862315J99EF"],
            &["MORGA613054SM9IJ", "MORGA600054SM9IJ", "MORGA657324SM9IJ"],
        ),
        // Centers for Medicare & Medicaid Services: "Requirements for NPI and NPI check digit", the MBI's format.
        ("us_npi", &["1234567893", "1245319599", "1679428353"], &["1234567890", "3234567893", "123456789"]),
        (
            "us_mbi",
            &["1EG4-TE5-MK73", "1EG4TE5MK72", "9AA9AA9AA99"],
            &["0EG4TE5MK73", "1SG4TE5MK73", "1EG4TE5MK7A"],
        ),
        // Drug Enforcement Administration, diversion control manual.
        ("us_dea", &["AB1234563", "F91234563", "BB1388568"], &["AB1234564", "AB1234565", "AB123456"]),
        // Deutsche Rentenversicherung: VKVV, and its brochures.
        (
            "de_social_insurance",
            &["65170839J003", "15070649C103", "15 070649 C 103"],
            &["65170839J004", "65170839K003", "15070649C10"],
        ),
        // Federal Ministry of the Interior, specimens of the identity card.
        (
            "de_id_card",
            &["T220001293", "L01X00T471", "LZ6311T475"],
            &["T220001294", "L01X00T472", "T220001239"],
        ),
        // Pension Fund of Russia.
        (
            "ru_snils",
            &["112-233-445 95", "087-654-303 00", "11223344595"],
            &["112-233-445 96", "087-654-303 01", "112-233-454 95"],
        ),
        // Ministry of the Interior of Taiwan; registration department of Hong Kong; ICA of Singapore.
        ("tw_id", &["A123456789", "F131104093", "A800000014"], &["A123456788", "B123456789", "123456789"]),
        ("hk_id", &["A123456(3)", "C123456(9)", "AB987654(3)"], &["A123456(4)", "B123456(3)", "A12345(3)"]),
        (
            "sg_nric",
            &["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"],
            &["S1234567E", "T1234567D", "F1234567X", "A1234567D"],
        ),
        // National Tax Service of Korea: numbers that companies print on their sites.
        (
            "kr_brn",
            &["124-81-00998", "220-81-62517", "120-81-47521"],
            &["124-81-00999", "220-81-62571", "120-81-4752"],
        ),
        // Services Australia.
        (
            "au_medicare",
            &["2123 45670 1", "2428 77813 2", "2123456701"],
            &["2123 45671 1", "1123 45670 1", "2123 45670 0"],
        ),
        ("us_ein", &["12-3459876", "91-1144442", "94-2404110"], &["07-1144442", "89-1144442", "91-114444"]),
    ];
    let mut wrong: Vec<&&str> = Vec::new();
    for (validator, valid, invalid) in cases {
        wrong.extend(valid.iter().filter(|number| !accepts(validator, number)));
        wrong.extend(invalid.iter().filter(|number| accepts(validator, number)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn named(name: &str) -> Validator {
    Validator::ALL.iter().find(|(known, _)| *known == name).expect("a validator has this name").1
}
