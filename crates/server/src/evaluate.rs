//! The pool that evaluates rules: threads of its own, so that people's queries never delay them.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// Something to compute.
type Job = Box<dyn FnOnce() + Send>;

/// A few threads that take jobs from one queue. They end when the pool is dropped.
pub(crate) struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(n_threads: usize) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for idx in 0..n_threads {
            let queue = Arc::clone(&queue);
            let name = format!("evaluate-{idx}");
            std::thread::Builder::new()
                .name(name)
                .spawn(move || work(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Queues a job.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The threads live as long as the pool: somebody listens.
        let _ = self.jobs.send(Box::new(job));
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
