//! Any bytes are read, or refused at a place within them.
#![no_main]

use dsl::Dsl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Err(problems) = Dsl::read(text) else {
        return;
    };
    assert!(!problems.is_empty());
    let lines = 1 + text.iter().filter(|&&byte| byte == b'\n').count();
    for problem in problems {
        let place = problem.place.expect("every problem has a place");
        assert!(place.line >= 1 && place.line as usize <= lines, "{problem}");
        assert!(
            place.column >= 1 && place.column as usize <= text.len() + 1,
            "{problem}"
        );
    }
});
