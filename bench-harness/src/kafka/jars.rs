//! Apache Kafka's jars, from Maven, and the command lines that run classes from them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::cache;

/// The folder with the jars of broker, tools and Java clients; which versions is written in the `pom.xml`
/// beside the Java client programs.
#[derive(Debug, Clone)]
pub struct Jars {
    folder: PathBuf,
}

impl Jars {
    /// Finds the jars, or has Maven copy them into the cache (about 55 MiB).
    ///
    /// # Errors
    /// Maven is missing or fails.
    pub fn install() -> Result<Self> {
        let pom = cache::sources().join("java/pom.xml");
        let folder = cache::install("kafka-jars", &[&pom], |partial| copy_dependencies(&pom, partial))?;
        Ok(Self { folder })
    }

    /// A `java` command with the jars (and `classes`, where given) on its class path, tuned to start fast:
    /// tests pay for the start of a JVM, not for its peak speed. Logs warnings to standard error.
    #[must_use]
    pub fn java(&self, classes: Option<&Path>) -> Command {
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"]);
        command.arg(format!("-Dlog4j2.configurationFile={}", log_settings().display()));
        command.arg("-cp").arg(self.class_path(classes));
        command
    }

    /// The class path: every jar, behind `classes` where given.
    #[must_use]
    pub fn class_path(&self, classes: Option<&Path>) -> String {
        let jars = self.folder.join("*");
        match classes {
            Some(classes) => format!("{}:{}", classes.display(), jars.display()),
            None => jars.display().to_string(),
        }
    }
}

/// The log4j2 settings that brokers and Java clients share; the level is the environment variable `LOG_LEVEL`.
pub(super) fn log_settings() -> PathBuf {
    cache::sources().join("java/log4j2.properties")
}

fn copy_dependencies(pom: &Path, folder: &Path) -> Result<()> {
    let mut maven = Command::new("mvn");
    maven.args(["-B", "-q", "-Dstyle.color=never", "-f"]).arg(pom);
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", folder.display()));
    cache::run(&mut maven).map(drop)
}
