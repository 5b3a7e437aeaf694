// The windows of K x K values that max and average pooling move over their input.
#pragma once
#include "layer.cuh"

struct Windows : Parameterless {
  int channels, height, width;
  int out_height, out_width;
  int kernel_height, kernel_width;
  int stride_y, stride_x;
  int padding_y, padding_x;

  DEVICE int outputs() const { return channels * out_height * out_width; }

  // The rows and columns of a channel that an output's window sees, without the padding; there is one at least.
  struct Window {
    const float *channel;
    int top, bottom, left, right;
  };

  DEVICE Window window(const float *x, int out) const {
    const int ox = out % out_width, oy = out / out_width % out_height, c = out / (out_width * out_height);
    const int top = oy * stride_y - padding_y, left = ox * stride_x - padding_x;
    const int bottom = top + kernel_height, right = left + kernel_width;
    return {x + c * height * width, top > 0 ? top : 0, bottom < height ? bottom : height, left > 0 ? left : 0,
            right < width ? right : width};
  }

  // Each value's gradient, gathered from the windows that it is in, so that no two threads write the same number: the sum of
  // `part` of the window's output, and of the value's row and column.
  template <class Part> DEVICE void gather(float *dx, Part part) const {
    for (int item = FIRST_ITEM; item < channels * height * width; item += ITEMS_AT_ONCE) {
      const int c = item / (height * width), row = item / width % height, column = item % width;
      // Windows that begin at or before the value, and end after it.
      const int down = row + padding_y, right = column + padding_x;
      const int last_y = down / stride_y < out_height ? down / stride_y : out_height - 1;
      const int last_x = right / stride_x < out_width ? right / stride_x : out_width - 1;
      float sum = 0;
      for (int oy = last_y; oy >= 0 && oy * stride_y + kernel_height > down; oy--) {
        for (int ox = last_x; ox >= 0 && ox * stride_x + kernel_width > right; ox--) {
          sum += part((c * out_height + oy) * out_width + ox, row, column);
        }
      }
      dx[item] = sum;
    }
  }
};
