//! What the process says of itself: log lines on standard error and figures for Prometheus.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What is wrong with a filter, if anything is.
#[must_use]
pub fn problem(filter: &str) -> Option<String> {
    EnvFilter::try_new(filter).err().map(|error| error.to_string())
}

/// Starts logging; a second call changes nothing. `filter` is a level or a list of `target=level`.
pub fn log(filter: &str, format: Format) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // A test process starts many houses; the first one's logging serves them all.
    match format {
        Format::Text => {
            tracing_subscriber::registry().with(filter).with(lines.with_ansi(false)).try_init().ok()
        }
        Format::Json => {
            tracing_subscriber::registry().with(filter).with(lines.json().flatten_event(true)).try_init().ok()
        }
    };
}

/// The process's figures. The `metrics` crate has one recorder a process, so this is made once.
pub fn figures() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_says_nothing_is_told_from_one_that_does() {
        for good in ["info", "warn,souk_billing=debug"] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in ["souk_billing=loud", "info,=,="] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
