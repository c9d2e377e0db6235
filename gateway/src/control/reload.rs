//! Policy reload: the file is watched, SIGHUP asks for it, a broken file changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::diagnostic::Diagnostic;
use crate::document;
use crate::policy::{Keys, Policy};
use crate::telemetry::PolicyState;

/// Editors and configuration managers write a file in several steps; the reload waits until it is quiet.
const QUIET: Duration = Duration::from_millis(200);

/// Compiles the policy file again and again, one generation each.
pub(super) struct Reloader {
    path: PathBuf,
    keys: Arc<Keys>,
    state: Arc<PolicyState>,
    generation: u64,
    source: String,
}

/// Reads and compiles a policy file.
///
/// # Errors
///
/// Every mistake in the file, or one diagnostic when it cannot be read.
pub fn compile(path: &Path, keys: &Keys, generation: u64) -> Result<(Policy, String), Vec<Diagnostic>> {
    let source = document::read(path)?;
    let policy = Policy::compile(path, &source, keys, generation)?;
    Ok((policy, source))
}

impl Reloader {
    /// Starts from the policy that is in force.
    pub(super) fn new(
        path: PathBuf,
        keys: Arc<Keys>,
        state: Arc<PolicyState>,
        generation: u64,
        source: String,
    ) -> Self {
        Self { path, keys, state, generation, source }
    }

    /// Compiles whenever `asked` says so and hands each good policy over.
    pub(super) async fn run(
        mut self,
        mut asked: mpsc::Receiver<Trigger>,
        out: mpsc::UnboundedSender<Arc<Policy>>,
    ) {
        while let Some(mut trigger) = asked.recv().await {
            while let Ok(Some(next)) = tokio::time::timeout(QUIET, asked.recv()).await {
                trigger = trigger.max(next);
            }
            if let Some(policy) = self.reload(trigger).await
                && out.send(policy).is_err()
            {
                return;
            }
        }
    }

    async fn reload(&mut self, trigger: Trigger) -> Option<Arc<Policy>> {
        let (path, keys, generation) = (self.path.clone(), self.keys.clone(), self.generation + 1);
        if trigger == Trigger::File
            && std::fs::read_to_string(&path).is_ok_and(|source| source == self.source)
        {
            return None;
        }
        let compiled = tokio::task::spawn_blocking(move || compile(&path, &keys, generation)).await;
        match compiled {
            Ok(Ok((policy, source))) => {
                self.generation = generation;
                self.source = source;
                self.state.reloads_applied.fetch_add(1, Relaxed);
                info!(generation, "policy reloaded");
                Some(Arc::new(policy))
            }
            Ok(Err(diagnostics)) => {
                for Diagnostic { file, line, column, message } in &diagnostics {
                    error!(file = %file.display(), line, column, "policy rejected: {message}");
                }
                self.rejected();
                None
            }
            Err(error) => {
                error!(%error, "policy compilation failed");
                self.rejected();
                None
            }
        }
    }

    fn rejected(&self) {
        self.state.reloads_rejected.fetch_add(1, Relaxed);
        warn!(generation = self.generation, "the policy before stays in force");
    }
}

/// What asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trigger {
    /// The file changed; reloads when its text did.
    File,
    /// SIGHUP; always reloads.
    Signal,
}

/// Watches the folder of `path`: a rename over the file, or a swapped symbolic link above it, ends a watch on
/// the file itself. Every change in the folder asks; the reload compares the text.
pub(super) fn watch(path: &Path, asked: mpsc::Sender<Trigger>) -> notify::Result<RecommendedWatcher> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full channel already holds a reload to come.
            let _ = asked.try_send(Trigger::File);
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
