//! A line of jobs for one engine. They are done one after the other, off the event loop, so nothing that JavaScript calls ever
//! waits, and two calls at once cannot meet in the same parameters. What a call does is one job: nobody gets in between.

use crate::errors::{internal, to_js};
use crate::runners;
use candlewick::engine::{Engine, Progress};
use candlewick::memory::no_thread;
use candlewick::{Code, Error, Result};
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsDeferred};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Called with the engine, or with the reason why there is none.
type Job = Box<dyn FnOnce(Result<&mut dyn Engine>) + Send>;

/// Turns a result into what JavaScript gets, on JavaScript's thread.
type Resolver<R> = Box<dyn FnOnce(Env) -> napi::Result<R>>;

/// Where jobs for an engine go. The engine goes when this is closed or dropped and the jobs before are done.
pub struct Line(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Bytes that the garbage collector has been told the engine holds; none once JavaScript has let go of it.
    told: Mutex<Option<i64>>,
}

#[derive(Default)]
struct State {
    /// Not here while a job has it.
    engine: Option<Box<dyn Engine>>,
    waiting: VecDeque<Job>,
    /// Whether a thread is at work on the line.
    is_running: bool,
    /// Why no more jobs are taken, if none are.
    closed: Option<Error>,
    /// Whether those in line are refused too.
    is_over: bool,
    /// To be called when the engine is gone.
    farewells: Vec<Box<dyn FnOnce() + Send>>,
    /// Long work that runs, to be cancelled when the line is closed.
    running: Option<Arc<Progress>>,
}

impl Line {
    /// Makes an engine; the promise resolves to what `wrap` makes of its line.
    pub fn start<'env, R: ToNapiValue + 'static>(
        env: &'env Env,
        make: impl FnOnce() -> Result<Box<dyn Engine>> + Send + 'static,
        wrap: impl FnOnce(Line) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let shared = Arc::new(Shared { state: Mutex::default(), told: Mutex::new(Some(0)) });
        env.add_env_cleanup_hook(Arc::downgrade(&shared), |shared| {
            if let Some(shared) = shared.upgrade() {
                shared.end();
            }
        })?;
        let (deferred, promise) = env.create_deferred::<R, Resolver<R>>()?;
        runners::run(Box::new(move |thread| {
            let made = thread.map_err(|reason| no_thread(&reason)).and_then(|()| guarded(make));
            let size = made.as_ref().map_or(0, |engine| engine.size());
            let made = made.map(|engine| shared.state().engine = Some(engine));
            settle(deferred, made, shared.clone(), size, |()| wrap(Line(shared)));
        }));
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
        let shared = self.0.clone();
        self.0.push(Box::new(move |engine| {
            let (done, size) = match engine {
                Ok(engine) => (guarded(|| job(engine)), engine.size()),
                Err(reason) => (Err(reason), 0),
            };
            settle(deferred, done, shared, size, convert);
        }));
        Ok(promise)
    }

    /// As [`Line::submit`], for long work, which ends with the line.
    pub fn submit_long<'env, T: Send + 'static, R: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        progress: Arc<Progress>,
        job: impl FnOnce(&mut dyn Engine, &Progress) -> Result<T> + Send + 'static,
        convert: impl FnOnce(T) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let shared = self.0.clone();
        let job = move |engine: &mut dyn Engine| {
            shared.watch(Some(progress.clone()));
            let result = guarded(|| job(engine, &progress));
            let closed = shared.watch(None);
            result.map_err(|error| closed.filter(|_| error.code == Code::Cancelled).unwrap_or(error))
        };
        self.submit(env, job, convert)
    }

    /// Takes no more jobs and ends long work; the promise resolves when the jobs in line are done and the engine is gone.
    pub fn close<'env>(&self, env: &'env Env, reason: Error) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred::<(), Resolver<()>>()?;
        let shared = self.0.clone();
        self.0.close(reason, Some(Box::new(move || settle(deferred, Ok(()), shared, 0, |()| ()))));
        Ok(promise)
    }

    /// JavaScript has let go of the engine: the garbage collector is to count its memory no more.
    pub fn forget(&self, env: &Env) -> napi::Result<()> {
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        env.adjust_external_memory(-told.unwrap_or(0)).map(drop)
    }
}

impl Drop for Line {
    /// Giving back an engine's memory may take long, so another thread does it.
    fn drop(&mut self) {
        self.0.close(internal("the network is out of reach"), None);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        if let Some(reason) = state.closed.clone() {
            drop(state);
            return job(Err(reason));
        }
        state.waiting.push_back(job);
        self.go_on(state);
    }

    fn close(self: &Arc<Self>, reason: Error, farewell: Option<Box<dyn FnOnce() + Send>>) {
        let mut state = self.state();
        state.closed.get_or_insert(reason);
        state.farewells.extend(farewell);
        if let Some(progress) = &state.running {
            progress.cancel();
        }
        if !state.is_over {
            self.go_on(state);
        }
    }

    /// The JavaScript environment ends: what runs stops within a batch, and nothing else begins.
    fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.closed = Some(internal("the environment has ended"));
        if let Some(progress) = &state.running {
            progress.cancel();
        }
    }

    /// Sees to it that a thread is at work.
    fn go_on(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if std::mem::replace(&mut state.is_running, true) {
            return;
        }
        drop(state);
        let shared = self.clone();
        runners::run(Box::new(move |thread| shared.work(thread.err().map(|reason| no_thread(&reason)).as_ref())));
    }

    /// Does the jobs in line, or refuses them all; at the end of a closed line lets go of the engine.
    fn work(&self, refused: Option<&Error>) {
        loop {
            let mut state = self.state();
            let Some(job) = state.waiting.pop_front() else {
                return leave(state);
            };
            let refused = refused.cloned().or_else(|| state.closed.clone().filter(|_| state.is_over));
            let mut engine = state.engine.take();
            drop(state);
            job(match (&mut engine, refused) {
                (_, Some(reason)) => Err(reason),
                (Some(engine), None) => Ok(engine.as_mut()),
                (None, None) => Err(internal("the engine is gone")),
            });
            self.state().engine = engine;
        }
    }

    /// What to cancel when the line is closed, from now on; why it is, if it is already.
    fn watch(&self, progress: Option<Arc<Progress>>) -> Option<Error> {
        let mut state = self.state();
        if let (true, Some(progress)) = (state.closed.is_some(), &progress) {
            progress.cancel();
        }
        state.running = progress;
        state.closed.clone()
    }

    /// Tells the garbage collector what the engine holds now.
    fn tell(&self, env: &Env, size: usize) -> napi::Result<()> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = *told else { return Ok(()) };
        let now = i64::try_from(size).unwrap_or(i64::MAX);
        *told = Some(now);
        if now == before { Ok(()) } else { env.adjust_external_memory(now - before).map(drop) }
    }
}

/// The end of the line, for now or for good.
fn leave(mut state: MutexGuard<'_, State>) {
    state.is_running = false;
    if state.closed.is_none() {
        return;
    }
    let (engine, farewells) = (state.engine.take(), std::mem::take(&mut state.farewells));
    drop(state);
    drop(engine);
    farewells.into_iter().for_each(|farewell| farewell());
}

/// Settles a promise, and on the way tells the garbage collector how large the engine has become.
fn settle<T: Send + 'static, R: ToNapiValue + 'static>(
    deferred: JsDeferred<R, Resolver<R>>,
    done: Result<T>,
    shared: Arc<Shared>,
    size: usize,
    convert: impl FnOnce(T) -> R + Send + 'static,
) {
    match done {
        Ok(value) => deferred.resolve(Box::new(move |env| {
            shared.tell(&env, size)?;
            Ok(convert(value))
        })),
        Err(error) => deferred.reject(to_js(error)),
    }
}

/// No panic crosses into JavaScript: it becomes an error.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(describe(panic)))
}

fn describe(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    internal(text.unwrap_or("panic"))
}
