//! The yardstick: what the bare disk commits, one write after the other, with nothing of souk in between.

use std::{fs::File, os::unix::fs::FileExt as _, path::Path, time::Duration};

use crate::{
    Outcome,
    callers::{now, per_second},
    report::Report,
};

const SPAN: Duration = Duration::from_secs(3);
/// What one commit writes: two pages, as a small transaction does.
const BLOCK: [u8; 8192] = [7; 8192];
/// Places that are written in turn, so that after the first round the file grows no more.
const PLACES: u64 = 512;

/// Measures writes of 8 kB, each followed by fdatasync, by one writer.
pub(crate) fn measure(dir: &Path, report: &mut Report, when: &str) -> Outcome<()> {
    let file = File::create(dir.join("yardstick"))?;
    file.set_len(0)?;
    for place in 0..PLACES {
        file.write_all_at(&BLOCK, place * 8192)?;
    }
    file.sync_all()?;
    let start = now();
    let mut done = 0;
    while now().since(start) < SPAN {
        file.write_all_at(&BLOCK, (done % PLACES) * 8192)?;
        file.sync_data()?;
        done += 1;
    }
    let rate = per_second(done, start)?;
    report.yardstick(rate);
    report.rate(&format!("8 kB write + fdatasync, bare file ({when})"), 1, "commits/s", rate);
    Ok(())
}
