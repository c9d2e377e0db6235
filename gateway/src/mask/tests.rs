use proptest::prelude::*;

use super::*;
use crate::payload::Part;

const CARD: DetectorIndex = DetectorIndex(0);

fn redact() -> Operator {
    Operator::Redact { with: b'*' }
}

fn keep(first: usize, last: usize) -> Operator {
    Operator::Keep(Keep { first, last, with: b'*' })
}

fn hash() -> Operator {
    Operator::Hash { key: Key::new("k", b"0123456789abcdef").expect("the key is long enough"), length: 8 }
}

fn replace(with: &str) -> Operator {
    Operator::Replace(Replacement::new(with))
}

fn token() -> Operator {
    let key = Key::new("k", b"0123456789abcdef").expect("the key is long enough");
    Operator::Token(Token::new(key).expect("it is a key of AES"))
}

/// Masks `spans` of `text`, one operator each, and returns the whole text.
fn mask_spans(text: &[u8], spans: &[(Range<usize>, Operator)]) -> Vec<u8> {
    mask_part(Part::Value, text, spans)
}

fn mask_part(part: Part, text: &[u8], spans: &[(Range<usize>, Operator)]) -> Vec<u8> {
    let mut masking = Masking::new(vec![Subject {
        id: "credit_card".to_owned(),
        normal: Normal::Alphanumeric,
        has_check_digit: true,
    }]);
    let narrow = |number: usize| u32::try_from(number).expect("tests are small");
    let edit = |(span, operator): &(Range<usize>, Operator)| Edit {
        field: 0,
        start: narrow(span.start),
        end: narrow(span.end),
        operator: masking.add(operator.clone()),
        detector: CARD,
        is_united: false,
    };
    let edits: Vec<Edit> = spans.iter().map(edit).collect();
    let field = Field { record: 0, part, start: 0, end: narrow(text.len()) };
    let mut patches = Patches::default();
    apply(&masking, text, &[field], &edits, &mut Cursor::default(), &mut patches).unwrap();
    let mut out = Vec::new();
    patches.apply_field(text, 0, &field, &mut out);
    out
}

/// Masks what stands between `<` and `>` in `marked`.
fn mask(marked: &str, operator: &Operator) -> String {
    let start = marked.find('<').expect("the span is marked");
    let end = marked.find('>').expect("the span is marked") - 1;
    let text = marked.replacen('<', "", 1).replacen('>', "", 1);
    let out = mask_spans(text.as_bytes(), &[(start..end, operator.clone())]);
    String::from_utf8(out).expect("the mask of text is text")
}

#[test]
fn text_is_masked_as_each_operator_says() {
    let table = [
        ("redact", redact(), "pan <4111 1111-x> ok", "pan **** ****-* ok"),
        ("redact with another character", Operator::Redact { with: b'#' }, "<a-1>", "#-#"),
        ("redact letters of two bytes", redact(), "<Müller–7>", "*******–*"),
        ("keep", keep(6, 4), "<4111 1111 1111 1111>", "4111 11** **** 1111"),
        ("keep would keep all", keep(2, 2), "<12-34>", "**-**"),
        ("keep one end", keep(0, 4), "<123-45-6789>", "***-**-6789"),
        ("replace", replace("[{detector}]"), "a <4111> b", "a [credit_card] b"),
        ("null", Operator::Null, "a <4111> b", "a  b"),
        ("backslash in plain text", redact(), r"C:\<new4111>", r"C:\*******"),
    ];
    for (name, operator, marked, expected) in table {
        assert_eq!(mask(marked, &operator), expected, "{name}");
    }
}

#[test]
fn escapes_of_urls_and_xml_stay_escapes() {
    let table = [
        ("percent-encoding", redact(), "?mail=<jane%40x%2Dy.org>&b", "?mail=****%40*%2D*.***&b"),
        ("an encoded digit", redact(), "?pan=<%34111>", "?pan=%2a***"),
        ("a percent sign", redact(), "<100%>", "***%"),
        ("references", redact(), "to <jane&#64;x&#46;org>", "to ****&#64;*&#46;***"),
        ("references of digits", redact(), "x<&#52;&#x34;&#052;1>", "x&#42;&#x2a;&#042;*"),
        ("bytes beyond ASCII", redact(), "<p%C3%A4ss>", "*%2a%2a**"),
        ("a byte of control", redact(), "<a%0Ab>", "*%0A*"),
        ("references beyond ASCII", redact(), "<p&#233;&#xe9;s>", "*&#042;&#x2a;*"),
        ("references of other characters", redact(), "<a&#8211;&#x1F600;b>", "*&#8211;&#x1F600;*"),
        ("references of nothing", redact(), "<a&#xd800;b>", "*&#x002a;*"),
        (
            "long references",
            redact(),
            "<a&#00000000000000064;&#00000000000000052;>",
            "*&#00000000000000064;&#00000000000000042;",
        ),
        ("entities", redact(), "<a&amp;b>", "*&amp;*"),
        ("kept", keep(1, 1), "<%34%35%36>", "%34%2a%36"),
        ("token", token(), "<4111%201111%201111%201111>", "2712%202087%208866%207821"),
    ];
    for (name, operator, marked, expected) in table {
        assert_eq!(mask(marked, &operator), expected, "{name}");
    }
    assert_eq!(mask("<jane%40x.org>", &hash()), mask("<jane@x.org>", &hash()));
    assert_eq!(mask("<ren&#233;>", &hash()), mask("<rené>", &hash()));
}

#[test]
fn json_stays_json() {
    let table = [
        ("string", redact(), r#"{"a":"<4111>"}"#, r#"{"a":"****"}"#),
        ("escaped digit", redact(), r#"{"a":"<\u0034111>"}"#, r#"{"a":"\u002a***"}"#),
        ("kept escape", keep(1, 0), r#"{"a":"<\u0034\u00311>"}"#, r#"{"a":"\u0034\u002a*"}"#),
        ("escape of a separator", redact(), r#"{"a":"<41\/11\u00201>"}"#, r#"{"a":"**\/**\u0020*"}"#),
        (
            "pair of surrogates that is no letter",
            redact(),
            r#"{"a":"<\ud83d\ude001>"}"#,
            r#"{"a":"\ud83d\ude00*"}"#,
        ),
        ("half a pair", redact(), r#"{"a":"<\ud83dx>"}"#, r#"{"a":"\u002a*"}"#),
        ("span starts in a short escape", redact(), r#"{"a":"\<njane@x.org>"}"#, r#"{"a":"\n****@*.***"}"#),
        ("span starts in a long escape", redact(), r#"{"a":"\<u0034111>"}"#, r#"{"a":"\u002a***"}"#),
        ("span ends in a long escape", redact(), r#"{"a":"<111\u00>34"}"#, r#"{"a":"***\u002a"}"#),
        ("replacement starts after a short escape", replace("X"), r#"{"a":"\<njane>"}"#, r#"{"a":"\nX"}"#),
        ("backslash that is escaped", redact(), r#"{"a":"\\<new>"}"#, r#"{"a":"\\***"}"#),
        ("number", redact(), r#"{"a":<4111>,"b":1}"#, r#"{"a":0   ,"b":1}"#),
        ("part of a number", redact(), r#"{"a":-<4111>.5}"#, r#"{"a":0      }"#),
        ("number in a list", redact(), "[1, <4111>]", "[1, 0   ]"),
        ("digits in a string between commas", redact(), r#"{"a":"b, <4111>, c"}"#, r#"{"a":"b, ****, c"}"#),
        ("hash of a number", hash(), r#"{"a":<4111>}"#, r#"{"a":"HASHHASH"}"#),
        ("replaced number", replace("[{detector}]"), r#"{"a":<4111>}"#, r#"{"a":"[credit_card]"}"#),
        ("null for a number", Operator::Null, r#"{"a":<4111>}"#, r#"{"a":null}"#),
        ("null for a string", Operator::Null, r#"{"a":"<4111>"}"#, r#"{"a":null}"#),
        ("null in a string", Operator::Null, r#"{"a":"x <4111>"}"#, r#"{"a":"x "}"#),
        ("null for a key", Operator::Null, r#"{"<4111>":1}"#, r#"{"":1}"#),
        ("not JSON at all", redact(), "card, <4111>, ok", "card, ****, ok"),
        ("the whole text is a number", redact(), "<4111>", "****"),
    ];
    for (name, operator, marked, expected) in table {
        let masked = mask(marked, &operator);
        let expected = expected.replace("HASHHASH", &mask("<4111>", &hash()));
        assert_eq!(masked, expected, "{name}");
        if marked.starts_with(['{', '[']) && name != "half a pair" {
            serde_json::from_str::<serde_json::Value>(&masked)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// Expected values come from another implementation, in Python over the AES of its `cryptography` package.
#[test]
fn a_token_has_the_form_of_its_value() {
    let table = [
        ("separators stay", "a <4111 1111 1111 1111> b", "a 2712 2087 8866 7821 b"),
        ("however it is written", "<4111-1111-1111-1111>", "2712-2087-8866-7821"),
        ("escapes stay", r#"{"a":"<\u0034111\/111111111111>"}"#, r#"{"a":"\u0032712\/208788667821"}"#),
        ("a number is one", r#"{"a":<4111111111111111>}"#, r#"{"a":2712208788667821}"#),
        ("letters become letters", "<EMP-004711>", "YJN-593919"),
        ("in their case", "<Jane.Doe@example.com>", "Ponn.Laj@yopycgc.vij"),
        ("a first zero stays", "<012345678>", "010597573"),
        ("six digits are enough", "<11-11-11>", "85-41-22"),
        ("five are redacted", "<11111>", "*****"),
        ("five with a check digit, in a number", "[<111112>]", "[0     ]"),
        ("and in a number", "[<11111>]", "[0    ]"),
        ("a letter that has no other", "<Zoë1234567>", "***********"),
        ("an exponent is no value", "[<1234567e9>]", "[0        ]"),
        ("the fraction of a number", "[0.<1234567>]", "[0.7173960]"),
    ];
    for (name, marked, expected) in table {
        assert_eq!(mask(marked, &token()), expected, "{name}");
    }
}

#[test]
fn a_check_digit_makes_a_value_no_harder_to_guess() {
    for (digits, is_token) in [("1111111", true), ("111112", false), ("111111", true)] {
        let masked = mask(&format!("<{digits}>"), &token());
        assert_eq!(masked.bytes().all(|byte| byte.is_ascii_digit()), is_token, "{digits}: {masked}");
    }
}

#[test]
fn record_keys_without_a_token_are_hashed() {
    for (key, is_token) in [("1234567", true), ("12345", false), (r#"{"k":12345}"#, false)] {
        let start = key.find('1').expect("digits");
        let span = start..start + key.bytes().filter(u8::is_ascii_digit).count();
        let masked = mask_part(Part::Key, key.as_bytes(), &[(span.clone(), token())]);
        let hashed = mask_part(Part::Key, key.as_bytes(), &[(span, hash())]);
        assert_eq!(masked.len() == key.len(), is_token, "{key}");
        assert!(is_token || masked.starts_with(&hashed[..start + 8]), "{key}");
    }
}

#[test]
fn no_two_cards_share_a_token() {
    let card = |payload: u32| {
        let checked = (0..10).map(|digit| format!("{payload:06}{digit}")).find(|card| is_card(card));
        checked.expect("one of ten check digits is right")
    };
    let mut tokens = std::collections::HashSet::new();
    for payload in (0..1_000_000).step_by(101) {
        let token = mask(&format!("<{}>", card(payload)), &token());
        assert!(!is_card(&token), "{token}");
        assert!(tokens.insert(token), "of {payload}");
    }
}

#[test]
fn a_kept_number_is_refused_by_luhn_and_never_starts_with_zero() {
    let table = [
        (6, 4, "4111111111111111", "4111110000001111"),
        (0, 4, "4111111111111111", "9000000000001111"),
        (1, 1, "5111111111111119", "5000000000000019"),
        (6, 4, "411111", "0     "),
        (2, 0, "48.8566", "0      "),
    ];
    for (first, last, digits, expected) in table {
        let masked = mask(&format!("[1,<{digits}>]"), &keep(first, last));
        assert_eq!(masked, format!("[1,{expected}]"), "{first}, {last} of {digits}");
    }
    assert_eq!(mask("[1,-<4111111111111111>]", &keep(0, 4)), "[1,-9000000000001111]");
    assert_eq!(mask("[1,-<48.8566>]", &keep(2, 0)), "[1,0       ]");
}

#[test]
fn neighbours_in_one_number_leave_a_number() {
    let text = br#"{"a":41112222}"#;
    let cases = [
        (keep(2, 0), redact(), r#"{"a":4100    }"#),
        (redact(), keep(2, 0), r#"{"a":0       }"#),
        (replace("x"), replace("y"), r#"{"a":"x"}"#),
    ];
    for (first, second, expected) in cases {
        let out = mask_spans(text, &[(5..9, first), (9..13, second)]);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
    let out = mask_spans(b"[1,1234567.89]", &[(3..11, token()), (11..13, redact())]);
    assert!(
        serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok(),
        "{}",
        String::from_utf8_lossy(&out)
    );
}

#[test]
fn null_beside_another_edit_takes_no_quote() {
    let text = br#"{"a":"41112222"}"#;
    let out = mask_spans(text, &[(6..10, Operator::Null), (10..14, redact())]);
    assert_eq!(String::from_utf8_lossy(&out), r#"{"a":"****"}"#);
}

/// True when the checksum of card numbers accepts the digits.
fn is_card(digits: &str) -> bool {
    let digits = digits.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, factor)| digit * factor)
        .map(|n| n / 10 + n % 10)
        .sum();
    sum.is_multiple_of(10)
}

/// Texts with what is hard for masks: escapes, broken escapes, numbers, quotes, bytes that are no UTF-8.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\\u0034".to_vec()),
        Just(b"\\ud83d".to_vec()),
        Just(b"%34".to_vec()),
        Just(b"&#52;".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"4111".to_vec()),
        Just(b":".to_vec()),
        Just(b",".to_vec()),
        Just(b"[{".to_vec()),
        Just(b"}".to_vec()),
        Just(vec![0xff]),
        Just("é".as_bytes().to_vec()),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    (prop_oneof![Just("{\"a\":"), Just(""), Just("[")], prop::collection::vec(piece, 0..24))
        .prop_map(|(start, pieces)| [start.as_bytes(), &pieces.concat()].concat())
}

proptest! {
    #[test]
    fn same_length_operators_keep_the_length_and_what_is_outside(
        text in texts(), at in any::<prop::sample::Index>(), length in 0usize..12, first in 0usize..4, last in 0usize..4,
    ) {
        let start = at.index(text.len() + 1);
        let end = (start + length).min(text.len());
        for operator in [redact(), keep(first, last), token()] {
            let out = mask_spans(&text, &[(start..end, operator)]);
            prop_assert_eq!(out.len(), text.len());
            let token = number::token_around(&text, &(start..end)).unwrap_or(start..end);
            let margin = text::ESCAPE_BYTES_MAX;
            let outside = token.start.saturating_sub(margin)..(token.end + margin).min(text.len());
            prop_assert_eq!(&out[..outside.start], &text[..outside.start]);
            prop_assert_eq!(&out[outside.end..], &text[outside.end..]);
        }
    }

    #[test]
    fn adjacent_edits_never_panic(text in texts(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 2..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let operators = [redact(), Operator::Null, token(), hash(), keep(1, 1)];
        let spans: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).zip(operators).collect();
        mask_spans(&text, &spans);
    }

    #[test]
    fn the_token_of_a_card_is_a_number_that_is_no_card(payload in "[1-9][0-9]{11,17}") {
        let checked = (0..10).map(|digit| format!("{payload}{digit}")).find(|card| is_card(card));
        let card = checked.expect("one of ten check digits is right");
        let token = mask(&format!(r#"{{"a":<{card}>}}"#), &token());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&token).is_ok(), "{}", token);
        let digits: String = token.chars().filter(char::is_ascii_digit).collect();
        prop_assert_eq!(digits.len(), card.len());
        prop_assert!(!is_card(&digits), "{}", digits);
    }

    #[test]
    fn a_masked_number_leaves_json(
        number in "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,4})?",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 2..5), first in 0usize..4, last in 0usize..4,
    ) {
        let text = format!("{{\"a\":{number},\"b\":[{number}]}}");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| 5 + cut.index(number.len() + 1)).collect();
        cuts.sort_unstable();
        for operators in [[keep(first, last), redact(), token()], [token(), keep(last, first), hash()]] {
            let spans: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).zip(operators).collect();
            let out = mask_spans(text.as_bytes(), &spans);
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok();
            prop_assert!(is_json, "{:?} {}", spans, String::from_utf8_lossy(&out));
        }
    }

    #[test]
    fn redacted_digits_are_gone(digits in "[0-9]{4,19}") {
        let text = format!("{{\"a\":\"{digits}\"}}");
        let out = mask_spans(text.as_bytes(), &[(6..6 + digits.len(), redact())]);
        prop_assert!(!out.iter().any(u8::is_ascii_digit));
    }
}
