//! A small binding of Hyperscan's block mode: compile expressions to a database, scan a text, get for every
//! match the expression's id and the offset of its end. Start-of-match is never requested: it costs 2.4
//! times the speed and makes Hyperscan refuse bounded repeats.
//!
//! Function and constant names are those of `hs_compile.h`, `hs_runtime.h`, `hs_common.h` (version 5.4).

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr::{self, NonNull};

/// The release whose matches were compared with PCRE2's: 0 missed of 2.2 million.
pub(super) const VERSION: &str = "5.4.0";

/// Letters match in either case.
pub(super) const HS_FLAG_CASELESS: c_uint = 1;
/// `.` matches a newline.
pub(super) const HS_FLAG_DOTALL: c_uint = 2;

const HS_SUCCESS: c_int = 0;
const HS_SCAN_TERMINATED: c_int = -3;
const HS_MODE_BLOCK: c_uint = 1;

/// One expression; its id is its position in the slice that is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    /// PCRE syntax.
    pub(super) text: CString,
    /// `HS_FLAG_*`.
    pub(super) flags: c_uint,
}

/// Why Hyperscan refused to compile.
#[derive(Debug)]
pub(super) struct CompileFailure {
    /// Index of the expression, when one is to blame.
    pub(super) expression: Option<usize>,
    /// Hyperscan's own words.
    pub(super) message: String,
}

/// A compiled set of expressions: immutable, shared by all scans.
#[derive(Debug)]
pub(super) struct Database {
    handle: NonNull<hs_database_t>,
}

/// The memory of one scan at a time.
#[derive(Debug)]
pub(super) struct HsScratch {
    handle: NonNull<hs_scratch_t>,
}

/// What a scan ended with when it was not finished.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScanFailure {
    /// `on_match` asked for it.
    Stopped,
    /// The `hs_error_t`.
    Code(c_int),
}

// SAFETY: a database is never written after hs_compile_multi returned ("may be shared by threads", Hyperscan
// developer reference, "Scratch space"); the handle is freed once, by the only owner.
unsafe impl Send for Database {}
// SAFETY: as above: hs_scan takes the database as const and keeps all state in the scratch.
unsafe impl Sync for Database {}
// SAFETY: scratch space has no thread affinity; `&mut` guarantees one scan at a time.
unsafe impl Send for HsScratch {}

impl Database {
    /// Compiles `expressions` for this processor.
    pub(super) fn compile(expressions: &[Expression]) -> Result<Self, CompileFailure> {
        let texts: Vec<*const c_char> =
            expressions.iter().map(|expression| expression.text.as_ptr()).collect();
        let flags: Vec<c_uint> = expressions.iter().map(|expression| expression.flags).collect();
        let ids: Vec<c_uint> = (0..).take(expressions.len()).collect();
        let count = c_uint::try_from(expressions.len()).expect("fewer expressions than 2^32");
        let mut database = ptr::null_mut();
        let mut error = ptr::null_mut();
        // SAFETY: the three arrays have `count` elements and outlive the call; every text ends in NUL; a
        // null platform means this host; both out-pointers are valid for writes.
        let code = unsafe {
            hs_compile_multi(
                texts.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                count,
                HS_MODE_BLOCK,
                ptr::null(),
                &raw mut database,
                &raw mut error,
            )
        };
        match NonNull::new(database) {
            Some(handle) if code == HS_SUCCESS => Ok(Self { handle }),
            _ => Err(compile_failure(error)),
        }
    }

    /// Scratch space for scans of this database.
    pub(super) fn scratch(&self) -> HsScratch {
        let mut scratch = ptr::null_mut();
        // SAFETY: the database is alive; a null scratch asks for a new one.
        let code = unsafe { hs_alloc_scratch(self.handle.as_ptr(), &raw mut scratch) };
        let handle = NonNull::new(scratch).filter(|_| code == HS_SUCCESS);
        HsScratch { handle: handle.expect("hs_alloc_scratch fails only when memory is exhausted") }
    }

    /// Calls `on_match(expression, end)` for every match end in `text`, until it returns false.
    pub(super) fn scan<F: FnMut(u32, u32) -> bool>(
        &self,
        scratch: &mut HsScratch,
        text: &[u8],
        mut on_match: F,
    ) -> Result<(), ScanFailure> {
        let length = c_uint::try_from(text.len()).map_err(|_| ScanFailure::Code(HS_SCAN_TERMINATED))?;
        // SAFETY: `text` is readable for `length` bytes; the scratch was allocated for this database or a
        // larger one (else hs_scan answers HS_INVALID) and is borrowed mutably; `on_match` outlives the call
        // and is reached only through `context` by `forward::<F>`, which gets the same F.
        let code = unsafe {
            hs_scan(
                self.handle.as_ptr(),
                text.as_ptr().cast(),
                length,
                0,
                scratch.handle.as_ptr(),
                forward::<F>,
                (&raw mut on_match).cast(),
            )
        };
        match code {
            HS_SUCCESS => Ok(()),
            HS_SCAN_TERMINATED => Err(ScanFailure::Stopped),
            code => Err(ScanFailure::Code(code)),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: the handle came from hs_compile_multi and is freed only here.
        unsafe { hs_free_database(self.handle.as_ptr()) };
    }
}

impl Drop for HsScratch {
    fn drop(&mut self) {
        // SAFETY: the handle came from hs_alloc_scratch and is freed only here.
        unsafe { hs_free_scratch(self.handle.as_ptr()) };
    }
}

/// The version that the linked library reports, such as `5.4.0 2021-01-19`.
pub(super) fn version() -> String {
    // SAFETY: takes nothing and returns a constant.
    let text = unsafe { hs_version() };
    // SAFETY: the constant is a string that ends in NUL and is never freed.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// Whether this processor has what Hyperscan needs.
pub(super) fn platform_is_valid() -> bool {
    // SAFETY: takes nothing and only reads the processor's features.
    (unsafe { hs_valid_platform() }) == HS_SUCCESS
}

fn compile_failure(error: *mut hs_compile_error_t) -> CompileFailure {
    let Some(error) = NonNull::new(error) else {
        return CompileFailure { expression: None, message: "out of memory".to_owned() };
    };
    // SAFETY: a failed compile points `error` at a structure that lives until hs_free_compile_error.
    let failure = unsafe { error.as_ref() };
    let expression = failure.expression;
    // SAFETY: its message is a string that ends in NUL and lives as long.
    let message = unsafe { CStr::from_ptr(failure.message) }.to_string_lossy().into_owned();
    // SAFETY: freed once; nothing borrowed from it is left.
    unsafe { hs_free_compile_error(error.as_ptr()) };
    CompileFailure { expression: usize::try_from(expression).ok(), message }
}

/// Hands one match to the closure behind `context`; a non-zero result ends the scan.
extern "C" fn forward<F: FnMut(u32, u32) -> bool>(
    id: c_uint,
    _from: c_ulonglong,
    to: c_ulonglong,
    _flags: c_uint,
    context: *mut c_void,
) -> c_int {
    // SAFETY: `context` is the F that `scan` borrows mutably for the whole call of hs_scan.
    let on_match = unsafe { &mut *context.cast::<F>() };
    let to = u32::try_from(to).unwrap_or(u32::MAX);
    c_int::from(!on_match(id, to))
}

#[repr(C)]
struct hs_database_t {
    _opaque: [u8; 0],
}

#[repr(C)]
struct hs_scratch_t {
    _opaque: [u8; 0],
}

#[repr(C)]
struct hs_compile_error_t {
    message: *const c_char,
    expression: c_int,
}

#[expect(non_camel_case_types, reason = "the names of hs_runtime.h")]
type match_event_handler = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

unsafe extern "C" {
    fn hs_version() -> *const c_char;
    fn hs_valid_platform() -> c_int;
    fn hs_compile_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        database: *mut *mut hs_database_t,
        error: *mut *mut hs_compile_error_t,
    ) -> c_int;
    fn hs_free_compile_error(error: *mut hs_compile_error_t) -> c_int;
    fn hs_free_database(database: *mut hs_database_t) -> c_int;
    fn hs_alloc_scratch(database: *const hs_database_t, scratch: *mut *mut hs_scratch_t) -> c_int;
    fn hs_free_scratch(scratch: *mut hs_scratch_t) -> c_int;
    fn hs_scan(
        database: *const hs_database_t,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut hs_scratch_t,
        on_event: match_event_handler,
        context: *mut c_void,
    ) -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(pattern: &str, flags: c_uint, text: &[u8]) -> Vec<u32> {
        let expression = Expression { text: CString::new(pattern).unwrap(), flags };
        let database = Database::compile(&[expression]).unwrap();
        let mut found = Vec::new();
        database
            .scan(&mut database.scratch(), text, |_, to| {
                found.push(to);
                true
            })
            .unwrap();
        found
    }

    #[test]
    fn every_end_of_a_match_is_reported() {
        assert_eq!(ends("ab+", 0, b"xabbb"), [3, 4, 5]);
        assert_eq!(ends("ab", HS_FLAG_CASELESS, b"Ab aB"), [2, 5]);
    }

    #[test]
    fn a_refused_expression_is_named() {
        let texts = ["fine", "(?=look)ahead"];
        let expressions = texts.map(|text| Expression { text: CString::new(text).unwrap(), flags: 0 });
        let failure = Database::compile(&expressions).unwrap_err();
        assert_eq!(failure.expression, Some(1));
    }

    #[test]
    fn a_scan_stops_when_the_caller_has_enough() {
        let expression = Expression { text: c"a".to_owned(), flags: 0 };
        let database = Database::compile(&[expression]).unwrap();
        let stopped = database.scan(&mut database.scratch(), b"aaaa", |_, _| false);
        assert_eq!(stopped, Err(ScanFailure::Stopped));
    }
}
