//! Tests across parts and against real components. Everything stands in `tests/`; the binary beside this is
//! the platform under test.
