//! Files and folders that only their owner can read.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a new file.
///
/// # Errors
/// When it is there already, or cannot be made.
#[cfg(unix)]
pub fn new_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a new file.
///
/// # Errors
/// When it is there already, or cannot be made.
#[cfg(not(unix))]
pub fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Makes the folder, and those it is in, unless they are there.
///
/// # Errors
/// When it cannot be made.
#[cfg(unix)]
pub fn folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the folder, and those it is in, unless they are there.
///
/// # Errors
/// When it cannot be made.
#[cfg(not(unix))]
pub fn folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Takes the rights of everybody else away. What a link leads to is made if it is not there, before somebody makes it
/// for everybody to read.
///
/// # Errors
/// When the file is not ours.
#[cfg(unix)]
pub fn narrow(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    if path.is_symlink() && !path.try_exists()? {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    }
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
}

/// Takes the rights of everybody else away.
///
/// # Errors
/// When the file is not ours.
#[cfg(not(unix))]
pub fn narrow(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether nobody else has any right to it.
///
/// # Errors
/// When it cannot be asked.
#[cfg(unix)]
pub fn is_private(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 == 0)
}

/// Whether nobody else has any right to it.
///
/// # Errors
/// When it cannot be asked.
#[cfg(not(unix))]
pub fn is_private(_path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_a_link_leads_to_is_narrowed_or_made_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let [target, link] = ["target", "link"].map(|name| folder.path().join(name));
        symlink(&target, &link).unwrap();
        assert_eq!(new_file(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        narrow(&link).unwrap();
        assert!(is_private(&target).unwrap());
        fs::write(&target, "kept").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        narrow(&link).unwrap();
        assert!(is_private(&target).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        assert_eq!(narrow(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
