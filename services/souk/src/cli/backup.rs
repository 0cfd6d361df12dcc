//! `souk backup` and `souk restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use souk_types::Credits;

use super::output::{Failure, Output, table};
use crate::{
    backup::{self, Manifest, Wallet},
    settings::Settings,
};

/// `souk backup`.
#[derive(Args)]
pub(crate) struct Backup {
    /// Where to: a directory that does not exist yet, or a file that ends in .tar.
    #[arg(long, value_name = "DIR|FILE.tar")]
    to: PathBuf,
    /// The configuration file [default: DIR/souk.toml].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// `souk restore`.
#[derive(Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(long, value_name = "DIR|FILE.tar")]
    from: PathBuf,
}

pub(crate) async fn take(data: &Path, ask: Backup, output: &Output) -> Result<(), Failure> {
    let settings = Settings::read(data, ask.config.as_deref());
    let settings = settings.map_err(|mistakes| Failure::new(mistakes.to_string()))?;
    let taken = backup::take(data, &settings, &ask.to).await?;
    for path in &taken.manifest.outside {
        output.say(&format!("not in this backup, since it lies outside of the directory: {path}"));
    }
    if output.is_json() {
        let mut told = told(&taken.manifest);
        told["backup"] = json!(ask.to);
        told["heldMicros"] = json!(taken.held.as_micros().to_string());
        return output.value(&told);
    }
    let bytes: u64 = taken.manifest.files.iter().map(|file| file.bytes).sum();
    output.text(&format!(
        "{}  {} files, {bytes} bytes; writes were held for {} ms\n{}",
        ask.to.display(),
        taken.manifest.files.len(),
        taken.held.as_millis(),
        sums(&taken.manifest.wallets)
    ))
}

pub(crate) async fn restore(data: &Path, ask: Restore, output: &Output) -> Result<(), Failure> {
    let manifest = backup::restore(&ask.from, data).await?;
    if output.is_json() {
        let mut told = told(&manifest);
        told["restored"] = json!(data);
        return output.value(&told);
    }
    let ledger = if manifest.postgres {
        format!(
            "the tables are in {}: bring them in before the start, pg_restore --dbname=URL FILE; the ledger then holds:",
            data.join("postgres.dump").display()
        )
    } else {
        "the ledger is what it was at the moment of the backup:".to_owned()
    };
    output.text(&format!("{}\n{ledger}\n{}", data.display(), sums(&manifest.wallets)))
}

fn told(manifest: &Manifest) -> serde_json::Value {
    json!({
        "souk": manifest.souk,
        "timeMicros": manifest.time_micros.to_string(),
        "files": manifest.files.len(),
        "postgres": manifest.postgres,
        "outside": manifest.outside,
        "wallets": manifest.wallets,
    })
}

fn sums(wallets: &[Wallet]) -> String {
    let credits = |micros| Credits::from_micros(micros).to_string();
    let row = |wallet: &Wallet| {
        vec![
            wallet.wallet_id.clone(),
            wallet.org_id.clone(),
            credits(wallet.entries_micros),
            credits(wallet.lots_micros),
            credits(wallet.reserved_micros),
        ]
    };
    let rows: Vec<_> = wallets.iter().map(row).collect();
    table(&["WALLET", "ORG", "Σ ENTRIES", "Σ LOTS", "RESERVED"], &rows)
}
