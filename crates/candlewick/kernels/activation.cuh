// Activations, element by element: y = f(x), and dx = dy f'(x) written in terms of y.
#pragma once
#include "program.cuh"

DEVICE void activation_forward(const Operation &op, const float *x, float *y) {
  for (int i = FIRST_ITEM; i < output_len(op); i += ITEMS_AT_ONCE) {
    switch (op.function) {
      case SIGMOID: y[i] = 1.0f / (1.0f + expf(-x[i])); break;
      case RELU: y[i] = x[i] < 0 ? 0 : x[i]; break;  // NaN passes
      case TANH: y[i] = tanhf(x[i]); break;
      default: y[i] = x[i];
    }
  }
}

DEVICE void activation_backward(const Operation &op, const float *y, const float *dy, float *dx) {
  for (int i = FIRST_ITEM; i < output_len(op); i += ITEMS_AT_ONCE) {
    switch (op.function) {
      case SIGMOID: dx[i] = dy[i] * (y[i] * (1.0f - y[i])); break;
      case RELU: dx[i] = y[i] > 0 ? dy[i] : 0; break;
      case TANH: dx[i] = dy[i] * (1.0f - y[i] * y[i]); break;
      default: dx[i] = dy[i];
    }
  }
}
