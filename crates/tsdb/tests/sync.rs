//! Threads that want their samples durable at the same time share the work of the disk.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use common::{batch, dump, open};
use firebell_disk::{Disk, DiskError, MemoryDisk};
use firebell_tsdb::{Options, Store};

/// A disk on which a sync waits until it is let through.
#[derive(Clone, Default)]
struct SlowDisk {
    files: MemoryDisk,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Default)]
struct Gate {
    is_shut: bool,
    is_broken: bool,
    n_begun: usize,
}

impl SlowDisk {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.0.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Gate)) {
        change(&mut self.gate());
        self.gate.1.notify_all();
    }

    fn wait_until(&self, is_so: impl Fn(&Gate) -> bool) {
        let gate = self.gate.1.wait_while(self.gate(), |gate| !is_so(gate));
        drop(gate.unwrap());
    }
}

impl Disk for SlowDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files.append(path, bytes)
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        self.change(|gate| gate.n_begun += 1);
        self.wait_until(|gate| !gate.is_shut);
        if self.gate().is_broken {
            return Err(DiskError {
                action: "sync",
                path: path.to_owned(),
                why: "input/output error".to_owned(),
                is_not_found: false,
                is_full: false,
            });
        }
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.files.read(path)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files.replace(path, bytes)
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.files.truncate(path, len)
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.files.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.files.list(folder)
    }
}

fn slow() -> (SlowDisk, Store) {
    let disk = SlowDisk::default();
    let (store, _) = Store::open(Arc::new(disk.clone()), Options::default()).unwrap();
    (disk, store)
}

#[test]
fn those_who_wait_for_a_sync_share_the_next_one() {
    let (disk, store) = slow();
    let n_before = disk.gate().n_begun;
    let n_appended = AtomicUsize::new(0);
    let write = |n: usize| {
        let name = format!("a={n}");
        store.append(&batch(&[(&name, 1000, 1.0)])).unwrap();
        n_appended.fetch_add(1, Ordering::Release);
        store.sync().unwrap();
    };
    disk.change(|gate| gate.is_shut = true);
    std::thread::scope(|scope| {
        scope.spawn(|| write(0));
        disk.wait_until(|gate| gate.n_begun > n_before);
        // Appends go on while the disk is busy.
        for n in 1..=8 {
            let write = &write;
            scope.spawn(move || write(n));
        }
        while n_appended.load(Ordering::Acquire) < 9 {
            std::thread::yield_now();
        }
        disk.change(|gate| gate.is_shut = false);
    });
    assert_eq!(disk.gate().n_begun - n_before, 2);
    store.sync().unwrap();
    assert_eq!(disk.gate().n_begun - n_before, 2);
    let found = dump(&open(&disk.files, &Options::default()).view());
    assert_eq!(found, dump(&store.view()));
}

#[test]
fn a_sync_that_fails_is_tried_again_by_the_next_one() {
    let (disk, store) = slow();
    store.append(&batch(&[("a=1", 1000, 1.0)])).unwrap();
    disk.change(|gate| gate.is_broken = true);
    store.sync().unwrap_err();
    store.sync().unwrap_err();
    assert_eq!(store.trouble(), None);
    disk.change(|gate| gate.is_broken = false);
    let n_before = disk.gate().n_begun;
    store.sync().unwrap();
    assert_eq!(disk.gate().n_begun - n_before, 1);
}
