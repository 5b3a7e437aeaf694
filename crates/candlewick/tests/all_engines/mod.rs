//! Every engine that there is without a GPU, for tests.

use candle_core::{DType, Device};
use candlewick::engine::Engine;
use candlewick::engine::candle::CandleEngine;
#[cfg(feature = "emulation")]
use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
use candlewick::engine::lanes::LanesEngine;
use candlewick::initializers::Initializer;
use candlewick::network::Network;

/// Engines of this network by their names, all with the same parameters.
pub fn engines(network: &Network) -> Vec<(&'static str, Box<dyn Engine>)> {
    let lanes = |threads| Box::new(LanesEngine::new(network.clone(), Some(threads)).unwrap()) as Box<dyn Engine>;
    let mut engines: Vec<(_, Box<dyn Engine>)> = vec![
        ("lanes", lanes(1)),
        ("lanes, three threads", lanes(3)),
        ("candle", Box::new(CandleEngine::new(network.clone(), Device::Cpu, DType::F32, Some(1)).unwrap())),
    ];
    #[cfg(feature = "emulation")]
    engines.push(("cuda", Box::new(CudaEngine::new(Emulated::new(227 << 10, 10), network.clone()).unwrap())));
    for (_, engine) in &mut engines {
        engine.set_flat_parameters(Initializer::xavier().parameters(network, 5).unwrap()).unwrap();
    }
    engines
}
