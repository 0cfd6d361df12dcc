//! The sums of the ledger, wallet by wallet, as a copy of the tables has them: whoever restores one sees that no
//! credit was lost or made. For the operator's commands; no RPC reads across orgs.

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde::{Deserialize, Serialize};
use souk_db::Error;

/// One wallet's sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromQueryResult)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wallet {
    /// The wallet.
    pub wallet_id: String,
    /// Its org.
    pub org_id: String,
    /// Σ of the ledger lines on the wallet.
    pub entries_micros: i64,
    /// Σ of its lots, reserved parts included.
    pub lots_micros: i64,
    /// Σ of what is reserved of its lots.
    pub reserved_micros: i64,
    /// What the wallet itself says is available.
    pub available_micros: i64,
}

const WALLETS: &str = "
    SELECT w.wallet_id, w.org_id, w.available_micros,
           COALESCE(e.total, 0) AS entries_micros,
           COALESCE(l.total, 0) AS lots_micros,
           COALESCE(l.reserved, 0) AS reserved_micros
    FROM wallets w
    LEFT JOIN (SELECT wallet_id, CAST(SUM(amount_micros) AS BIGINT) AS total
               FROM entries WHERE line = 0 GROUP BY wallet_id) e ON e.wallet_id = w.wallet_id
    LEFT JOIN (SELECT wallet_id, CAST(SUM(available_micros + reserved_micros) AS BIGINT) AS total,
                      CAST(SUM(reserved_micros) AS BIGINT) AS reserved
               FROM lots GROUP BY wallet_id) l ON l.wallet_id = w.wallet_id
    ORDER BY w.wallet_id";

/// The sums of every wallet, in the order of their ids.
///
/// # Errors
/// When the tables cannot be read.
pub async fn wallets(conn: &impl ConnectionTrait) -> Result<Vec<Wallet>, Error> {
    let statement = Statement::from_string(conn.get_database_backend(), WALLETS);
    Ok(Wallet::find_by_statement(statement).all(conn).await?)
}
