// Max and average pooling over windows of K x K values.
#pragma once
#include "program.cuh"

// In a window's rows and columns: where output item's window begins.
DEVICE const float *window(const Operation &op, const float *x, int item) {
  const int ox = item % op.out_width, oy = item / op.out_width % op.out_height, c = item / (op.out_width * op.out_height);
  return x + (c * op.height + oy * op.stride_y) * op.width + ox * op.stride_x;
}

// The largest value; NaN is the largest of all.
DEVICE void max_pool2d_forward(const Operation &op, const float *x, float *y) {
  for (int item = FIRST_ITEM; item < output_len(op); item += ITEMS_AT_ONCE) {
    const float *corner = window(op, x, item);
    float largest = *corner;
    for (int ky = 0; ky < op.kernel_height; ky++) {
      for (int kx = 0; kx < op.kernel_width; kx++) {
        const float value = corner[ky * op.width + kx];
        if (value > largest || value != value) largest = value;
      }
    }
    y[item] = largest;
  }
}

DEVICE void avg_pool2d_forward(const Operation &op, const float *x, float *y) {
  for (int item = FIRST_ITEM; item < output_len(op); item += ITEMS_AT_ONCE) {
    const float *corner = window(op, x, item);
    float sum = 0;
    for (int ky = 0; ky < op.kernel_height; ky++) {
      for (int kx = 0; kx < op.kernel_width; kx++) sum += corner[ky * op.width + kx];
    }
    y[item] = sum * (1.0f / (op.kernel_height * op.kernel_width));
  }
}

// Whether the value at (row, column) of the window is the first of its largest.
DEVICE bool is_first_largest(const Operation &op, const float *corner, float largest, int row, int column) {
  for (int ky = 0; ky <= row; ky++) {
    for (int kx = 0; kx < (ky < row ? op.kernel_width : column); kx++) {
      if (corner[ky * op.width + kx] == largest) return false;
    }
  }
  return corner[row * op.width + column] == largest;
}

// Each value's gradient, gathered from the windows that it is in: no two threads write the same number.
DEVICE void pool2d_backward(const Operation &op, const float *x, const float *y, const float *dy, float *dx) {
  const float share = 1.0f / (op.kernel_height * op.kernel_width);
  for (int item = FIRST_ITEM; item < input_len(op); item += ITEMS_AT_ONCE) {
    const int c = item / (op.height * op.width), row = item / op.width % op.height, column = item % op.width;
    // Windows that begin at or before the value, and end after it.
    const int last_y = row / op.stride_y < op.out_height ? row / op.stride_y : op.out_height - 1;
    const int last_x = column / op.stride_x < op.out_width ? column / op.stride_x : op.out_width - 1;
    float sum = 0;
    for (int oy = last_y; oy >= 0 && oy * op.stride_y + op.kernel_height > row; oy--) {
      for (int ox = last_x; ox >= 0 && ox * op.stride_x + op.kernel_width > column; ox--) {
        const int out = (c * op.out_height + oy) * op.out_width + ox;
        if (op.kind == AVG_POOL2D) {
          sum += dy[out] * share;
        } else if (is_first_largest(op, window(op, x, out), y[out], row - oy * op.stride_y, column - ox * op.stride_x)) {
          sum += dy[out];
        }
      }
    }
    dx[item] = sum;
  }
}
