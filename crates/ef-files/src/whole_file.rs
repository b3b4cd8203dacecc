//! Files that are written whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a file beside its final place and renames it when it is whole: an error leaves what was there before. A link
/// is followed. A pipe or a device, such as `/dev/stdout`, is written directly.
///
/// # Errors
/// The system's, or that of `write`; the folder is missing, may not be written, or is full.
///
/// ```
/// use std::io::Write as _;
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.txt");
/// ef_files::write_atomically(&path, |out| out.write_all(b"first"))?;
/// let failed = ef_files::write_atomically(&path, |out| {
///     out.write_all(b"half of the sec")?;
///     Err(std::io::Error::other("no more"))
/// });
/// assert!(failed.is_err());
/// assert_eq!(std::fs::read(&path)?, b"first");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let Target::File(target) = Target::of(path.as_ref())? else {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        write(&mut out)?;
        return out.flush();
    };
    let mut out = BufWriter::new(beside(&target)?);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(target).map(drop).map_err(|refused| refused.error)
}

/// Checks that [`write_atomically`] could begin now. Call it before long work. Leaves no file behind.
///
/// # Errors
/// The system's, if it could not begin.
pub fn check_writable(path: impl AsRef<Path>) -> io::Result<()> {
    match Target::of(path.as_ref())? {
        Target::File(target) => beside(&target).map(drop),
        // opening a pipe has an effect at its other end
        Target::Stream => Ok(()),
    }
}

enum Target {
    /// A file, there or not yet.
    File(PathBuf),
    /// A pipe or a device, which a rename must not replace.
    Stream,
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder"))
            }
            Ok(found) if found.is_file() => fs::canonicalize(path).map(Self::File),
            Ok(_) => Ok(Self::Stream),
            Err(_) => Ok(Self::File(path.to_owned())),
        }
    }
}

/// A new file in the folder of `target`, gone again unless it is renamed.
fn beside(target: &Path) -> io::Result<NamedTempFile> {
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // permissions: those of the file that is replaced; a new file gets those of the process's umask
        let mode = fs::metadata(target).map_or(0o666, |found| found.permissions().mode() & 0o777);
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    // tempfile adds the name of the temporary file, which the user never chose: the error names `target` only.
    builder
        .tempfile_in(folder)
        .map_err(|error| match fs::metadata(folder) {
            Err(missing) => missing,
            Ok(found) if !found.is_dir() => io::Error::from(io::ErrorKind::NotADirectory),
            Ok(_) => io::Error::from(error.kind()),
        })
}
