// The activations, element by element: y = f(x), and f'(x), written in terms of x, y or both.
//
// The list of them: a struct, an entry of Function, and a case of `with_function`.
#pragma once
#include "layer.cuh"

struct Sigmoid {
  DEVICE float value(float x) const { return 1.0f / (1.0f + expf(-x)); }
  DEVICE float slope(float, float y) const { return y * (1.0f - y); }
};

struct Relu {
  DEVICE float value(float x) const { return x < 0 ? 0 : x; }  // NaN passes
  DEVICE float slope(float, float y) const { return y > 0 ? 1 : 0; }
};

struct Tanh {
  DEVICE float value(float x) const { return tanhf(x); }
  DEVICE float slope(float, float y) const { return 1.0f - y * y; }
};

struct LeakyRelu {
  float negative_slope;

  DEVICE float value(float x) const { return x < 0 ? negative_slope * x : x; }
  DEVICE float slope(float x, float) const { return x > 0 ? 1 : negative_slope; }
};

struct Elu {
  float alpha;

  DEVICE float value(float x) const { return x < 0 ? alpha * expm1f(x) : x; }
  DEVICE float slope(float x, float) const { return x > 0 ? 1 : alpha * expf(x); }
};

struct Silu {
  DEVICE float value(float x) const { return x / (1.0f + expf(-x)); }
  DEVICE float slope(float x, float) const {
    float s = 1.0f / (1.0f + expf(-x));
    return s * (1.0f + x * (1.0f - s));
  }
};

// Their numbers, as in src/activations/.
enum class Function : int { SIGMOID, RELU, TANH, LEAKY_RELU, ELU, SILU };

// Calls `work` with the function, which has its numbers from `settings`.
template <class Work, int COUNT> DEVICE auto with_function(Function function, const float (&settings)[COUNT], Work work) {
  switch (function) {
    case Function::SIGMOID: return work(as<Sigmoid>(settings));
    case Function::RELU: return work(as<Relu>(settings));
    case Function::TANH: return work(as<Tanh>(settings));
    case Function::LEAKY_RELU: return work(as<LeakyRelu>(settings));
    case Function::ELU: return work(as<Elu>(settings));
    case Function::SILU: return work(as<Silu>(settings));
  }
  UNREACHABLE;
}
