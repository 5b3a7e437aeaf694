// The sum of two values. The kernels themselves find the other; to one value alone nothing is added.
#pragma once
#include "layer.cuh"

struct Add : Parameterless {
  int len;

  DEVICE void add(const float *x, const float *other, float *y) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) y[i] = x[i] + other[i];
  }

  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) y[i] = x[i];
  }

  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) dx[i] = seen.dy[i];
  }
};
