//! Content in files, named by its digest.

use alchemiser_events::BlobReference;
use alchemiser_worker::{Blobs, StoreError};
use async_trait::async_trait;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
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
    // One that was cut short has another length, and is replaced.
    let is_there = fs::metadata(path).is_ok_and(|file| file.len() == content.len() as u64);
    if !is_there {
        if fs::create_dir(directory).is_ok() {
            flush_directory(parent)?;
        }
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
    }
    // Also if it was there: whoever put it may not have come this far yet.
    flush_directory(directory)
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
            let written = fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(blobs.put(content).await.unwrap(), reference);
            assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
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
}
