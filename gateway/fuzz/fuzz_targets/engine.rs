//! Any bytes as fields, each up to the next `0xff` and glued to the one before: the engine finds in them what the
//! oracle finds.
#![no_main]

use std::cell::RefCell;

use gateway::classify::oracle::Oracle;
use gateway::classify::{Engine, Scratch, catalog};
use gateway::payload::{Field, Part};
use libfuzzer_sys::fuzz_target;

/// The built-in detectors, compiled once, and the scratch that all inputs share.
struct Twins {
    engine: Engine,
    scratch: Scratch,
    oracle: Oracle,
}

thread_local! {
    static TWINS: RefCell<Twins> = RefCell::new(Twins::new());
}

impl Twins {
    fn new() -> Self {
        let specs = catalog::builtin();
        let engine = Engine::compile(specs).expect("the built-in detectors compile");
        Self { scratch: engine.scratch(), engine, oracle: Oracle::new(specs) }
    }

    fn compare(&mut self, text: &[u8], fields: &[Field]) {
        let mut found = Vec::new();
        // A scan that is given up is an error and promises nothing.
        if self.engine.scan(&mut self.scratch, text, fields, &mut found).is_ok() {
            assert_eq!(found, self.oracle.scan(text, fields));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let (mut text, mut fields) = (Vec::new(), Vec::new());
    for (record, bytes) in (0..).zip(data.split(|byte| *byte == 0xff)) {
        let start = text.len() as u32;
        text.extend_from_slice(bytes);
        fields.push(Field { record, part: Part::Value, start, end: text.len() as u32 });
    }
    TWINS.with_borrow_mut(|twins| twins.compare(&text, &fields));
});
