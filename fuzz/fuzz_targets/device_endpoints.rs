#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tower_session_guard::fuzzing::device_endpoints(input));
