//! `souk shop …`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use souk_proto::souk::commerce::v1::{
    AddShopRequest, BuyerLinkKind, LinkBuyerRequest, ListShopsRequest, Shop as WireShop,
    commerce_service_client::CommerceServiceClient,
};

use super::{
    output::{Failure, Output, table},
    projects::project_of,
    remote::Remote,
};

/// `souk shop …`.
#[derive(Subcommand)]
pub(crate) enum Shop {
    /// Add a shop.
    Add {
        /// The shop's API URL, as its deliveries name it.
        #[arg(long)]
        api_url: String,
        /// The shop's public keys (a JSON Web Key Set); without it they are fetched from the shop.
        #[arg(long)]
        jwks: Option<PathBuf>,
        /// The id that the shop gave souk's app.
        #[arg(long, default_value = "")]
        app_id: String,
        /// The project that lines without another owner go to: its id or its slug.
        #[arg(long, value_name = "P", default_value = "")]
        fallback_project: String,
    },
    /// List the shops.
    Ls,
    /// Link what a shop says of a buyer to a project.
    Link {
        /// The shop: its id or its API URL.
        #[arg(long)]
        shop: String,
        /// What the value is.
        #[arg(long)]
        kind: LinkKind,
        /// The value.
        #[arg(long)]
        value: String,
        /// The project that owns what this buyer buys: its id or its slug.
        #[arg(long)]
        project: String,
    },
}

/// What a shop says of a buyer.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LinkKind {
    /// The org reference that the shop's back end wrote on the order.
    OrgRef,
    /// The buyer's reference in the identity provider.
    External,
    /// The buyer's id in the shop.
    User,
}

const SHOP: &str = "souk.commerce.v1.Shop";

pub(crate) async fn run(remote: &Remote, ask: Shop, output: &Output) -> Result<(), Failure> {
    let mut client = CommerceServiceClient::new(remote.channel()?);
    match ask {
        Shop::Add { api_url, jwks, app_id, fallback_project } => {
            let jwks_json = match jwks {
                None => String::new(),
                Some(path) => std::fs::read_to_string(&path)
                    .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?,
            };
            let request = AddShopRequest {
                request_id: remote.request_id(""),
                api_url,
                jwks_json,
                app_id,
                fallback_project_id: project_of(remote, fallback_project).await?,
            };
            let shop = client.add_shop(request).await?.into_inner().shop.unwrap_or_default();
            output.message(SHOP, &shop, |shop| format!("{}  {}", shop.shop_id, shop.api_url))
        }
        Shop::Ls => {
            let page = client.list_shops(ListShopsRequest { page_size: 1000, ..Default::default() }).await?;
            output.message("souk.commerce.v1.ListShopsResponse", &page.into_inner(), |page| {
                let row = |shop: &WireShop| {
                    let keys = if shop.keys_pinned { "pinned" } else { "fetched" };
                    vec![
                        shop.shop_id.clone(),
                        shop.api_url.clone(),
                        keys.to_owned(),
                        shop.fallback_project_id.clone(),
                    ]
                };
                let rows: Vec<_> = page.shops.iter().map(row).collect();
                table(&["SHOP", "API URL", "KEYS", "FALLBACK PROJECT"], &rows)
            })
        }
        Shop::Link { shop, kind, value, project } => {
            let kind = match kind {
                LinkKind::OrgRef => BuyerLinkKind::OrgRef,
                LinkKind::External => BuyerLinkKind::External,
                LinkKind::User => BuyerLinkKind::User,
            };
            let request = LinkBuyerRequest {
                request_id: remote.request_id(""),
                shop_id: shop_id(remote, shop).await?,
                kind: kind.into(),
                value,
                project_id: project_of(remote, project).await?,
            };
            let answer = client.link_buyer(request).await?.into_inner();
            output.message("souk.commerce.v1.LinkBuyerResponse", &answer, |answer| {
                format!("linked; {} parked line(s) tried again", answer.retried_line_count)
            })
        }
    }
}

/// The id of a shop that is named by its id or its API URL.
async fn shop_id(remote: &Remote, name: String) -> Result<String, Failure> {
    if name.starts_with("shp_") {
        return Ok(name);
    }
    let mut client = CommerceServiceClient::new(remote.channel()?);
    let page =
        client.list_shops(ListShopsRequest { page_size: 1000, ..Default::default() }).await?.into_inner();
    let shop =
        page.shops.into_iter().find(|shop| shop.api_url.trim_end_matches('/') == name.trim_end_matches('/'));
    let unknown = || Failure::new(format!("no shop has the API URL {name}")).hint("souk shop ls");
    shop.map(|shop| shop.shop_id).ok_or_else(unknown)
}
