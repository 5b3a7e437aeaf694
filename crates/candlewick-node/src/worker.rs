//! A thread with an engine of its own. Jobs wait in line for it, so nothing that JavaScript calls ever waits, and two calls
//! at once cannot meet in the same parameters.

use crate::errors::{internal, to_js};
use candlewick::engine::{Engine, Progress};
use candlewick::{Code, Error, Result};
use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// Called with the engine, or with nothing when there will be none.
type Job = Box<dyn FnOnce(Option<&mut dyn Engine>) + Send>;

/// Turns a result into what JavaScript gets, on JavaScript's thread.
type Resolver<R> = Box<dyn FnOnce(Env) -> napi::Result<R>>;

/// Where jobs for an engine go. Its thread ends when the last job is done after the last sender is gone, or, with the
/// JavaScript environment that it belongs to, within a batch.
pub struct Worker {
    jobs: Sender<Job>,
    shutdown: Arc<Shutdown>,
}

/// The end of the JavaScript environment, as the engine's thread sees it.
#[derive(Default)]
struct Shutdown {
    begun: AtomicBool,
    running: Mutex<Option<Arc<Progress>>>,
}

impl Worker {
    /// Makes an engine on a new thread; the promise resolves to what `wrap` makes of it and its worker.
    pub fn start<'env, R: ToNapiValue + 'static>(
        env: &'env Env,
        make: impl FnOnce() -> Result<Box<dyn Engine>> + Send + 'static,
        wrap: impl FnOnce(Env, Worker, usize) -> napi::Result<R> + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let (begin, begun) = mpsc::channel::<Box<dyn FnOnce() -> Option<Box<dyn Engine>> + Send>>();
        let shutdown = Arc::new(Shutdown::default());
        let ending = shutdown.clone();
        let run = move || {
            let Some(mut engine) = begun.recv().ok().and_then(|make| make()) else { return };
            for job in waiting {
                job((!ending.begun()).then_some(engine.as_mut()));
            }
        };
        // The promise is made after the thread: one that nobody settles would keep the process alive.
        std::thread::Builder::new().name("candlewick-engine".into()).spawn(run).map_err(no_thread)?;
        let (deferred, promise) = env.create_deferred::<R, Resolver<R>>()?;
        env.add_env_cleanup_hook(shutdown.clone(), |shutdown| shutdown.begin())?;
        let make = move || match guarded(make) {
            Ok(engine) => {
                let size = engine.size();
                deferred.resolve(Box::new(move |env| wrap(env, Worker { jobs, shutdown }, size)));
                Some(engine)
            }
            Err(error) => {
                deferred.reject(to_js(error));
                None
            }
        };
        begin.send(Box::new(make)).map_err(|_| to_js(internal("the engine's thread has ended")))?;
        Ok(promise)
    }

    /// Puts `job` in line; the promise resolves to what `convert` makes of its result.
    pub fn submit<'env, T: Send + 'static, R: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        job: impl FnOnce(&mut dyn Engine) -> Result<T> + Send + 'static,
        convert: impl FnOnce(T) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred::<R, Resolver<R>>()?;
        let run: Job = Box::new(move |engine| {
            let result = match engine {
                Some(engine) => guarded(|| job(engine)),
                None => Err(internal("the engine's thread has ended")),
            };
            match result {
                Ok(value) => deferred.resolve(Box::new(move |_| Ok(convert(value)))),
                Err(error) => deferred.reject(to_js(error)),
            }
        });
        if let Err(unsent) = self.jobs.send(run) {
            (unsent.0)(None);
        }
        Ok(promise)
    }

    /// As [`Worker::submit`], for long work, which ends with the environment.
    pub fn submit_long<'env, T: Send + 'static, R: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        progress: Arc<Progress>,
        job: impl FnOnce(&mut dyn Engine, &Progress) -> Result<T> + Send + 'static,
        convert: impl FnOnce(T) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let shutdown = self.shutdown.clone();
        let job = move |engine: &mut dyn Engine| {
            shutdown.watch(Some(progress.clone()));
            let result = job(engine, &progress);
            shutdown.watch(None);
            result
        };
        self.submit(env, job, convert)
    }
}

impl Shutdown {
    fn begin(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.begun.store(true, Ordering::Relaxed);
        if let Some(progress) = &*running {
            progress.cancel();
        }
    }

    fn begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// What to cancel at the end of the environment.
    fn watch(&self, progress: Option<Arc<Progress>>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(progress)) = (self.begun(), &progress) {
            progress.cancel();
        }
        *running = progress;
    }
}

fn no_thread(reason: std::io::Error) -> napi::Error {
    let message = format!("the system gives no thread to run the network on ({reason}); use fewer networks at once");
    to_js(Error::new(Code::OutOfMemory, message))
}

/// No panic crosses into JavaScript: it becomes an error.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(describe(panic)))
}

fn describe(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    internal(text.unwrap_or("panic"))
}
