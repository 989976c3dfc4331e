//! What the compiler cannot check: shared memory, what a fork does to it, and signals of a thread.
//!
//! *Invariants*: memory that was mapped stays mapped, at its place, for as long as the process lives;
//! it is only ever read and written as atomic words. So a reference to it is good for ever, and two
//! threads that meet there at worst see each other's numbers.
#![expect(
    unsafe_code,
    reason = "mappings, fork handlers and signal masks have no safe form; each use says why it holds"
)]

use std::fs::File;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous};

/// Memory of the process, private until a file is put beneath it.
///
/// In a forked child it is all zeros again, and private, before the child runs a line of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    words: &'static [AtomicU64],
}

impl Region {
    /// Memory of zeros; pages cost nothing until they are touched. `n_words` is rounded up to pages.
    ///
    /// # Errors
    /// There is no address space for it.
    pub(crate) fn new(n_words: usize) -> io::Result<Self> {
        let len = (n_words * 8).next_multiple_of(PAGE_BYTES);
        // SAFETY: the kernel chooses a free place; nothing else refers to it.
        let at = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        // SAFETY: `at` is page-aligned, `len` bytes long, zeroed, and never unmapped; every bit
        // pattern is an `AtomicU64`.
        let words = unsafe { std::slice::from_raw_parts(at.cast::<AtomicU64>(), len / 8) };
        Ok(Self { words })
    }

    /// The words, good for ever.
    pub(crate) fn words(self) -> &'static [AtomicU64] {
        self.words
    }

    /// Puts a file beneath the beginning: `len` bytes, whole pages, all of them allocated on disk.
    /// What stood there is gone from memory; the file's content is seen instead.
    ///
    /// # Errors
    /// The kernel refuses; everything is as before.
    pub(crate) fn put_file_beneath(self, file: &File, len: usize) -> io::Result<()> {
        assert!(len <= self.words.len() * 8 && len.is_multiple_of(PAGE_BYTES));
        // SAFETY: replaces pages of this mapping only (asserted above), which are used as atomic
        // words alone; those that look meanwhile see the old or the new content.
        unsafe {
            mmap(
                self.words.as_ptr().cast_mut().cast(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                file,
                0,
            )
        }?;
        // Nothing is read from the disk: whoever touches a page does not want megabytes around it.
        // SAFETY: exactly the pages that were mapped above; it is a hint, no content changes.
        let _ = unsafe { madvise(self.words.as_ptr().cast_mut().cast(), len, Advice::Random) };
        SHARED_LEN.store(len, Ordering::Release);
        SHARED_AT.store(self.words.as_ptr().cast_mut(), Ordering::Release);
        Ok(())
    }
}

/// A place for a value that lives for ever and may be replaced; old values are never freed, since
/// somebody may still look at them.
#[derive(Debug)]
pub(crate) struct Place<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Place<T> {
    pub(crate) const fn empty() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: what is not null came from `Box::leak` in `put`, and is never freed or written.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn put(&self, value: T) -> &'static T {
        let value: &'static mut T = Box::leak(Box::new(value));
        let at: *mut T = value;
        self.0.store(at, Ordering::Release);
        // SAFETY: just leaked, and only shared from here on.
        unsafe { &*at }
    }
}

/// Has `in_child` called in every forked child, after the shared memory was taken from it.
///
/// It must do no more than store atomics: other threads may have held any lock when the fork came.
pub(crate) fn at_fork(in_child: fn()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        IN_CHILD.store(in_child as *mut (), Ordering::Release);
        // SAFETY: `child` is a function of this library, which is never unloaded (Python does not
        // unload extensions), and does only what a fork handler may.
        unsafe { pthread_atfork(None, None, Some(child)) };
    });
}

/// Holds a file open for its lock until the process ends; a forked child closes its copy, since
/// the lock would outlive the parent otherwise.
pub(crate) fn hold(file: OwnedFd) {
    let before = HELD.swap(file.into_raw_fd(), Ordering::AcqRel);
    close(before);
}

/// Signals go to the other threads: those of the app are interrupted by them, as they expect.
pub(crate) fn block_signals() {
    // SAFETY: plain calls on a set of our own; a failure leaves the mask as it was.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut());
    }
}

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> libc::c_int;
}

/// The first thing that a forked child does. No allocation, no lock.
extern "C" fn child() {
    close(HELD.swap(-1, Ordering::AcqRel));
    let at = SHARED_AT.swap(ptr::null_mut(), Ordering::AcqRel);
    if !at.is_null() {
        // SAFETY: exactly the pages that `put_file_beneath` replaced; anonymous memory cannot fail to
        // be put over them but for want of memory, and then the file stays, as the parent's.
        let _ = unsafe {
            mmap_anonymous(
                at.cast(),
                SHARED_LEN.load(Ordering::Acquire),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
            )
        };
    }
    let in_child = IN_CHILD.load(Ordering::Acquire);
    if !in_child.is_null() {
        // SAFETY: stored by `at_fork` from a `fn()`.
        let in_child = unsafe { std::mem::transmute::<*mut (), fn()>(in_child) };
        in_child();
    }
}

fn close(fd: i32) {
    if fd >= 0 {
        // SAFETY: the descriptor came from `hold`, which owned it, and was taken out of `HELD`.
        unsafe { libc::close(fd) };
    }
}

/// Pages of every system that this runs on divide it.
pub(crate) const PAGE_BYTES: usize = 65_536;

static HELD: AtomicI32 = AtomicI32::new(-1);
static SHARED_AT: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
static SHARED_LEN: AtomicUsize = AtomicUsize::new(0);
static IN_CHILD: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
