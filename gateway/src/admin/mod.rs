//! The admin endpoint: `/metrics`, `/healthz` and `/readyz` over plain HTTP/1.1.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::telemetry::Exposition;

/// Media type of the OpenMetrics text format.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `/readyz` reports. Each part turns true when it is up and false when the gateway drains.
#[derive(Debug)]
pub struct Readiness {
    /// The classification engine passed its self-test.
    pub engine: AtomicBool,
    /// A policy is in force.
    pub policy: AtomicBool,
    /// Every listener accepts connections.
    pub listeners: AtomicBool,
    /// Where state is kept; it must be writable.
    pub state_dir: PathBuf,
}

impl Readiness {
    /// Nothing is ready yet.
    pub fn new(state_dir: PathBuf) -> Self {
        Self {
            engine: AtomicBool::new(false),
            policy: AtomicBool::new(false),
            listeners: AtomicBool::new(false),
            state_dir,
        }
    }

    /// Each part with its state, in a fixed order.
    fn parts(&self) -> [(&'static str, bool); 4] {
        [
            ("engine", self.engine.load(Relaxed)),
            ("policy", self.policy.load(Relaxed)),
            ("listeners", self.listeners.load(Relaxed)),
            ("state_dir", writable(&self.state_dir)),
        ]
    }
}

#[derive(Clone)]
struct Shared {
    exposition: Arc<Exposition>,
    readiness: Arc<Readiness>,
}

/// Serves until the runtime ends.
///
/// # Errors
///
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    exposition: Arc<Exposition>,
    readiness: Arc<Readiness>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(Shared { exposition, readiness });
    axum::serve(listener, router).await
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPENMETRICS)], shared.exposition.render())
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    let parts = shared.readiness.parts();
    let ready = parts.iter().all(|(_, up)| *up);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text: String =
        parts.iter().map(|(part, up)| format!("{part} {}\n", if *up { "ok" } else { "not ready" })).collect();
    (status, text)
}

/// True when a file can be made in the folder (`access(2)` with the effective user).
fn writable(folder: &std::path::Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_part_is() {
        let readiness = Readiness::new(std::env::temp_dir());
        assert!(readiness.parts().iter().any(|(_, up)| !up));
        for part in [&readiness.engine, &readiness.policy, &readiness.listeners] {
            part.store(true, Relaxed);
        }
        assert!(readiness.parts().iter().all(|(_, up)| *up));
        let missing = Readiness::new("/nonexistent/state".into());
        assert!(!missing.parts()[3].1);
    }
}
