//! Links Hyperscan from its static archive, so that no other shared object can take its place at run time
//! (Debian's Vectorscan package provides the same soname).

use std::path::Path;

/// Where distributions install `libhs.a`.
const LIBRARY_DIRECTORIES: [&str; 4] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/lib", "/usr/lib"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let found = LIBRARY_DIRECTORIES.iter().find(|directory| Path::new(directory).join("libhs.a").exists());
    let Some(directory) = found else {
        println!(
            "cargo::error=Hyperscan's static archive libhs.a was not found in {}: install the package \
             libhyperscan-dev (Debian, Ubuntu); `cargo xtask test` does it",
            LIBRARY_DIRECTORIES.join(", ")
        );
        return;
    };
    println!("cargo::rustc-link-search=native={directory}");
    // Not bundled: the archive has 11 MB of code, which would be copied into every rlib.
    println!("cargo::rustc-link-lib=static:-bundle=hs");
    println!("cargo::rustc-link-lib=dylib=stdc++");
    println!("cargo::rustc-link-lib=dylib=m");
}
