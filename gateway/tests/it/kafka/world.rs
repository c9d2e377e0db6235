//! Broker, clients and judges that one test works with.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bench_harness::kafka::clients::{Answer, Printed, Record, Stored, write_records};
use bench_harness::kafka::{Clients, Cluster, Library, Listener, Spec, wait};

/// A cluster with the client programs.
pub(super) struct World {
    /// The brokers.
    pub(super) cluster: Cluster,
    /// The client programs.
    pub(super) clients: Clients,
    name: String,
    folder: PathBuf,
}

/// A world for the time of one test, which leaves its brokers as it found them, topics apart. No other test of this
/// process has a world meanwhile: brokers and JVMs of two tests at once would only wait for each other.
pub(super) struct Lent {
    world: Option<World>,
    idle: MutexGuard<'static, BTreeMap<String, World>>,
}

/// The worlds that run, by name.
static IDLE: Mutex<BTreeMap<String, World>> = Mutex::new(BTreeMap::new());

/// The world with one broker that most tests share.
pub(super) fn shared() -> Lent {
    lend(Spec::single("shared"))
}

/// A world with three brokers, whose upstream listeners advertise [`UPSTREAM_HOST`].
pub(super) fn three_brokers() -> Lent {
    lend(Spec { brokers: 3, upstream_host: UPSTREAM_HOST.to_owned(), ..Spec::single("three") })
}

/// The world of this name, started where it does not run yet.
pub(super) fn lend(spec: Spec) -> Lent {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let world = idle.remove(&spec.name).unwrap_or_else(|| World::start(spec));
    Lent { world: Some(world), idle }
}

/// A name that nobody resolves, unless a hosts file of his own tells him (RFC 2606 reserves `.test`).
pub(super) const UPSTREAM_HOST: &str = "brokers.upstream.test";

impl Deref for Lent {
    type Target = World;

    fn deref(&self) -> &World {
        self.world.as_ref().expect("it is there until the drop")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut World {
        self.world.as_mut().expect("it is there until the drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let world = self.world.take().expect("only this takes it");
        // A test that failed may have left anything behind: then the world ends here.
        if !thread::panicking() {
            self.idle.insert(world.name.clone(), world);
        }
    }
}

impl World {
    fn start(spec: Spec) -> Self {
        let folder =
            std::env::temp_dir().join(format!("gateway-it-records-{}-{}", spec.name, std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let name = spec.name.clone();
        Self { clients: Clients::install().unwrap(), cluster: Cluster::start(spec).unwrap(), name, folder }
    }

    /// The address at which judges ask the brokers, past every gateway.
    pub(super) fn direct(&self) -> String {
        self.cluster.bootstrap(Listener::Direct)
    }

    /// Creates topics, given as `a,b,c`; `config` as `name=value`.
    pub(super) fn create_topics(&self, names: &str, partitions: u32, config: &[&str]) {
        let partitions = partitions.to_string();
        let mut arguments =
            vec!["--bootstrap", &*self.cluster.address(1, Listener::Direct), "--topic", names]
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>();
        arguments.extend(["--partitions".to_owned(), partitions]);
        if !config.is_empty() {
            arguments.extend(["--config".to_owned(), config.join(",")]);
        }
        self.clients.java::<serde_json::Value>("create", &arguments).unwrap();
    }

    /// Where a file of this name is, or will be.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a text file.
    pub(super) fn text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes records for a client program.
    pub(super) fn file<'a>(&self, name: &str, records: impl IntoIterator<Item = &'a Record>) -> PathBuf {
        let path = self.folder.join(format!("{name}.jsonl"));
        write_records(&path, records).unwrap();
        path
    }

    /// Produces a file of records; `options` are further flags of the common command line.
    pub(super) fn produce(
        &self,
        library: Library,
        bootstrap: &str,
        topic: &str,
        records: &Path,
        options: &[&str],
    ) -> anyhow::Result<Vec<Answer>> {
        produce(&self.clients, library, bootstrap, topic, records, options)
    }

    /// Runs a Kafka tool, which must succeed, and returns what it printed.
    pub(super) fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let printed = self.clients.tool(class, arguments).unwrap();
        assert_eq!(printed.status, 0, "{class} {arguments:?}: {printed:?}");
        printed.out
    }

    /// Everything that a topic holds, read by a Java consumer that checks every CRC.
    pub(super) fn stored(&self, topic: &str) -> Vec<Stored> {
        let arguments = ["--bootstrap", &self.direct(), "--topic", topic].map(str::to_owned);
        self.clients.java("read", &arguments).unwrap()
    }

    /// As [`World::stored_when`], of committed transactions only: a commit is acknowledged before its markers are
    /// in the partitions, and only then the records show.
    pub(super) fn committed_when(&self, topic: &str, count: usize) -> Vec<Stored> {
        let arguments = ["--bootstrap", &self.direct(), "--topic", topic, "--isolation", "read_committed"];
        when(count, || self.clients.java("read", &arguments.map(str::to_owned)).unwrap())
    }

    /// As [`World::stored`], once the topic holds `count` records; what it holds after ten seconds if not.
    pub(super) fn stored_when(&self, topic: &str, count: usize) -> Vec<Stored> {
        when(count, || self.stored(topic))
    }

    /// What DumpLogSegments finds wrong with the stored batches of a topic.
    pub(super) fn segment_faults(&self, topic: &str) -> Vec<String> {
        let printed = self.dump(topic);
        let batches: Vec<&str> = printed.out.lines().filter(|line| line.contains("isvalid: ")).collect();
        if printed.status != 0 || batches.is_empty() {
            return vec![format!("DumpLogSegments: {printed:?}")];
        }
        let invalid = batches.iter().filter(|line| !line.contains("isvalid: true"));
        invalid.map(|line| format!("DumpLogSegments: {line}")).collect()
    }

    /// What DumpLogSegments says about the first segments of a topic.
    fn dump(&self, topic: &str) -> Printed {
        let segments: Vec<String> =
            self.segments(1, topic).iter().map(|segment| segment.display().to_string()).collect();
        let class = "org.apache.kafka.tools.DumpLogSegments";
        self.clients.tool(class, &["--deep-iteration", "--files", &segments.join(",")]).unwrap()
    }

    /// Bytes that broker 1 has stored for a topic.
    pub(super) fn stored_bytes(&self, topic: &str) -> u64 {
        self.segments(1, topic).iter().map(|segment| bytes(segment)).sum()
    }

    /// Whether every broker holds something in each of the partitions of a topic.
    pub(super) fn holds_every_partition(&self, topic: &str, partitions: u32) -> bool {
        let held = |id| self.segments(id, topic).iter().filter(|segment| bytes(segment) > 0).count();
        self.cluster.ids().all(|id| held(id) == partitions as usize)
    }

    /// The first segment of each partition that a broker has of a topic.
    fn segments(&self, id: i32, topic: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.cluster.data(id)).unwrap();
        let folders = entries.map(|entry| entry.unwrap().path());
        let is_of_topic = |folder: &PathBuf| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.rsplit_once('-').is_some_and(|(of, _)| of == topic)
        };
        folders.filter(is_of_topic).map(|folder| folder.join("00000000000000000000.log")).collect()
    }
}

/// Bytes of a segment, 0 where there is none.
fn bytes(segment: &Path) -> u64 {
    std::fs::metadata(segment).map_or(0, |found| found.len())
}

/// What `read` finds once it finds `count` records; what it finds after ten seconds if not.
fn when(count: usize, mut read: impl FnMut() -> Vec<Stored>) -> Vec<Stored> {
    let mut stored = Vec::new();
    // Too few records are the judge's to report.
    let _ = wait::until("records", Duration::from_secs(10), || {
        stored = read();
        Ok(stored.len() >= count)
    });
    stored
}

/// Produces with one of several sets of programs: the Java cases of one set run one after the other.
pub(super) fn produce(
    clients: &Clients,
    library: Library,
    bootstrap: &str,
    topic: &str,
    records: &Path,
    options: &[&str],
) -> anyhow::Result<Vec<Answer>> {
    let records = records.display().to_string();
    let common = ["--bootstrap", bootstrap, "--topic", topic, "--records", &records];
    let arguments: Vec<String> = common.iter().chain(options).map(|&argument| argument.to_owned()).collect();
    clients.produce(library, &arguments)
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
