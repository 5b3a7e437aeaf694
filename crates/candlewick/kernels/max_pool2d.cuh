// Max pooling: the largest value of each window; NaN is the largest of all.
#pragma once
#include "windows.cuh"

struct MaxPool2d : Windows {
  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    for (int out = FIRST_ITEM; out < outputs(); out += ITEMS_AT_ONCE) {
      const float *window = corner(x, out);
      float largest = *window;
      for (int ky = 0; ky < kernel_height; ky++) {
        for (int kx = 0; kx < kernel_width; kx++) {
          const float value = window[ky * width + kx];
          if (value > largest || value != value) largest = value;
        }
      }
      y[out] = largest;
    }
  }

  // The gradient goes to the first of a window's largest values.
  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    gather(dx, [&](int out, int row, int column) {
      return is_first_largest(corner(seen.x, out), seen.y[out], row, column) ? seen.dy[out] : 0;
    });
  }

  DEVICE bool is_first_largest(const float *window, float largest, int row, int column) const {
    for (int ky = 0; ky <= row; ky++) {
      for (int kx = 0; kx < (ky < row ? kernel_width : column); kx++) {
        if (window[ky * width + kx] == largest) return false;
      }
    }
    return window[row * width + column] == largest;
  }
};
