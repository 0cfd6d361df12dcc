//! A shop that sells.

use serde::{Deserialize, Serialize};
use souk_types::{Time, id::ShopId};

use super::owner::Owner;

/// A shop, as an operator added it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shop {
    /// Its id.
    pub shop_id: ShopId,
    /// Its API URL; deliveries name it by exactly this text.
    pub api_url: String,
    /// Its public keys as the operator gave them; `None`: fetched from it.
    pub jwks_json: Option<String>,
    /// The id that it gave souk's app; `None`: not compared.
    pub app_id: Option<String>,
    /// Where lines without another owner go.
    pub fallback: Option<Owner>,
    /// When it was added.
    pub create_time: Time,
    /// Row version.
    pub version: i64,
}
