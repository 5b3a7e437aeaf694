//! The end of a JavaScript environment: its work stops, and with the last one the threads end, while there is still a process for
//! them to end in. Windows stops threads that are left in whatever they do, and may crash of that.

use crate::line;
use crate::runners;
use candlewick::engine::end_idle_threads;
use napi::Env;
use napi::bindgen_prelude::{FnArgs, Function, JsObjectValue, Object, Unknown};
use napi_derive::napi;
use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the end of a process waits for work that cannot stop at once, such as a batch.
const PATIENCE: Duration = Duration::from_secs(1);

static ENVIRONMENTS: Mutex<usize> = Mutex::new(0);

thread_local! {
    /// Whether the environment that runs on this thread is one of them. It may load the addon many times, as jest does.
    static COUNTS: Cell<bool> = const { Cell::new(false) };
}

#[napi(module_exports)]
pub fn begin(_exports: Object, env: Env) -> napi::Result<()> {
    if COUNTS.replace(true) {
        return Ok(());
    }
    {
        let mut environments = ENVIRONMENTS.lock().unwrap_or_else(PoisonError::into_inner);
        *environments += 1;
        runners::begin(); // while none can end
    }
    crate::memory::keep_little();
    env.add_env_cleanup_hook((), |()| end())?;
    end_on_exit(&env)
}

type Ending<'env> = Function<'env, (), ()>;

/// process.exit() calls no hook of the main thread's.
fn end_on_exit(env: &Env) -> napi::Result<()> {
    let global = env.get_global()?;
    if !global.has_named_property("process")? {
        return Ok(()); // not Node
    }
    let process: Object = global.get_named_property("process")?;
    let end: Ending = env.create_function_from_closure("endCandlewick", |_| {
        end();
        Ok(())
    })?;
    let once: Function<FnArgs<(&str, Ending)>, Unknown> = process.get_named_property("once")?;
    once.apply(process, ("exit", end).into()).map(drop)
}

fn end() {
    line::end_all();
    if !COUNTS.replace(false) {
        return;
    }
    let mut environments = ENVIRONMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    *environments -= 1;
    if *environments > 0 {
        return;
    }
    runners::stop(); // while none can begin
    drop(environments);
    runners::await_end(Instant::now() + PATIENCE);
    end_idle_threads();
}
