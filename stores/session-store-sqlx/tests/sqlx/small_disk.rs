//! A disk that is full soon.

use std::path::Path;
use std::process::Command;

use session_test_servers::requirements::leave_out;
use tempfile::TempDir;

/// A file system of its own in memory, unmounted in the end.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None`: this user may not mount.
    pub(crate) fn mount(kilobytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"]).arg(folder.path());
        match command.output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                leave_out(&format!("no tmpfs can be mounted: {}", String::from_utf8_lossy(&output.stderr)));
                None
            }
            Err(error) => {
                leave_out(&format!("no tmpfs can be mounted: {error}"));
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a store that was dropped closes its files in a thread of its own.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
