//! Content in files, named by its digest.

use alchemiser_events::{
    BlobReference, Event, PackedEvent, Sha256Digest, Transported, UnpackError,
};
use alchemiser_fail_points::fail_point;
use alchemiser_worker::{Blobs, StoreError};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
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
    /// [`StoreError::Unusable`] with the file at which it failed.
    pub fn put_now(&self, content: &[u8]) -> Result<BlobReference, StoreError> {
        let reference = BlobReference::to(content);
        let path = self.path(&reference.sha256);
        write(&path, content)
            .map(|()| reference)
            .map_err(|error| unwritable(&path, &error))
    }

    /// The content, checked against its digest.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if it is not there or not what was kept.
    pub fn get_now(&self, reference: &BlobReference) -> Result<Vec<u8>, StoreError> {
        let path = self.path(&reference.sha256);
        let damaged = |what: String| {
            let path = path.display();
            Err(StoreError::Damaged(format!(
                "the file `{path}` {what}; restore it from a copy"
            )))
        };
        let content = match read_up_to(&path, reference.size) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return damaged(format!(
                    "is missing; it had {} bytes with the SHA-256 digest {}",
                    reference.size, reference.sha256
                ));
            }
            Err(error) => return Err(unavailable(&path, &error)),
        };
        let found = BlobReference::to(&content);
        if found == *reference {
            return Ok(content);
        }
        let bytes = match found.size > reference.size {
            true => format!("more than {} bytes", reference.size),
            false => format!("{} bytes with the digest {}", found.size, found.sha256),
        };
        damaged(format!(
            "is damaged: it has {bytes}, and had {} bytes with the SHA-256 digest {}",
            reference.size, reference.sha256
        ))
    }

    /// An event, together with what left it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if that is not what left it.
    pub(crate) fn open_now(&self, event: &Transported) -> Result<Event, StoreError> {
        match event {
            Transported::Whole(event) => Ok(event.clone()),
            Transported::Packed(packed) => self
                .blob_of(packed)
                .and_then(|blob| packed.unpack(blob.as_deref()).map_err(damaged)),
        }
    }

    /// The very bytes of a packed event with what left it; see
    /// [`LocalBlobs::open_now`].
    pub(crate) fn unpack_now(&self, packed: &PackedEvent) -> Result<String, StoreError> {
        self.blob_of(packed)
            .and_then(|blob| packed.unpack_json(blob.as_deref()).map_err(damaged))
    }

    fn blob_of(&self, packed: &PackedEvent) -> Result<Option<Vec<u8>>, StoreError> {
        packed.blob().map(|blob| self.get_now(blob)).transpose()
    }

    /// Content that is a JSON document; `None` if it is not there or something
    /// else.
    pub(crate) fn document_now(&self, digest: &Sha256Digest) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.path(digest)).ok()?).ok()
    }

    /// Removes what was last kept before an instant and is not `needed`, and
    /// answers how many files that were. Kept again meanwhile, it stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with the file at which it failed.
    pub(crate) fn prune_now(
        &self,
        before: SystemTime,
        needed: &BTreeSet<Sha256Digest>,
    ) -> Result<usize, StoreError> {
        let needed: BTreeSet<PathBuf> = needed.iter().map(|digest| self.path(digest)).collect();
        let mut removed = 0;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| unavailable(&path, &error)
        };
        for directory in entries(&self.directory).map_err(failed(&self.directory))? {
            for path in entries(&directory).map_err(failed(&directory))? {
                if needed.contains(&path) {
                    continue;
                }
                removed += usize::from(remove_old(&path, before).map_err(failed(&path))?);
            }
        }
        Ok(removed)
    }

    /// 256 directories, so that none becomes too long.
    pub(crate) fn path(&self, digest: &Sha256Digest) -> PathBuf {
        let name = digest.to_string();
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

/// The content of a file, of which no more is read than shows that it is
/// longer than it should be.
fn read_up_to(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?
        .take(length.saturating_add(1))
        .read_to_end(&mut content)?;
    Ok(content)
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

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn damaged(error: UnpackError) -> StoreError {
    StoreError::Damaged(error.to_string())
}

fn unwritable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable(format!(
        "`{}` cannot be written ({error}); look after its disk (space, quota, permissions) and \
         run it again, nothing committed is lost",
        path.display()
    ))
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
            let path = blobs.path(&reference.sha256);
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
        let path = blobs.path(&reference.sha256);

        fs::write(&path, b"c0ntent").unwrap();
        let error = blobs.get(&reference).await.unwrap_err();
        let found = BlobReference::to(b"c0ntent").sha256;
        for part in [
            path.display().to_string(),
            reference.sha256.to_string(),
            found.to_string(),
        ] {
            assert!(error.to_string().contains(&part), "{error}");
        }
        assert!(matches!(error, StoreError::Damaged(_)));

        for (content, says) in [
            (&b"cont"[..], "it has 4 bytes"),
            (b"contents", "more than 7"),
        ] {
            fs::write(&path, content).unwrap();
            let error = blobs.get(&reference).await.unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)));
            assert!(error.to_string().contains(says), "{error}");
        }
        fs::write(&path, b"cont").unwrap();
        // What was cut short heals when it is put again.
        blobs.put(b"content").await.unwrap();
        assert_eq!(blobs.get(&reference).await.unwrap(), b"content");

        fs::remove_file(&path).unwrap();
        let error = blobs.get(&reference).await.unwrap_err();
        assert!(error.to_string().contains("is missing"), "{error}");
    }

    #[test]
    fn what_was_not_kept_for_long_is_removed() {
        let (_directory, blobs) = blobs();
        let age = |reference: &BlobReference| {
            let file = File::options()
                .write(true)
                .open(blobs.path(&reference.sha256));
            let long_ago = SystemTime::now() - Duration::from_hours(1);
            file.unwrap().set_modified(long_ago).unwrap();
        };
        let [old, kept_again, needed] = ["old", "kept again", "needed"].map(|content| {
            let reference = blobs.put_now(content.as_bytes()).unwrap();
            age(&reference);
            reference
        });
        blobs.put_now(b"kept again").unwrap();
        let minute_ago = SystemTime::now() - Duration::from_mins(1);
        let keep = BTreeSet::from([needed.sha256]);
        assert_eq!(blobs.prune_now(minute_ago, &keep).unwrap(), 1);
        assert_eq!(blobs.get_now(&needed).unwrap(), b"needed");
        assert!(matches!(blobs.get_now(&old), Err(StoreError::Damaged(_))));
        assert_eq!(blobs.get_now(&kept_again).unwrap(), b"kept again");
        blobs.put_now(b"old").unwrap();
        assert_eq!(blobs.get_now(&old).unwrap(), b"old");
    }
}
