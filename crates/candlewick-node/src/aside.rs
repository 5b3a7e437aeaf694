//! Work off the event loop that no engine takes part in.

use crate::errors::to_js;
use crate::line::guarded;
use crate::runners;
use candlewick::Result;
use candlewick::memory::no_thread;
use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};

/// Runs `work`; the promise resolves to what `convert` makes of its result, on JavaScript's thread.
pub fn run<'env, T: Send + 'static, R: ToNapiValue + 'static>(
    env: &'env Env,
    work: impl FnOnce() -> Result<T> + Send + 'static,
    convert: impl FnOnce(T) -> R + Send + 'static,
) -> napi::Result<Object<'env>> {
    make(env, work, |_, done| Ok(convert(done)))
}

/// As [`run`], for what JavaScript's environment takes part in.
pub fn make<'env, T: Send + 'static, R: ToNapiValue + 'static>(
    env: &'env Env,
    work: impl FnOnce() -> Result<T> + Send + 'static,
    convert: impl FnOnce(&Env, T) -> napi::Result<R> + Send + 'static,
) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred::<R, Box<dyn FnOnce(Env) -> napi::Result<R>>>()?;
    runners::run(Box::new(move |thread| {
        let done = thread.map_err(|reason| no_thread(&reason)).and_then(|()| guarded(work));
        deferred.resolve(Box::new(move |env| done.map_err(to_js).and_then(|done| convert(&env, done))));
    }));
    Ok(promise)
}
