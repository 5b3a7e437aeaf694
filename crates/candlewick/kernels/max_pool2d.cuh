// Max pooling: the largest value of each window; NaN is the largest of all.
#pragma once
#include "windows.cuh"

struct MaxPool2d : Windows {
  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    for (int out = FIRST_ITEM; out < outputs(); out += ITEMS_AT_ONCE) {
      const Window in = window(x, out);
      float largest = in.channel[in.top * width + in.left];
      for (int row = in.top; row < in.bottom; row++) {
        for (int column = in.left; column < in.right; column++) {
          const float value = in.channel[row * width + column];
          if (value > largest || value != value) largest = value;
        }
      }
      y[out] = largest;
    }
  }

  // The gradient goes to the first of a window's largest values.
  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    gather(dx, [&](int out, int row, int column) {
      return is_first_largest(window(seen.x, out), seen.y[out], row, column) ? seen.dy[out] : 0;
    });
  }

  DEVICE bool is_first_largest(const Window &in, float largest, int row, int column) const {
    for (int y = in.top; y <= row; y++) {
      for (int x = in.left; x < (y < row ? in.right : column); x++) {
        if (in.channel[y * width + x] == largest) return false;
      }
    }
    return in.channel[row * width + column] == largest;
  }
};
