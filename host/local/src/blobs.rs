//! Content in files, named by its digest.

use alchemiser_events::BlobReference;
use alchemiser_fail_points::fail_point;
use alchemiser_worker::{Blobs, StoreError};
use async_trait::async_trait;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::NamedTempFile;

/// Content in the `blobs` directory of a state directory.
#[derive(Clone, Debug)]
pub struct LocalBlobs {
    directory: PathBuf,
}

impl LocalBlobs {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Keeps some content; on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with the file at which it failed.
    pub fn put_now(&self, content: &[u8]) -> Result<BlobReference, StoreError> {
        let reference = BlobReference::to(content);
        let path = self.path(&reference);
        write(&path, content)
            .map(|()| reference)
            .map_err(|error| unavailable(&path, &error))
    }

    /// The content, checked against its digest.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if it is not there or not what was kept.
    pub fn get_now(&self, reference: &BlobReference) -> Result<Vec<u8>, StoreError> {
        let path = self.path(reference);
        match fs::read(&path) {
            Ok(content) if BlobReference::to(&content) == *reference => Ok(content),
            Ok(content) => Err(StoreError::Damaged(format!(
                "`{}` ({} bytes, {} expected)",
                path.display(),
                content.len(),
                reference.size
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Damaged(format!("`{}`", path.display())))
            }
            Err(error) => Err(unavailable(&path, &error)),
        }
    }

    /// Removes what was last kept before an instant, and answers how many files
    /// that were. Kept again meanwhile, it stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with the file at which it failed.
    pub fn prune_now(&self, before: SystemTime) -> Result<usize, StoreError> {
        let mut removed = 0;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| unavailable(&path, &error)
        };
        for directory in entries(&self.directory).map_err(failed(&self.directory))? {
            for path in entries(&directory).map_err(failed(&directory))? {
                removed += usize::from(remove_old(&path, before).map_err(failed(&path))?);
            }
        }
        Ok(removed)
    }

    /// 256 directories, so that none becomes too long.
    fn path(&self, reference: &BlobReference) -> PathBuf {
        let name = reference.sha256.to_string();
        self.directory.join(&name[..2]).join(name)
    }
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn put(&self, content: &[u8]) -> Result<BlobReference, StoreError> {
        let blobs = self.clone();
        let content = content.to_vec();
        on_a_thread(move || blobs.put_now(&content)).await
    }

    async fn get(&self, reference: &BlobReference) -> Result<Vec<u8>, StoreError> {
        let blobs = self.clone();
        let reference = *reference;
        on_a_thread(move || blobs.get_now(&reference)).await
    }
}

/// The file is either not there or whole, whatever happens meanwhile.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let (Some(directory), Some(parent)) = (path.parent(), path.parent().and_then(Path::parent))
    else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // One that was cut short has another length, and is replaced. One that is
    // there becomes new, so that it is not removed for being old.
    let is_there = is_file_of(path, content.len()) && renew(path).is_ok();
    // Looked at once more: it may have been removed before it became new.
    if !is_there || !is_file_of(path, content.len()) {
        if fs::create_dir(directory).is_ok() {
            flush_directory(parent)?;
        }
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        fail_point!(BlobWritten, Err(io::ErrorKind::StorageFull.into()));
        file.persist(path)?;
        fail_point!(BlobNamed);
    }
    // Also if it was there: whoever put it may not have come this far yet.
    flush_directory(directory)
}

fn is_file_of(path: &Path, length: usize) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() == length as u64)
}

fn renew(path: &Path) -> io::Result<()> {
    File::options()
        .write(true)
        .open(path)?
        .set_modified(SystemTime::now())
}

/// The paths in a directory; none if it is no directory.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes a file that was last kept before an instant. It is put aside first:
/// whoever keeps it from then on finds it gone and writes it anew, and whoever
/// did so just before has made it new, which shows.
fn remove_old(path: &Path, before: SystemTime) -> io::Result<bool> {
    let is_old = |path: &Path| match fs::metadata(path).and_then(|file| file.modified()) {
        Ok(modified) => Ok(modified < before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    if !is_old(path)? {
        return Ok(false);
    }
    let aside = path.with_extension("old");
    match fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    if is_old(&aside)? {
        fs::remove_file(&aside)?;
        return Ok(true);
    }
    fs::rename(&aside, path)?;
    Ok(false)
}

/// Makes the names in a directory durable.
fn flush_directory(directory: &Path) -> io::Result<()> {
    // Elsewhere, directories cannot be opened, and need not be flushed.
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Unavailable(error.to_string())),
    }
}

fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn blobs() -> (tempfile::TempDir, LocalBlobs) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::new(directory.path().to_owned());
        (directory, blobs)
    }

    #[tokio::test]
    async fn what_is_put_can_be_got_and_is_kept_once() {
        let (directory, blobs) = blobs();
        for content in [&b""[..], b"abc", &[0; 100_000]] {
            let reference = blobs.put(content).await.unwrap();
            assert_eq!(reference, BlobReference::to(content));
            let path = blobs.path(&reference);
            let written = fs::metadata(&path).unwrap().created().unwrap();
            assert_eq!(blobs.put(content).await.unwrap(), reference);
            assert_eq!(fs::metadata(&path).unwrap().created().unwrap(), written);
            assert_eq!(blobs.get(&reference).await.unwrap(), content);
        }
        // Three directories with one file each: no temporary one is left.
        let files: usize = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| fs::read_dir(entry.unwrap().path()).unwrap().count())
            .sum();
        assert_eq!(files, 3);
    }

    #[tokio::test]
    async fn damage_is_noticed() {
        let (_directory, blobs) = blobs();
        let reference = blobs.put(b"content").await.unwrap();
        let path = blobs.path(&reference);

        fs::write(&path, b"c0ntent").unwrap();
        let error = blobs.get(&reference).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Damaged(what) if what.contains("blobs") || what.contains(&reference.sha256.to_string()))
        );

        fs::write(&path, b"cont").unwrap();
        assert!(matches!(
            blobs.get(&reference).await,
            Err(StoreError::Damaged(_))
        ));
        // What was cut short heals when it is put again.
        blobs.put(b"content").await.unwrap();
        assert_eq!(blobs.get(&reference).await.unwrap(), b"content");

        fs::remove_file(&path).unwrap();
        assert!(matches!(
            blobs.get(&reference).await,
            Err(StoreError::Damaged(_))
        ));
    }

    #[test]
    fn what_was_not_kept_for_long_is_removed() {
        let (_directory, blobs) = blobs();
        let age = |reference: &BlobReference| {
            let file = File::options().write(true).open(blobs.path(reference));
            let long_ago = SystemTime::now() - Duration::from_hours(1);
            file.unwrap().set_modified(long_ago).unwrap();
        };
        let (old, kept_again) = (blobs.put_now(b"old"), blobs.put_now(b"kept again"));
        let (old, kept_again) = (old.unwrap(), kept_again.unwrap());
        age(&old);
        age(&kept_again);
        blobs.put_now(b"kept again").unwrap();
        let minute_ago = SystemTime::now() - Duration::from_mins(1);
        assert_eq!(blobs.prune_now(minute_ago).unwrap(), 1);
        assert!(matches!(blobs.get_now(&old), Err(StoreError::Damaged(_))));
        assert_eq!(blobs.get_now(&kept_again).unwrap(), b"kept again");
        blobs.put_now(b"old").unwrap();
        assert_eq!(blobs.get_now(&old).unwrap(), b"old");
    }
}
