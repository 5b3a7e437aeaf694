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

// x Φ(x); with `is_approximate` 1, Φ is the sigmoid that is near it.
struct Gelu {
  float is_approximate;

  DEVICE static float polynomial(float x) { return x * (1.5957691f + 0.07135481f * x * x); }
  DEVICE static float sigmoid(float u) { return 1.0f / (1.0f + expf(-u)); }
  DEVICE static float normal_cdf(float x) { return 0.5f * erfcf(-0.70710678f * x); }

  DEVICE float value(float x) const { return x * (is_approximate ? sigmoid(polynomial(x)) : normal_cdf(x)); }
  DEVICE float slope(float x, float) const {
    if (!is_approximate) return normal_cdf(x) + x * 0.39894228f * expf(-0.5f * x * x);
    float s = sigmoid(polynomial(x)), bend = s * (1.0f - s);
    return bend > 0 ? s + x * bend * (1.5957691f + 0.21406444f * x * x) : s;  // x³ may be infinite
  }
};

struct Softplus {
  float beta, threshold;

  DEVICE float value(float x) const {
    float z = beta * x;
    return z > threshold ? x : (fmaxf(z, 0.0f) + log1pf(expf(-fabsf(z)))) / beta;
  }
  DEVICE float slope(float x, float) const { return beta * x > threshold ? 1.0f : 1.0f / (1.0f + expf(-beta * x)); }
};

struct HardSwish {
  DEVICE float value(float x) const { return x * (fminf(fmaxf(x + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f)); }
  DEVICE float slope(float x, float) const { return x <= -3 ? 0 : x < 3 ? x / 3.0f + 0.5f : 1; }
};

// Their numbers, as in src/activations/.
enum class Function : int { SIGMOID, RELU, TANH, LEAKY_RELU, ELU, SILU, GELU, SOFTPLUS, HARD_SWISH };

// Calls `work` with the function, which has its numbers from `settings`.
template <class Work, int COUNT> DEVICE auto with_function(Function function, const float (&settings)[COUNT], Work work) {
  switch (function) {
    case Function::SIGMOID: return work(as<Sigmoid>(settings));
    case Function::RELU: return work(as<Relu>(settings));
    case Function::TANH: return work(as<Tanh>(settings));
    case Function::LEAKY_RELU: return work(as<LeakyRelu>(settings));
    case Function::ELU: return work(as<Elu>(settings));
    case Function::SILU: return work(as<Silu>(settings));
    case Function::GELU: return work(as<Gelu>(settings));
    case Function::SOFTPLUS: return work(as<Softplus>(settings));
    case Function::HARD_SWISH: return work(as<HardSwish>(settings));
  }
  UNREACHABLE;
}
