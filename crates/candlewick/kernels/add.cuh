// The sum of two values. The kernels themselves add; of one value alone it is that.
#pragma once
#include "layer.cuh"

struct Add : Parameterless {
  int len;

  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) y[i] = x[i];
  }

  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) dx[i] = seen.dy[i];
  }
};
