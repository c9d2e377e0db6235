//! Policy reload: the file is watched, SIGHUP asks for it, a broken file changes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, mpsc, oneshot};
use tracing::{error, info, warn};

use super::lists::{self, Lists};
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::policy::{Keys, Policy};
use crate::telemetry::PolicyState;

/// Editors and configuration managers write a file in several steps; the reload waits until it is quiet.
const QUIET: Duration = Duration::from_millis(200);

/// Longest wait for quiet: something else in the folder may be written all the time.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(2);

/// Longest compilation, and longest reading, that is waited for: the shipped policies take a second.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(60);

/// Compiles the policy file again and again, one generation each.
pub(super) struct Reloader {
    path: PathBuf,
    keys: Arc<Keys>,
    state: Arc<PolicyState>,
    generation: u64,
    /// What was read last, in force or not: the same text has the same mistakes.
    tried: Result<String, Vec<Diagnostic>>,
    /// The lists that it names.
    lists: Arc<Lists>,
    /// Held by the thread that works. One that is given up works on, and the next waits: each may take a core and
    /// gigabytes from the workers.
    turn: Arc<Mutex<()>>,
    compile_time_max: Duration,
}

/// Reads and compiles a policy file, with the lists that it names.
///
/// # Errors
///
/// Every mistake in the file, or one diagnostic when it cannot be read.
pub fn compile(path: &Path, keys: &Keys, generation: u64) -> Result<(Policy, String), Vec<Diagnostic>> {
    let source = files::read(path)?;
    let (policy, _) = lists::compile(path, &source, keys, generation);
    Ok((policy?, source))
}

impl Reloader {
    /// Starts from the policy that is in force.
    pub(super) fn new(
        path: PathBuf,
        keys: Arc<Keys>,
        state: Arc<PolicyState>,
        generation: u64,
        source: String,
        lists: Lists,
    ) -> Self {
        Self {
            path,
            keys,
            state,
            generation,
            tried: Ok(source),
            lists: Arc::new(lists),
            turn: Arc::default(),
            compile_time_max: COMPILE_TIME_MAX,
        }
    }

    /// Compiles whenever `asked` says so and hands each good policy over.
    pub(super) async fn run(mut self, asked: Arc<Asked>, out: mpsc::UnboundedSender<Arc<Policy>>) {
        loop {
            let mut trigger = asked.next().await;
            let latest = Instant::now() + QUIET_WAIT_MAX;
            while Instant::now() < latest
                && let Ok(next) = tokio::time::timeout(QUIET, asked.next()).await
            {
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
        let (path, lists) = (self.path.clone(), self.lists.clone());
        let (read, same_lists) = self.on_a_thread(move || (files::read(&path), lists.are_current())).await?;
        if trigger == Trigger::File && same_lists && read == self.tried {
            return None;
        }
        self.tried = read.clone();
        let (path, keys, generation) = (self.path.clone(), self.keys.clone(), self.generation + 1);
        let compile = move || match read {
            Ok(source) => lists::compile(&path, &source, &keys, generation),
            Err(diagnostics) => (Err(diagnostics), Lists::default()),
        };
        let (policy, lists) = self.on_a_thread(compile).await?;
        self.lists = Arc::new(lists);
        match policy {
            Ok(policy) => {
                self.generation = generation;
                self.state.reloads_applied.fetch_add(1, Relaxed);
                info!(generation, "policy reloaded");
                Some(Arc::new(policy))
            }
            Err(diagnostics) => {
                for Diagnostic { file, line, column, message } in &diagnostics {
                    error!(file = %file.display(), line, column, "policy rejected: {message}");
                }
                self.rejected();
                None
            }
        }
    }

    /// What `work` returns on a thread of its own; `None` when it panics or takes too long.
    async fn on_a_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turn = self.turn().await;
        let spawned = spawn(move || {
            let _turn = turn;
            work()
        });
        let result = match spawned {
            Ok(result) => self.in_time(result).await,
            Err(error) => {
                error!(%error, "policy rejected: no thread for compiling it");
                None
            }
        };
        if result.is_none() {
            self.rejected();
        }
        result
    }

    async fn in_time<T>(&self, result: oneshot::Receiver<T>) -> Option<T> {
        match tokio::time::timeout(self.compile_time_max, result).await {
            Ok(Ok(result)) => return Some(result),
            Ok(Err(_)) => error!("policy rejected: its compilation panicked"),
            Err(_) => {
                let seconds = self.compile_time_max.as_secs();
                error!(seconds, "policy rejected: it takes too long to compile; bound its patterns");
            }
        }
        None
    }

    async fn turn(&self) -> OwnedMutexGuard<()> {
        if let Ok(turn) = self.turn.clone().try_lock_owned() {
            return turn;
        }
        warn!("the policy that takes too long still compiles; the reload waits for its end");
        self.turn.clone().lock_owned().await
    }

    fn rejected(&self) {
        self.state.reloads_rejected.fetch_add(1, Relaxed);
        warn!(generation = self.generation, "the policy before stays in force");
    }
}

/// Runs `work` on a thread of its own, which is left to itself when nobody waits any longer: the end of the process does
/// not wait for it. Closed when the work panics.
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("policy".to_owned());
    thread.spawn(move || {
        // Nobody waits for a result that comes too late.
        let _ = done.send(work());
    })?;
    Ok(result)
}

/// What asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trigger {
    /// A file changed; reloads when the policy or a list of it did since it was last tried.
    File,
    /// SIGHUP; always reloads.
    Signal,
}

/// What asked for a reload since the last one was begun: many changes of files are one, and none of them covers a signal.
#[derive(Debug, Default)]
pub(super) struct Asked {
    signalled: AtomicBool,
    notify: Notify,
}

impl Asked {
    pub(super) fn ask(&self, trigger: Trigger) {
        if trigger == Trigger::Signal {
            self.signalled.store(true, Relaxed);
        }
        self.notify.notify_one();
    }

    async fn next(&self) -> Trigger {
        self.notify.notified().await;
        if self.signalled.swap(false, Relaxed) { Trigger::Signal } else { Trigger::File }
    }
}

/// Watches the folder of `path`: a rename over the file, or a swapped symbolic link above it, ends a watch on
/// the file itself. Every change in the folder asks, be it of a list of values; the reload compares.
pub(super) fn watch(path: &Path, asked: Arc<Asked>) -> notify::Result<RecommendedWatcher> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            asked.ask(Trigger::File);
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;
    use crate::policy::{Case, Key};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("gateway-reload-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn reloader(folder: &Path) -> Reloader {
        let state = Arc::new(PolicyState::default());
        Reloader::new(
            folder.join("policy.toml"),
            Arc::new(Keys::StandIn),
            state,
            1,
            String::new(),
            Lists::default(),
        )
    }

    /// A pipe that nobody writes stands for a policy whose compilation does not end.
    #[tokio::test]
    async fn a_policy_that_takes_too_long_leaves_the_old_one_in_force_and_the_next_waits_for_its_end() {
        let folder = folder("slow");
        let new = reloader(&folder);
        let (path, pipe, state) = (new.path.clone(), folder.join("pipe"), new.state.clone());
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a pipe");
        let mut reloader = Reloader { compile_time_max: Duration::from_millis(50), ..new };

        assert!(reloader.reload(Trigger::Signal).await.is_none());
        assert_eq!(state.reloads_rejected.load(Relaxed), 1);

        std::fs::rename(&path, &pipe).expect("the pipe is there");
        std::fs::write(&path, "version = 1\n").expect("the folder is there");
        reloader.compile_time_max = COMPILE_TIME_MAX;
        assert!(reloader.turn.try_lock().is_err(), "the thread that was given up has the turn");
        drop(std::fs::File::options().write(true).open(&pipe).expect("somebody reads"));
        let policy = reloader.reload(Trigger::Signal).await.expect("a policy");
        assert_eq!(policy.generation(), 2);
        std::fs::remove_dir_all(&folder).expect("the folder is there");
    }

    #[tokio::test]
    async fn a_changed_list_reloads_the_policy_and_an_unchanged_one_does_not() {
        let folder = folder("lists");
        let key = Key::new("k", b"0123456789abcdef").expect("the key is long enough");
        let write_list = |value: &str| {
            let file = Policy::fingerprint(value, &key, Case::Ignored).expect("a sound value");
            std::fs::write(folder.join("new"), file).expect("the folder is there");
            std::fs::rename(folder.join("new"), folder.join("c.fingerprints")).expect("the file is there");
        };
        let policy = "version = 1\n[[detector]]\nid = \"c\"\nvalues = \"c.fingerprints\"\ncanary = true\n";
        let mut reloader =
            Reloader { keys: Arc::new(Keys::Configured(vec![key.clone()])), ..reloader(&folder) };
        std::fs::write(&reloader.path, policy).expect("the folder is there");

        assert!(reloader.reload(Trigger::File).await.is_none(), "there is no list");
        assert_eq!(reloader.state.reloads_rejected.load(Relaxed), 1);
        write_list("Acme Widgets");
        assert!(reloader.reload(Trigger::File).await.is_some(), "there is one now");
        assert!(reloader.reload(Trigger::File).await.is_none(), "nothing has changed");
        write_list("Acme Gadgets");
        let policy = reloader.reload(Trigger::File).await.expect("the list has changed");
        let found = |text: &str| policy.explainer().explain(text.as_bytes()).findings.len();
        assert_eq!((found("Acme Widgets"), found("Acme Gadgets")), (0, 1));
        assert_eq!(reloader.state.reloads_rejected.load(Relaxed), 1);
        std::fs::remove_dir_all(&folder).expect("the folder is there");
    }

    #[tokio::test]
    async fn a_signal_is_not_lost_among_changes_of_files() {
        let asked = Asked::default();
        (0..100).for_each(|_| asked.ask(Trigger::File));
        asked.ask(Trigger::Signal);
        (0..100).for_each(|_| asked.ask(Trigger::File));
        assert_eq!(asked.next().await, Trigger::Signal);

        asked.ask(Trigger::File);
        assert_eq!(asked.next().await, Trigger::File);
    }

    #[tokio::test]
    async fn a_folder_in_which_something_is_always_written_reloads_all_the_same() {
        let folder = folder("busy");
        let reloader = reloader(&folder);
        std::fs::write(&reloader.path, "version = 1\n").expect("the folder is there");
        let (asked, (out, mut policies)) = (Arc::<Asked>::default(), mpsc::unbounded_channel());
        let reloads = tokio::spawn(reloader.run(asked.clone(), out));
        let writes = tokio::spawn(async move {
            let mut often = tokio::time::interval(QUIET / 4);
            loop {
                often.tick().await;
                asked.ask(Trigger::File);
            }
        });

        let policy = tokio::time::timeout(10 * QUIET_WAIT_MAX, policies.recv()).await;
        assert!(policy.expect("a reload in spite of them").is_some());
        writes.abort();
        reloads.abort();
        std::fs::remove_dir_all(&folder).expect("the folder is there");
    }

    #[tokio::test]
    async fn what_was_rejected_is_tried_again_only_when_it_changes_or_somebody_asks() {
        let folder = folder("rejected");
        let mut reloader = reloader(&folder);
        let steps = [
            (None, Trigger::File, 1, false),
            (None, Trigger::File, 1, false),
            (Some("version = 9\n"), Trigger::File, 2, false),
            (Some("version = 9\n"), Trigger::File, 2, false),
            (Some("version = 9\n"), Trigger::Signal, 3, false),
            (Some("version = 1\n"), Trigger::File, 3, true),
            (Some("version = 1\n"), Trigger::File, 3, false),
        ];
        for (step, (text, trigger, rejected, is_applied)) in steps.into_iter().enumerate() {
            text.iter().for_each(|text| std::fs::write(&reloader.path, text).expect("the folder is there"));
            assert_eq!(reloader.reload(trigger).await.is_some(), is_applied, "step {step}");
            assert_eq!(reloader.state.reloads_rejected.load(Relaxed), rejected, "step {step}");
        }
        std::fs::remove_dir_all(&folder).expect("the folder is there");
    }
}
