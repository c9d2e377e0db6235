//! A Go that is new enough for the client programs.
//!
//! Distributions ship older ones. Every Go toolchain is also a module, which an older Go can download and
//! verify: <https://go.dev/doc/toolchain#module>.

use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache;

/// What the client programs ask for in their go.mod.
const NEEDED: (u32, u32) = (1, 26);

/// The module version of a toolchain that is new enough.
const TOOLCHAIN: &str = "golang.org/toolchain@v0.0.1-go1.26.0.linux-amd64";

/// The `go` of this host, or one that is installed beside the client programs.
///
/// # Errors
///
/// There is no Go at all, or the newer one cannot be downloaded.
pub(super) fn command() -> Result<Command> {
    let found = cache::run(Command::new("go").arg("version"))?;
    if version(&found).is_some_and(|version| version >= NEEDED) {
        return Ok(Command::new("go"));
    }
    let toolchain = cache::install("go-toolchain-1.26.0", &[], download)?;
    let mut go = Command::new(toolchain.join("go/bin/go"));
    go.env("GOTOOLCHAIN", "local");
    Ok(go)
}

/// Major and minor version in `go version go1.19.8 linux/amd64`.
fn version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.split(' ').nth(2)?.strip_prefix("go")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Downloads the toolchain into `folder/go`, through a module cache that is thrown away.
fn download(folder: &Path) -> Result<()> {
    let modules = folder.join("modules");
    fs::create_dir_all(&modules)?;
    fs::write(modules.join("go.mod"), "module toolchain\n")?;
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", "-modcacherw", TOOLCHAIN]).current_dir(&modules);
    let described = cache::run(go.env("GOPATH", &modules))?;
    let described: serde_json::Value = serde_json::from_str(&described)?;
    let downloaded = PathBuf::from(described["Dir"].as_str().context("go mod download names no directory")?);
    let installed = folder.join("go");
    fs::rename(downloaded, &installed)?;
    fs::remove_dir_all(&modules)?;
    // A module's files are not executable; an older Go does not know that these must be.
    make_executable(&installed.join("bin"))?;
    make_executable(&installed.join("pkg/tool/linux_amd64"))
}

fn make_executable(directory: &Path) -> Result<()> {
    for file in fs::read_dir(directory)? {
        fs::set_permissions(file?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_go_prints() {
        assert_eq!(version("go version go1.19.8 linux/amd64\n"), Some((1, 19)));
        assert_eq!(version("go version go1.26 linux/amd64\n"), Some((1, 26)));
        assert_eq!(version("command not found"), None);
    }
}
