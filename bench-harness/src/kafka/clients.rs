//! Programs around the client libraries, in their own languages, under one command line.
//!
//! Each writes the records of a file, one JSON object a line with bytes in hex, and reports what the broker
//! answered for each, again one JSON object a line; a last line says that it came to its end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Jars, cache, go};

/// A client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Library {
    /// Apache Kafka's own, `kafka-clients`.
    Java,
    /// librdkafka, through confluent-kafka.
    Librdkafka,
    /// franz-go.
    FranzGo,
    /// IBM sarama.
    Sarama,
    /// kafkajs.
    KafkaJs,
    /// aiokafka.
    AioKafka,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Java, Self::Librdkafka, Self::FranzGo, Self::Sarama, Self::KafkaJs, Self::AioKafka];
}

/// A record as a client program is told to write it, and as a reader found it; bytes are hex in JSON.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Record {
    /// Identity within a test; a reader has none.
    #[serde(default)]
    pub id: String,
    /// Key, `None` is Kafka's null.
    #[serde(with = "hex")]
    pub key: Option<Vec<u8>>,
    /// Value, `None` is Kafka's null.
    #[serde(with = "hex")]
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<Header>,
}

/// Name and value of a record header.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Header(
    /// Name.
    pub String,
    /// Value, `None` is Kafka's null.
    #[serde(with = "hex")]
    pub Option<Vec<u8>>,
);

/// What a producer was told about one record.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// Identity of the record.
    pub id: String,
    /// Where it was stored; with acks=0 the offset is -1.
    pub partition: Option<i32>,
    /// Its offset.
    pub offset: Option<i64>,
    /// Why it was not stored, in the words of the library.
    pub error: Option<String>,
}

/// A record that a reader found.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Key, value and headers.
    #[serde(flatten)]
    pub record: Record,
}

/// What a Kafka tool printed.
#[derive(Debug, Clone, Deserialize)]
pub struct Printed {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The installed programs, and one JVM that runs all Java cases, started with the first of them.
#[derive(Debug)]
pub struct Clients {
    jars: Jars,
    classes: PathBuf,
    go: PathBuf,
    node: PathBuf,
    python: PathBuf,
    rig: Mutex<Option<Rig>>,
}

impl Clients {
    /// Finds the programs, or builds and installs them: versions are those of the lock files beside the sources.
    ///
    /// # Errors
    /// A compiler or package manager is missing or fails.
    pub fn install() -> Result<Self> {
        let sources = cache::sources();
        let jars = Jars::install()?;
        let java = sources.join("java");
        let classes = cache::install("clients-java", &[&java], |folder| compile_java(&jars, &java, folder))?;
        let go = sources.join("go");
        let go = cache::install("clients-go", &[&go], |folder| build_go(&go, folder))?;
        let node = sources.join("node");
        let node = cache::install("clients-node", &[&node], |folder| install_node(&node, folder))?;
        let python = sources.join("python");
        let requirements = python.join("requirements.txt");
        let python = cache::install("clients-python", &[&requirements], |folder| {
            install_python(&requirements, folder)
        })?;
        Ok(Self { jars, classes, go, node, python, rig: Mutex::new(None) })
    }

    /// Produces with `library`; `arguments` are those of the common command line.
    ///
    /// # Errors
    /// The program did not come to its end.
    pub fn produce(&self, library: Library, arguments: &[String]) -> Result<Vec<Answer>> {
        self.run(library, "produce", arguments)
    }

    /// Consumes with a group of `library` (Java, librdkafka, franz-go).
    ///
    /// # Errors
    /// The program did not come to its end, or the library has no consumer here.
    pub fn consume(&self, library: Library, arguments: &[String]) -> Result<Vec<Value>> {
        self.run(library, "consume", arguments)
    }

    /// Runs one Java case: see `Rig.java`.
    ///
    /// # Errors
    /// The case failed: then in its words.
    pub fn java<T: DeserializeOwned>(&self, case: &str, arguments: &[String]) -> Result<Vec<T>> {
        let mut rig = self.rig.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = match rig.take() {
            Some(running) => running,
            None => Rig::start(&self.jars, &self.classes)?,
        };
        let lines = running.call(case, arguments)?;
        // Kept only after a whole answer: after a broken one the next case gets a new JVM.
        *rig = Some(running);
        lines.into_iter().map(|line| Ok(serde_json::from_value(line)?)).collect()
    }

    /// Runs the main class of a Kafka tool.
    ///
    /// # Errors
    /// There is no such tool, or it threw.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<Printed> {
        let arguments: Vec<String> = [&[class], arguments].concat().into_iter().map(str::to_owned).collect();
        self.java("tool", &arguments)?.pop().context("the tool reported nothing")
    }

    fn run<T: DeserializeOwned>(&self, library: Library, mode: &str, arguments: &[String]) -> Result<Vec<T>> {
        if library == Library::Java {
            return self.java(mode, arguments);
        }
        let mut command = self.command(library);
        command.arg(mode).args(arguments);
        let lines = parse(cache::run(&mut command)?.lines())?;
        lines.into_iter().map(|line| Ok(serde_json::from_value(line)?)).collect()
    }

    fn command(&self, library: Library) -> Command {
        let python = |file: &str| {
            let mut command = bounded(&self.python.join("bin/python3"));
            command.arg("-B").arg(cache::sources().join("python").join(file));
            command
        };
        match library {
            Library::Java => unreachable!("Java cases share one JVM"),
            Library::Librdkafka => python("librdkafka_client.py"),
            Library::AioKafka => python("aiokafka_producer.py"),
            Library::FranzGo => bounded(&self.go.join("franz")),
            Library::Sarama => bounded(&self.go.join("sarama")),
            Library::KafkaJs => {
                let mut command = bounded(Path::new("node"));
                command.arg(self.node.join("producer.js"));
                command
            }
        }
    }
}

/// A client that tries for ever fails its test, with status 124, instead of holding it up.
fn bounded(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg(SECONDS_MAX).arg(program);
    command
}

/// Far above what any client needs, with every fault of the tests.
const SECONDS_MAX: &str = "180";

/// The JVM that runs Java cases, one at a time.
#[derive(Debug)]
struct Rig {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Rig {
    fn start(jars: &Jars, classes: &Path) -> Result<Self> {
        let mut java = jars.java(Some(classes));
        java.args(["-Xmx512m", "Rig"]).env("LOG_LEVEL", "ERROR").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = java.spawn().context("java: cannot be started; is it installed?")?;
        let requests = child.stdin.take().context("standard input of the JVM")?;
        let answers = BufReader::new(child.stdout.take().context("standard output of the JVM")?);
        Ok(Self { child, requests, answers })
    }

    fn call(&mut self, case: &str, arguments: &[String]) -> Result<Vec<Value>> {
        let request: Vec<&str> = std::iter::once(case).chain(arguments.iter().map(String::as_str)).collect();
        writeln!(self.requests, "{}", serde_json::to_string(&request)?)?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(self.answers.read_line(&mut line)? > 0, "the JVM ended during {case}");
            let line: Value = serde_json::from_str(&line)?;
            if let Some(failed) = line.get("failed") {
                bail!("java {}: {failed}", request.join(" "));
            }
            if line.get("done").is_some() {
                return Ok(lines);
            }
            lines.push(line);
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // It may be in the middle of a case that will never end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a file of records for the client programs.
///
/// # Errors
/// The file cannot be written.
pub fn write_records<'a>(path: &Path, records: impl IntoIterator<Item = &'a Record>) -> Result<()> {
    let mut text = String::new();
    for record in records {
        text.push_str(&serde_json::to_string(record)?);
        text.push('\n');
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Value>> {
    let mut lines = lines.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let last = lines.pop().context("the client program reported nothing")?;
    ensure!(last.get("done").is_some(), "the client program did not come to its end: {last}");
    Ok(lines)
}

fn compile_java(jars: &Jars, java: &Path, folder: &Path) -> Result<()> {
    let mut sources = fs::read_dir(java.join("src"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    sources.sort();
    let mut javac = Command::new("javac");
    javac.arg("-d").arg(folder).arg("-cp").arg(jars.class_path(None)).args(sources);
    cache::run(&mut javac).map(drop)
}

fn build_go(sources: &Path, folder: &Path) -> Result<()> {
    let mut go = go::command()?;
    go.args(["build", "-trimpath", "-o"]).arg(folder).args(["./franz", "./sarama"]).current_dir(sources);
    cache::run(&mut go).map(drop)
}

fn install_node(sources: &Path, folder: &Path) -> Result<()> {
    for file in ["package.json", "package-lock.json", "producer.js"] {
        fs::copy(sources.join(file), folder.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    cache::run(&mut npm).map(drop)
}

/// A virtual environment holds absolute paths, so it is made under its last name's stand-in: `python3 -m venv`
/// is run on the partial folder, and only `bin/python3`, which works from anywhere, is used afterwards.
fn install_python(requirements: &Path, folder: &Path) -> Result<()> {
    let mut venv = Command::new("python3");
    cache::run(venv.args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "-r"])
        .arg(requirements);
    cache::run(&mut pip).map(drop)
}

/// Optional bytes as hex text in JSON.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => {
                serializer.serialize_some(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
            u8::from_str_radix(pair, 16).map_err(D::Error::custom)
        });
        digits.collect::<Result<_, _>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_json_line() {
        let record = Record {
            id: "r1".to_owned(),
            key: None,
            value: Some(vec![0, 255]),
            headers: vec![Header("h".to_owned(), Some(vec![1])), Header("h".to_owned(), None)],
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(line, r#"{"id":"r1","key":null,"value":"00ff","headers":[["h","01"],["h",null]]}"#);
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }

    #[test]
    fn a_report_without_its_last_line_is_an_error() {
        assert!(parse([r#"{"id":"a"}"#].into_iter()).is_err());
        assert_eq!(parse([r#"{"id":"a"}"#, r#"{"done":true}"#].into_iter()).unwrap().len(), 1);
    }
}
