// The windows of K x K values that max and average pooling move over their input.
#pragma once
#include "layer.cuh"

struct Windows : Parameterless {
  int channels, height, width;
  int out_height, out_width;
  int kernel_height, kernel_width;
  int stride_y, stride_x;

  DEVICE int outputs() const { return channels * out_height * out_width; }

  // Where the window of an output begins.
  DEVICE const float *corner(const float *x, int out) const {
    const int ox = out % out_width, oy = out / out_width % out_height, c = out / (out_width * out_height);
    return x + (c * height + oy * stride_y) * width + ox * stride_x;
  }

  // Each value's gradient, gathered from the windows that it is in, so that no two threads write the same number: the sum of
  // `part` of the window's output, and of the value's row and column in the window.
  template <class Part> DEVICE void gather(float *dx, Part part) const {
    for (int item = FIRST_ITEM; item < channels * height * width; item += ITEMS_AT_ONCE) {
      const int c = item / (height * width), row = item / width % height, column = item % width;
      // Windows that begin at or before the value, and end after it.
      const int last_y = row / stride_y < out_height ? row / stride_y : out_height - 1;
      const int last_x = column / stride_x < out_width ? column / stride_x : out_width - 1;
      float sum = 0;
      for (int oy = last_y; oy >= 0 && oy * stride_y + kernel_height > row; oy--) {
        for (int ox = last_x; ox >= 0 && ox * stride_x + kernel_width > column; ox--) {
          sum += part((c * out_height + oy) * out_width + ox, row - oy * stride_y, column - ox * stride_x);
        }
      }
      dx[item] = sum;
    }
  }
};
