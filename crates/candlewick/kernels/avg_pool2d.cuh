// Average pooling: the mean of each window.
#pragma once
#include "windows.cuh"

struct AvgPool2d : Windows {
  DEVICE float share() const { return 1.0f / (kernel_height * kernel_width); }

  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    for (int out = FIRST_ITEM; out < outputs(); out += ITEMS_AT_ONCE) {
      const Window in = window(x, out);
      float sum = 0;
      for (int row = in.top; row < in.bottom; row++) {
        for (int column = in.left; column < in.right; column++) sum += in.channel[row * width + column];
      }
      y[out] = sum * share();
    }
  }

  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    const float share = this->share();
    gather(dx, [&](int out, int, int) { return seen.dy[out] * share; });
  }
};
