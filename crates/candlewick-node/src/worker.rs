//! A thread with an engine of its own. Jobs wait in line for it, so nothing that JavaScript calls ever waits, and two calls
//! at once cannot meet in the same parameters.

use crate::errors::{internal, to_js};
use candlewick::engine::Engine;
use candlewick::{Error, Result};
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsDeferred};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};

type Job = Box<dyn FnOnce(&mut dyn Engine) + Send>;

/// Turns a result into what JavaScript gets, on JavaScript's thread.
type Resolver<R> = Box<dyn FnOnce(Env) -> napi::Result<R>>;

/// Where jobs for an engine go. The thread ends when the last sender is gone and the last job is done.
#[derive(Clone)]
pub struct Worker(Sender<Job>);

impl Worker {
    /// Makes an engine on a new thread; the promise resolves to what `wrap` makes of its worker.
    pub fn start<E: Engine, R: ToNapiValue + 'static>(
        env: Env,
        make: impl FnOnce() -> Result<E> + Send + 'static,
        wrap: impl FnOnce(Worker) -> R + Send + 'static,
    ) -> napi::Result<Object<'static>> {
        let (deferred, promise) = deferred::<R>(env)?;
        let (sender, jobs) = mpsc::channel::<Job>();
        let run = move || match guarded(make) {
            Ok(mut engine) => {
                deferred.resolve(Box::new(move |_| Ok(wrap(Worker(sender)))));
                for job in jobs {
                    job(&mut engine);
                }
            }
            Err(error) => deferred.reject(to_js(error)),
        };
        let thread = std::thread::Builder::new().name("candlewick-engine".into());
        thread.spawn(run).map_err(|e| to_js(internal(&format!("no thread: {e}"))))?;
        Ok(promise)
    }

    /// Puts `job` in line; the promise resolves to what `convert` makes of its result.
    pub fn submit<T: Send + 'static, R: ToNapiValue + 'static>(
        &self,
        env: Env,
        job: impl FnOnce(&mut dyn Engine) -> Result<T> + Send + 'static,
        convert: impl FnOnce(T) -> R + Send + 'static,
    ) -> napi::Result<Object<'static>> {
        let (deferred, promise) = deferred::<R>(env)?;
        let run: Job = Box::new(move |engine| match guarded(|| job(engine)) {
            Ok(value) => deferred.resolve(Box::new(move |_| Ok(convert(value)))),
            Err(error) => deferred.reject(to_js(error)),
        });
        self.0.send(run).map_err(|_| to_js(internal("the engine's thread has ended")))?;
        Ok(promise)
    }
}

fn deferred<R: ToNapiValue + 'static>(env: Env) -> napi::Result<(JsDeferred<R, Resolver<R>>, Object<'static>)> {
    let (deferred, promise) = env.create_deferred::<R, Resolver<R>>()?;
    // The object is a handle of the call that we are in; it goes straight back to JavaScript.
    Ok((deferred, Object::from_raw(env.raw(), napi::JsValue::raw(&promise))))
}

/// No panic crosses into JavaScript: it becomes an error.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(describe(panic)))
}

fn describe(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    internal(text.unwrap_or("panic"))
}
