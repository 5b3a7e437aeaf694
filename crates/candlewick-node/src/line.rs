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
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Called with the engine, or with the reason why there is none.
type Job = Box<dyn FnOnce(Result<&mut dyn Engine>) + Send>;

/// Turns a result into what JavaScript gets, on JavaScript's thread.
type Resolver<R> = Box<dyn FnOnce(Env) -> napi::Result<R>>;

/// Where jobs for an engine go. The engine goes when this is closed or dropped and the jobs before are done.
pub struct Line(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    told: Mutex<Told>,
}

/// What the garbage collector has been told the engine holds.
#[derive(Default)]
struct Told {
    bytes: i64,
    /// The latest measurement that it was told of: promises may be settled in another order than jobs end.
    number: u64,
    /// Whether JavaScript has let go of the engine, which is to count no more.
    is_over: bool,
}

/// What the engine held after a job.
#[derive(Clone, Copy)]
struct Measured {
    bytes: usize,
    number: u64,
}

thread_local! {
    /// The lines of the environment that runs on this thread, to be ended with it.
    static LINES: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
}

/// A job in line.
struct Waiting {
    job: Job,
    place: Place,
}

/// How a job stands to those before and behind it.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// It may change the parameters, or what else others see: nobody passes it.
    Writes,
    /// It changes nothing.
    Reads,
    /// A part of long work that gives way: it passes all but a few of those that read.
    GivesWay,
}

/// Jobs that come between two parts of work that gives way, however many wait. With the time that they take, which the work then
/// has as well, a flood of predictions takes no more than half of a training's time.
const BETWEEN: usize = 8;

/// As long as the work goes on before it gives way again, at most.
const LONGEST: Duration = Duration::from_millis(250);

#[derive(Default)]
struct State {
    /// Not here while a job has it.
    engine: Option<Box<dyn Engine>>,
    waiting: VecDeque<Waiting>,
    /// Whether a thread is at work on the line.
    is_running: bool,
    /// Why no more jobs are taken, if none are.
    closed: Option<Error>,
    /// Whether long work in line is cancelled.
    is_cancelled: bool,
    /// Whether all that is in line is refused.
    is_over: bool,
    /// Jobs that were measured.
    measured: u64,
    /// To be called when the engine is gone.
    farewells: Vec<Box<dyn FnOnce() + Send>>,
    /// Long work that runs, to be cancelled when the line is closed.
    running: Option<Arc<Long>>,
    /// Time that other jobs have had since work paused that gives way.
    served: Duration,
}

/// Long work.
#[derive(Default)]
pub struct Long {
    pub progress: Progress,
    /// Whether it pauses where other work waits. Who asked for it then asks for the rest, which is again the last in line: so nothing
    /// that changes parameters may wait.
    pub gives_way: bool,
}

impl Line {
    /// Makes an engine; the promise resolves to what `wrap` makes of its line.
    pub fn start<'env, R: ToNapiValue + 'static>(
        env: &'env Env,
        make: impl FnOnce() -> Result<Box<dyn Engine>> + Send + 'static,
        wrap: impl FnOnce(Line) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let shared = Arc::new(Shared { state: Mutex::default(), told: Mutex::default() });
        end_with_environment(&shared);
        let (deferred, promise) = env.create_deferred::<R, Resolver<R>>()?;
        runners::run(Box::new(move |thread| {
            let made = thread.map_err(|reason| no_thread(&reason)).and_then(|()| guarded(make));
            let measured = made.as_ref().ok().map(|engine| shared.measure(engine.size()));
            let made = made.map(|engine| shared.state().engine = Some(engine));
            settle(deferred, made, shared.clone(), measured, |()| wrap(Line(shared)));
        }));
        Ok(promise)
    }

    /// Puts `job` in line; the promise resolves to what `convert` makes of its result.
    pub fn submit<'env, T: Send + 'static, R: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        place: Place,
        job: impl FnOnce(&mut dyn Engine) -> Result<T> + Send + 'static,
        convert: impl FnOnce(T) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred::<R, Resolver<R>>()?;
        let shared = self.0.clone();
        let job = Box::new(move |engine: Result<&mut dyn Engine>| {
            let (done, measured) = match engine {
                Ok(engine) => (guarded(|| job(engine)), Some(shared.measure(engine.size()))),
                Err(reason) => (Err(reason), None),
            };
            settle(deferred, done, shared, measured, convert);
        });
        self.0.push(Waiting { job, place });
        Ok(promise)
    }

    /// As [`Line::submit`], for long work, which ends with the line.
    pub fn submit_long<'env, T: Send + 'static, R: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        long: Arc<Long>,
        job: impl FnOnce(&mut dyn Engine, &Progress) -> Result<T> + Send + 'static,
        convert: impl FnOnce(T) -> R + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let place = if long.gives_way { Place::GivesWay } else { Place::Reads };
        let shared = self.0.clone();
        let job = move |engine: &mut dyn Engine| {
            shared.watch(Some(long.clone()));
            let result = guarded(|| job(engine, &long.progress));
            let closed = shared.watch(None);
            result.map_err(|error| closed.filter(|_| error.code == Code::Cancelled).unwrap_or(error))
        };
        self.submit(env, place, job, convert)
    }

    /// Takes no more jobs, and ends long work if `reason` is one for that; the promise resolves when the jobs in line are done
    /// and the engine is gone.
    pub fn close<'env>(&self, env: &'env Env, reason: Closing) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred::<(), Resolver<()>>()?;
        let shared = self.0.clone();
        let farewell = move || {
            let measured = Some(shared.measure(0));
            settle(deferred, Ok(()), shared, measured, |()| ());
        };
        self.0.close(reason, Some(Box::new(farewell)));
        Ok(promise)
    }

    /// JavaScript has let go of the engine: the garbage collector is to count its memory no more.
    pub fn forget(&self, env: &Env) -> napi::Result<()> {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_over = true;
        env.adjust_external_memory(-std::mem::take(&mut told.bytes)).map(drop)
    }
}

impl Drop for Line {
    /// Giving back an engine's memory may take long, so another thread does it.
    fn drop(&mut self) {
        self.0.close(Closing::Replaced, None);
    }
}

/// Why a line takes no more jobs.
pub enum Closing {
    /// Nobody will use the engine any more, but what is in line is done.
    Replaced,
    /// It was disposed of: long work ends.
    Disposed,
}

impl Closing {
    fn error(&self) -> Error {
        match self {
            Self::Replaced => internal("the engine was replaced"),
            Self::Disposed => {
                Error::new(Code::Disposed, "the network was disposed of; make a new one, or dispose of it later")
            }
        }
    }
}

/// Sees to it that a line ends with the JavaScript environment.
fn end_with_environment(shared: &Arc<Shared>) {
    LINES.with_borrow_mut(|lines| {
        if lines.len() == lines.capacity() {
            lines.retain(|line| line.strong_count() > 0);
        }
        lines.push(Arc::downgrade(shared));
    });
}

/// Ends the lines of the environment that runs on this thread.
pub fn end_all() {
    let lines = LINES.try_with(RefCell::take).unwrap_or_default();
    lines.iter().filter_map(Weak::upgrade).for_each(|shared| shared.end());
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, waiting: Waiting) {
        let mut state = self.state();
        if let Some(reason) = state.closed.clone() {
            drop(state);
            return (waiting.job)(Err(reason));
        }
        let at = state.place_of(waiting.place);
        state.waiting.insert(at, waiting);
        if let Some(running) = &state.running {
            running.progress.give_way(running.gives_way);
        }
        self.go_on(state);
    }

    fn close(self: &Arc<Self>, reason: Closing, farewell: Option<Box<dyn FnOnce() + Send>>) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| reason.error());
        state.farewells.extend(farewell);
        if let Closing::Disposed = reason {
            state.cancel();
        }
        if !state.is_over {
            self.go_on(state);
        }
    }

    /// The JavaScript environment ends: long work that runs stops within a batch, and nothing else begins.
    fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.closed = Some(internal("the environment has ended"));
        state.cancel();
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
            let Some(Waiting { job, place }) = state.waiting.pop_front() else {
                return leave(state);
            };
            let refused = refused.cloned().or_else(|| state.closed.clone().filter(|_| state.is_over));
            let mut engine = state.engine.take();
            drop(state);
            let begun = Instant::now();
            job(match (&mut engine, refused) {
                (_, Some(reason)) => Err(reason),
                (Some(engine), None) => Ok(engine.as_mut()),
                (None, None) => Err(internal("the engine is gone")),
            });
            let mut state = self.state();
            state.engine = engine;
            if place != Place::GivesWay {
                state.served += begun.elapsed();
            }
        }
    }

    /// What to cancel when the line is closed, from now on; why it is, if it is already.
    fn watch(&self, long: Option<Arc<Long>>) -> Option<Error> {
        let mut state = self.state();
        if let Some(Long { progress, gives_way }) = long.as_deref() {
            // What it has given way to came before it in line.
            progress.give_way(*gives_way && !state.waiting.is_empty());
            let served = std::mem::take(&mut state.served);
            progress.hold_out(if *gives_way { served.min(LONGEST) } else { Duration::ZERO });
            if state.is_cancelled {
                progress.cancel();
            }
        }
        state.running = long;
        state.closed.clone()
    }

    fn measure(&self, bytes: usize) -> Measured {
        let mut state = self.state();
        state.measured += 1;
        Measured { bytes, number: state.measured }
    }

    /// Tells the garbage collector what the engine holds now.
    fn tell(&self, env: &Env, measured: Measured) -> napi::Result<()> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_over || measured.number < told.number {
            return Ok(());
        }
        let bytes = i64::try_from(measured.bytes).unwrap_or(i64::MAX);
        let before = std::mem::replace(&mut told.bytes, bytes);
        told.number = measured.number;
        if bytes == before { Ok(()) } else { env.adjust_external_memory(bytes - before).map(drop) }
    }
}

impl State {
    /// Where in line a job goes.
    fn place_of(&self, place: Place) -> usize {
        let len = self.waiting.len();
        let writes = self.waiting.iter().rposition(|waiting| waiting.place == Place::Writes);
        if place == Place::GivesWay { writes.map_or(0, |at| at + 1).max(len.min(BETWEEN)) } else { len }
    }

    /// Ends long work, what runs and what is in line.
    fn cancel(&mut self) {
        self.is_cancelled = true;
        if let Some(long) = &self.running {
            long.progress.cancel();
        }
    }
}

/// The end of the line, for now or for good.
fn leave(mut state: MutexGuard<'_, State>) {
    state.is_running = false;
    state.served = Duration::ZERO;
    if state.closed.is_none() {
        return;
    }
    let (engine, farewells) = (state.engine.take(), std::mem::take(&mut state.farewells));
    drop(state);
    if let Some(engine) = engine {
        drop(engine);
        crate::memory::give_back();
    }
    farewells.into_iter().for_each(|farewell| farewell());
}

/// Settles a promise, and on the way tells the garbage collector how large the engine has become, if there is one: what failed
/// may have made it grow too.
fn settle<T: Send + 'static, R: ToNapiValue + 'static>(
    deferred: JsDeferred<R, Resolver<R>>,
    done: Result<T>,
    shared: Arc<Shared>,
    measured: Option<Measured>,
    convert: impl FnOnce(T) -> R + Send + 'static,
) {
    deferred.resolve(Box::new(move |env| {
        if let Some(measured) = measured {
            shared.tell(&env, measured)?;
        }
        done.map(convert).map_err(to_js)
    }));
}

/// No panic crosses into JavaScript: it becomes an error.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(describe(panic)))
}

fn describe(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    internal(text.unwrap_or("panic"))
}
