extern crate std;

use std::collections::BTreeSet;

use super::*;

#[test]
fn held_survives_packing() {
    for held in [Held::default(), Held { open: 7, settled: u32::MAX }, Held { open: u32::MAX, settled: 1 }] {
        assert_eq!(Held::unpack(held.pack()), held);
    }
}

#[test]
fn pending_is_what_was_picked_and_not_settled() {
    let cases = [
        ("nothing happened", 0, 0, 0),
        ("three on their way", 5, 2, 3),
        ("accepted without a pick", 5, 6, 0),
        ("the counter passed 32 bits", (1 << 32) + 1, u32::MAX, 2),
    ];
    for (name, picked, settled, pending) in cases {
        assert_eq!(Held { open: 0, settled }.pending(picked), pending, "{name}");
    }
}

#[test]
fn nobody_is_drawn_from_nobody() {
    assert_eq!(draw_two(0, 12345), None);
}

#[test]
fn a_lone_worker_is_drawn_twice() {
    assert_eq!(draw_two(1, u32::MAX), Some((0, 0)));
}

#[test]
fn two_distinct_positions_are_drawn_and_every_pair_occurs() {
    let randoms = (0..1u32 << 10).flat_map(|low| (0..8).map(move |high| low | high << 15));
    let pairs: BTreeSet<_> = randoms.filter_map(|random| draw_two(3, random)).collect();
    assert_eq!(pairs, BTreeSet::from([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]));
}

#[test]
fn the_less_loaded_goes_first_and_a_bit_breaks_ties() {
    let cases = [
        ("first is less loaded", (1, 2), u32::MAX, (8, 9)),
        ("second is less loaded", (2, 1), 0, (9, 8)),
        ("tie, bit clear", (3, 3), 0, (8, 9)),
        ("tie, bit set", (3, 3), 1 << 31, (9, 8)),
    ];
    for (name, loads, random, order) in cases {
        assert_eq!(less_loaded_first((8, 9), loads, random), order, "{name}");
    }
}

#[test]
fn slots_of_different_endpoints_never_meet() {
    assert_eq!(slot(1, 0), slot(0, WORKERS_MAX - 1) + 1);
    assert_eq!(slot(PORTS_MAX - 1, WORKERS_MAX - 1), SLOTS_MAX - 1);
}
