//! `cargo run -p xtask -- gen | gen-ts | drift`: see the library for what each makes.

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

const USAGE: &str = "usage: cargo run -p xtask -- <gen | gen-ts | drift>
  gen     writes gen/rust, the descriptor sets, gen/access.md, gen/errors.md and missing docs/errors pages
  gen-ts  writes gen/ts; needs `npm ci` in integration/web
  drift   says what `gen` would change, and changes nothing";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let command = env::args().nth(1).unwrap_or_default();
    let done = match command.as_str() {
        "gen" => xtask::generate(&root).and_then(|files| xtask::write(&root, &files)).map(|()| Vec::new()),
        "gen-ts" => xtask::generate_typescript(&root).map(|()| Vec::new()),
        "drift" => xtask::generate(&root).and_then(|files| xtask::drift(&root, &files)),
        _ => return say(USAGE, 2),
    };
    match done {
        Ok(found) if found.is_empty() => ExitCode::SUCCESS,
        Ok(found) => say(&format!("error: {}\nhint: cargo run -p xtask -- gen", found.join("\nerror: ")), 1),
        Err(error) => say(&format!("error: {error}"), 1),
    }
}

fn say(text: &str, code: u8) -> ExitCode {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}
