//! The demo: three offerings, published the way anybody publishes one, so that a fresh directory has something
//! to try. A catalogue that holds anything is left alone.

use souk_proto::souk::catalog::v1::{ListOfferingsRequest, catalog_service_client::CatalogServiceClient};

use crate::cli::{Failure, Manifest, Remote, publish_manifest};

const OFFERINGS: [(&str, &[u8]); 3] = [
    (include_str!("../demo/support-triage.yaml"), include_bytes!("../demo/support-triage.flow.json")),
    (include_str!("../demo/router-desk.yaml"), include_bytes!("../demo/router-desk.flow.json")),
    (include_str!("../demo/chat-assistant.yaml"), include_bytes!("../demo/chat-assistant.flow.json")),
];

/// Publishes the demo unless something is published already.
pub(crate) async fn seed(remote: &Remote) -> Result<(), Failure> {
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let listed = client.list_offerings(ListOfferingsRequest { page_size: 10, ..Default::default() }).await?;
    let listed = listed.into_inner().offerings;
    for (text, flow) in OFFERINGS {
        let manifest = Manifest::parse("demo", text)?;
        // A start that was cut short between two is finished by the next one.
        let ours =
            listed.iter().all(|offering| OFFERINGS.iter().any(|(text, _)| text.contains(&offering.slug)));
        if ours && !listed.iter().any(|offering| offering.slug == manifest.slug) {
            publish_manifest(remote, &manifest, flow.to_vec()).await?;
        }
    }
    Ok(())
}
