//! The one thread that writes: everything that has come together is one commit.

use super::inbox::{Inbox, Write};
use super::record::after;
use super::{Durability, StoreError};
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// Memory for pages, in bytes: nothing is read but at the start.
const CACHE: usize = 16 * 1024 * 1024;

/// A file that is synced only where an answer promises it.
#[derive(Debug)]
struct Backend {
    file: FileBackend,
    durability: Durability,
    #[cfg(test)]
    full: Arc<std::sync::atomic::AtomicBool>,
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.durability {
            Durability::Disk => Ok(()),
            Durability::Durable => self.file.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if self.full.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

pub(super) struct Writer {
    path: PathBuf,
    durability: Durability,
    /// `None`: it has to be opened again after a failure.
    database: Option<Database>,
    /// What is not committed yet, in order.
    owed: Vec<Write>,
    /// Says that there is no room, for tests.
    #[cfg(test)]
    pub full: Arc<std::sync::atomic::AtomicBool>,
}

impl Writer {
    pub fn open(path: PathBuf, durability: Durability) -> Result<Self, StoreError> {
        let mut writer = Self {
            path,
            durability,
            database: None,
            owed: Vec::new(),
            #[cfg(test)]
            full: Arc::default(),
        };
        let opened = writer.database();
        let opened = opened.map(|database| writer.database = Some(database));
        opened.map_err(|error| writer.unreadable(error))?;
        Ok(writer)
    }

    fn database(&self) -> Result<Database, redb::Error> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&self.path)?;
        let backend = Backend {
            file: FileBackend::new(file)?,
            durability: self.durability,
            #[cfg(test)]
            full: self.full.clone(),
        };
        Ok(Database::builder().set_cache_size(CACHE).create_with_backend(backend)?)
    }

    fn unreadable(&self, error: impl Into<redb::Error>) -> StoreError {
        match error.into() {
            redb::Error::Io(source) if source.kind() != io::ErrorKind::InvalidData => {
                StoreError::Io { path: self.path.clone(), source }
            }
            error => StoreError::Unreadable { path: self.path.clone(), why: error.to_string() },
        }
    }

    /// Everything there is.
    pub fn read(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        let Some(database) = &self.database else { return Ok(BTreeMap::new()) };
        read_all(database).map_err(|error| self.unreadable(error))
    }

    pub fn start(self, inbox: Arc<Inbox>) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("store".into()).spawn(move || self.run(&inbox))
    }

    fn run(mut self, inbox: &Inbox) {
        let _ended = Ended(inbox);
        while let Some((writes, number)) = inbox.next(!self.owed.is_empty()) {
            self.owed.extend(writes);
            match self.commit() {
                Ok(()) => {
                    inbox.report(number, None);
                    self.unlink();
                }
                Err(error) => {
                    // After an error of the file it takes nothing any more.
                    self.database = None;
                    inbox.report(number, Some(error.to_string().into()));
                }
            }
        }
    }

    fn commit(&mut self) -> Result<(), redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => self.database()?,
        };
        apply(&database, &self.owed)?;
        self.database = Some(database);
        Ok(())
    }

    /// Nothing points at these any more.
    fn unlink(&mut self) {
        for write in self.owed.drain(..) {
            if let Write::Unlink(path) = write {
                // What cannot be removed now is an orphan at the next start.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// However the writer ends, nobody waits for it afterwards.
struct Ended<'a>(&'a Inbox);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn read_all(database: &Database) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, redb::Error> {
    let table = match database.begin_read()?.open_table(TABLE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let mut all = BTreeMap::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        all.insert(key.value().to_vec(), value.value().to_vec());
    }
    Ok(all)
}

fn apply(database: &Database, writes: &[Write]) -> Result<(), redb::Error> {
    let change = database.begin_write()?;
    {
        let mut table = change.open_table(TABLE)?;
        for write in writes {
            match write {
                Write::Put(key, value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                Write::Remove(key) => drop(table.remove(key.as_slice())?),
                Write::Clear(prefix) => {
                    let end = after(prefix);
                    table.retain_in(prefix.as_slice()..end.as_slice(), |_, _| false)?;
                }
                Write::Unlink(_) => {}
            }
        }
    }
    Ok(change.commit()?)
}
