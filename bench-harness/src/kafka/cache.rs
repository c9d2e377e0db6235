//! Where jars, client programs and broker data live, outside the repository, and how each is installed once.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::lock::Lock;

/// The folder of everything that tests install: `$XDG_CACHE_HOME/gateway-tests`, or `~/.cache/gateway-tests`.
///
/// # Errors
/// Neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn root() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("gateway-tests"))
}

/// The folder with the sources of the client programs and the list of Kafka's jars.
#[must_use]
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/clients")
}

/// Installs something once: `NAME-HASH` in [`root`], where HASH covers the contents of `inputs` (files or
/// folders). `build` fills an empty folder, which is then moved into place whole, so an interrupted
/// installation leaves nothing that looks finished. Processes wait for each other on a lock file.
///
/// # Errors
/// What `build` returns, and errors of the file system.
pub fn install(name: &str, inputs: &[&Path], build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let root = root()?;
    fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
    let target = root.join(format!("{name}-{:016x}", hash_of(inputs)?));
    if target.is_dir() {
        return Ok(target);
    }
    let _lock = Lock::hold(&root.join(format!("{name}.lock")), &format!("the installation of {name}"))?;
    if target.is_dir() {
        return Ok(target);
    }
    let partial = root.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    eprintln!("installing {name} (first use)");
    build(&partial).with_context(|| format!("install {name}"))?;
    fs::rename(&partial, &target)?;
    Ok(target)
}

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// The command cannot be started, or ends with another status than 0: then with the end of what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().with_context(|| format!("{program}: cannot be started; is it installed?"))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&printed);
        let tail: Vec<&str> = text.lines().rev().take(30).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{program}: {}\n{}", output.status, tail.join("\n"));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{program}: output is not UTF-8"))
}

fn hash_of(inputs: &[&Path]) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        ensure!(input.exists(), "{} does not exist", input.display());
        hash_path(input, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn hash_path(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.file_name().hash(hasher);
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| hash_path(entry, hasher));
    }
    fs::read(path).with_context(|| format!("read {}", path.display()))?.hash(hasher);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_names_and_contents() {
        let folder = std::env::temp_dir().join(format!("gateway-cache-hash-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a"), "1").unwrap();
        let first = hash_of(&[&folder]).unwrap();
        let again = hash_of(&[&folder]).unwrap();
        fs::write(folder.join("a"), "2").unwrap();
        let changed = hash_of(&[&folder]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(first, again);
        assert_ne!(first, changed);
    }

    #[test]
    fn a_failing_command_reports_what_it_printed() {
        let error = run(Command::new("sh").args(["-c", "echo why; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }
}
