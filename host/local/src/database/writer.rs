//! The one thread that writes.
//!
//! A flush to disk takes milliseconds, whatever is flushed. So the writer takes
//! all the jobs that wait, runs them in one transaction, and answers them all
//! after its commit: the busier it is, the more jobs share a flush. Each job
//! has a savepoint of its own, so that one that fails takes no other with it.

use super::execute;
use super::failure::Failure;
use alchemiser_fail_points::fail_point;
use alchemiser_worker::StoreError;
use rusqlite::Connection;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait; who brings one more waits too.
const QUEUE: usize = 1024;

/// Jobs of one transaction, at most: bounds how long the first one waits for
/// the last.
const GROUP: usize = 512;

/// When a job's changes are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// With the next flush, for which the answer does not wait. For what means
    /// nothing after a power failure. It survives the end of the process, and
    /// it is never on disk later than what was written after it.
    Later,
    /// When it is answered.
    Flushed,
}

/// Hands jobs to the thread; ends it when dropped.
pub(super) struct Writer {
    path: Arc<Path>,
    // Before the thread: it ends when nobody can send any more.
    jobs: mpsc::Sender<Box<dyn Job>>,
    _thread: JoinedThread,
}

impl Writer {
    /// Starts the thread on a connection that may write.
    pub(super) fn start(connection: Connection, path: &Path) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let path: Arc<Path> = path.into();
        let thread = {
            let path = Arc::clone(&path);
            thread::Builder::new()
                .name("alchemiser-writer".to_owned())
                .spawn(move || work(&connection, receiver, &path))?
        };
        Ok(Self {
            path,
            jobs,
            _thread: JoinedThread(Some(thread)),
        })
    }

    /// Runs a job in a transaction; what it did is undone if it fails.
    ///
    /// The job is run also when nobody waits for its answer any more.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        run: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Waiting {
            path: Arc::clone(&self.path),
            durability,
            run: Some(run),
            result: None,
            reply,
        };
        let stopped = || {
            let path = self.path.display();
            StoreError::Unavailable(format!("nothing can be written to `{path}` any more"))
        };
        self.jobs.send(Box::new(job)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// A thread that is waited for.
struct JoinedThread(Option<JoinHandle<()>>);

impl Drop for JoinedThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic of the thread was reported by the panic hook, and whoever
            // waited for an answer was told.
            let _ = thread.join();
        }
    }
}

/// Something to do in a transaction.
trait Job: Send {
    fn durability(&self) -> Durability;

    /// Does it. An error means that its savepoint is to be undone.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;

    /// Answers: with the job's own result, or with why there is none.
    fn answer(self: Box<Self>, transaction: Result<(), StoreError>);
}

struct Waiting<T, F> {
    path: Arc<Path>,
    durability: Durability,
    run: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Failure> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let result = run(connection).map_err(|failure| failure.into_port(&self.path));
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, transaction: Result<(), StoreError>) {
        let answer = match (transaction, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Unavailable("the job was not run".to_owned())),
        };
        // Nobody may be waiting any more; what was done stays done.
        let _ = self.reply.send(answer);
    }
}

fn work(connection: &Connection, mut jobs: mpsc::Receiver<Box<dyn Job>>, path: &Path) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = jobs.try_recv()
        {
            group.push(next);
        }
        // Those that need not be flushed do not wait for those that do.
        let (flushed, later) = group
            .into_iter()
            .partition(|job| job.durability() == Durability::Flushed);
        run(connection, later, Durability::Later, path);
        run(connection, flushed, Durability::Flushed, path);
    }
}

/// Runs jobs in one transaction, and answers them.
fn run(connection: &Connection, mut jobs: Vec<Box<dyn Job>>, durability: Durability, path: &Path) {
    if jobs.is_empty() {
        return;
    }
    let outcome =
        transact(connection, &mut jobs, durability).map_err(|failure| failure.into_port(path));
    if outcome.is_err() && !connection.is_autocommit() {
        // If even that fails, the next transaction says so.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for job in jobs {
        job.answer(outcome.clone());
    }
}

fn transact(
    connection: &Connection,
    jobs: &mut [Box<dyn Job>],
    durability: Durability,
) -> Result<(), Failure> {
    let execute = |sql| execute(connection, sql, []);
    connection.execute_batch(match durability {
        Durability::Later => "PRAGMA synchronous = NORMAL",
        Durability::Flushed => "PRAGMA synchronous = FULL",
    })?;
    execute("BEGIN IMMEDIATE")?;
    fail_point!(
        TransactionBegun,
        Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            None
        )
        .into())
    );
    for job in jobs {
        execute("SAVEPOINT job")?;
        if let Err(error) = job.run(connection) {
            if connection.is_autocommit() {
                // The database gave up the whole transaction, as it does when
                // the disk is full.
                return Err(error.into());
            }
            execute("ROLLBACK TO job")?;
        }
        execute("RELEASE job")?;
    }
    fail_point!(TransactionFilled);
    execute("COMMIT")?;
    fail_point!(TransactionCommitted);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn numbers() -> (tempfile::TempDir, Arc<Writer>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers.db");
        let connection = super::super::connection::writer(&path).unwrap();
        super::super::connection::prepare_to_write(&connection, &path).unwrap();
        connection
            .execute_batch("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT")
            .unwrap();
        (
            directory,
            Arc::new(Writer::start(connection, &path).unwrap()),
        )
    }

    async fn insert(writer: &Writer, number: i64) -> Result<(), StoreError> {
        writer
            .write(Durability::Flushed, move |connection| {
                connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
                if number % 3 == 0 {
                    return Err(StoreError::Conflict(format!("{number} is refused")).into());
                }
                Ok(())
            })
            .await
    }

    async fn count(writer: &Writer) -> i64 {
        let count = |connection: &Connection| {
            let sql = "SELECT COUNT(*) FROM numbers";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        };
        writer.write(Durability::Later, count).await.unwrap()
    }

    #[tokio::test]
    async fn a_job_that_fails_takes_no_other_with_it() {
        let (_directory, writer) = numbers().await;
        // All wait while the first is run, so that they share transactions.
        let jobs: Vec<_> = (0..300)
            .map(|number| {
                let writer = Arc::clone(&writer);
                tokio::spawn(async move { insert(&writer, number).await })
            })
            .collect();
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap().is_ok(), number % 3 != 0, "{number}");
        }
        assert_eq!(count(&writer).await, 200);
    }

    #[tokio::test]
    async fn a_transaction_that_is_given_up_fails_all_its_jobs_and_the_next_goes_on() {
        let (_directory, writer) = numbers().await;
        let give_up = |connection: &Connection| {
            connection.execute_batch("INSERT INTO numbers VALUES (1); ROLLBACK")?;
            Err::<(), _>(StoreError::Unavailable("the disk is full".to_owned()).into())
        };
        let error = writer
            .write(Durability::Flushed, give_up)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "the disk is full");
        insert(&writer, 2).await.unwrap();
        assert_eq!(count(&writer).await, 1);
    }

    /// While nothing can be written, only so much is taken on; the rest waits
    /// with whoever brings it.
    #[tokio::test]
    async fn whoever_brings_more_than_can_wait_waits() {
        let (_directory, writer) = numbers().await;
        let other = super::super::connection::writer(&writer.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let jobs: Vec<_> = (0..3 * (QUEUE + GROUP))
            .map(|number| {
                let writer = Arc::clone(&writer);
                let number = 3 * i64::try_from(number).unwrap() + 1;
                tokio::spawn(async move { insert(&writer, number).await })
            })
            .collect();
        while writer.jobs.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        // Many rounds later, nobody else was let in.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(writer.jobs.capacity(), 0);
        assert!(jobs.iter().all(|job| !job.is_finished()));

        other.execute_batch("COMMIT").unwrap();
        let count_of_jobs = jobs.len();
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        assert_eq!(count(&writer).await, i64::try_from(count_of_jobs).unwrap());
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_when_there_is_room_it_goes_on() {
        let (_directory, writer) = numbers().await;
        insert(&writer, 1).await.unwrap();
        let pages = |pages: u32| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            let limit = move |connection: &Connection| Ok(connection.execute_batch(&pragma)?);
            writer.write(Durability::Later, limit)
        };
        let many = || {
            let insert = |connection: &Connection| {
                for number in 1_000..20_000 {
                    connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
                }
                Ok(())
            };
            writer.write(Durability::Flushed, insert)
        };
        // As many as there are: SQLite takes no fewer.
        pages(1).await.unwrap();
        let error = many().await.unwrap_err();
        assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
        assert!(error.to_string().contains("free some space"), "{error}");
        // What fits is still taken, and nothing of what did not is there.
        insert(&writer, 2).await.unwrap();
        assert_eq!(count(&writer).await, 2);
        pages(10_000).await.unwrap();
        many().await.unwrap();
        assert_eq!(count(&writer).await, 19_002);
    }

    #[tokio::test]
    async fn after_a_panic_everybody_is_told() {
        let (_directory, writer) = numbers().await;
        let panic = |_: &Connection| -> Result<(), Failure> { panic!("on purpose") };
        assert!(writer.write(Durability::Flushed, panic).await.is_err());
        let error = insert(&writer, 1).await.unwrap_err();
        assert!(error.to_string().contains("nothing can be written"));
    }
}
