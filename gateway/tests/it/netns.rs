//! Network namespaces: a test with one of its own binds what it likes, sets what it likes, and leaves nothing.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;

use rustix::thread::{
    CapabilitySet, CapabilitySets, LinkNameSpaceType, move_into_link_name_space,
    remove_capability_from_bounding_set,
};

/// Runs `test` in a thread inside a network namespace of its own.
///
/// Without root the test is skipped, and says so; on CI that is a failure.
pub(crate) fn in_namespace(name: &str, test: impl FnOnce() + Send) {
    let namespace = match Namespace::create(name) {
        Ok(namespace) => namespace,
        Err(error) => return skip(&error),
    };
    let inside = || {
        namespace.enter();
        test();
    };
    std::thread::scope(|scope| {
        if let Err(panic) = scope.spawn(inside).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must run this test: {reason}");
    eprintln!("skipped: needs root and Linux 6.1: {reason}");
}

/// Sets a sysctl of this thread's network namespace.
pub(crate) fn write_sysctl(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/{name}"), value).expect("root may, in a namespace of its own");
}

/// Leaves this thread, and the threads it starts, only these capabilities.
pub(crate) fn restrict_to(capabilities: CapabilitySet) {
    let sets = CapabilitySets {
        effective: capabilities,
        permitted: capabilities,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).expect("giving up is always allowed");
}

/// Keeps the programs that this thread starts from ever having these capabilities.
pub(crate) fn deny_to_children(capabilities: CapabilitySet) {
    for capability in capabilities {
        remove_capability_from_bounding_set(capability).expect("root may give up");
    }
}

/// Runs ip(8) in this thread's namespace.
pub(crate) fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

struct Namespace {
    name: String,
}

impl Namespace {
    /// A namespace with its loopback interface up.
    fn create(name: &str) -> Result<Self, String> {
        let name = format!("gateway-{name}-{}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        ip(&["-n", &namespace.name, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Moves this thread, and the threads it starts, into the namespace.
    fn enter(&self) {
        let file = File::open(format!("/run/netns/{}", self.name)).expect("ip-netns(8) puts it there");
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(file.as_fd(), kind).expect("root may enter");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("network namespace {} stays: {error}", self.name);
        }
    }
}
