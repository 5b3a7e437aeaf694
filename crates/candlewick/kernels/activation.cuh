// A function of every value.
#pragma once
#include "activations.cuh"

struct Activation : Parameterless {
  Function function;
  int count;
  float settings[2];

  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    with_function(function, settings, [&](const auto &f) {
      for (int i = FIRST_ITEM; i < count; i += ITEMS_AT_ONCE) y[i] = f.value(x[i]);
    });
  }

  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    with_function(function, settings, [&](const auto &f) {
      for (int i = FIRST_ITEM; i < count; i += ITEMS_AT_ONCE) dx[i] = seen.dy[i] * f.slope(seen.x[i], seen.y[i]);
    });
  }
};
