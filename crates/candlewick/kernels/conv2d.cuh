// Convolution: z[o][oy][ox] = b[o] + sum over c, ky, kx of w[o][c][ky][kx] x[c][oy sy + ky - py][ox sx + kx - px].
#pragma once
#include "program.cuh"

// Channels that a thread computes at once, so that a pixel is read once for all of them.
enum { CHANNELS_AT_ONCE = 4 };

DEVICE void conv2d_forward(const Operation &op, const float *w, const float *b, const float *x, float *z) {
  const int plane = op.out_height * op.out_width;
  const int groups = (op.out_channels + CHANNELS_AT_ONCE - 1) / CHANNELS_AT_ONCE;
  for (int item = FIRST_ITEM; item < groups * plane; item += ITEMS_AT_ONCE) {
    const int o = item / plane * CHANNELS_AT_ONCE, oy = item % plane / op.out_width, ox = item % op.out_width;
    const float *weights[CHANNELS_AT_ONCE];
    float sums[CHANNELS_AT_ONCE];
    for (int j = 0; j < CHANNELS_AT_ONCE; j++) {
      const int channel = o + j < op.out_channels ? o + j : op.out_channels - 1;  // the last again is not stored
      weights[j] = w + (size_t)channel * taps(op);
      sums[j] = b[channel];
    }
    for (int c = 0; c < op.channels; c++) {
      for (int ky = 0; ky < op.kernel_height; ky++) {
        const int y = oy * op.stride_y + ky - op.padding_y;
        if (y < 0 || y >= op.height) continue;
        const float *row = x + (c * op.height + y) * op.width;
        const int tap = (c * op.kernel_height + ky) * op.kernel_width;
        for (int kx = 0; kx < op.kernel_width; kx++) {
          const int column = ox * op.stride_x + kx - op.padding_x;
          if (column < 0 || column >= op.width) continue;
          const float pixel = row[column];
          for (int j = 0; j < CHANNELS_AT_ONCE; j++) sums[j] += pixel * weights[j][tap + kx];
        }
      }
    }
    for (int j = 0; j < CHANNELS_AT_ONCE && o + j < op.out_channels; j++) {
      z[((o + j) * op.out_height + oy) * op.out_width + ox] = sums[j];
    }
  }
}

// Parts of a weight's gradient that different threads sum: that of every fourth output row, from its own on.
enum { SPLITS = 4 };

// dw[o][c][ky][kx] and db[o], each in SPLITS partial sums, `stride` numbers apart: set by a block's first image, added to by
// the others.
DEVICE void conv2d_parameter_gradient(const Operation &op, const float *x, const float *dz, bool is_first, float *partial,
                                      int stride) {
  const int weights = op.out_channels * taps(op), all = weights + op.out_channels;
  for (int item = FIRST_ITEM; item < all * SPLITS; item += ITEMS_AT_ONCE) {
    const int split = item / all, parameter = item % all;
    float sum = 0;
    if (parameter < weights) {
      const int o = parameter / taps(op), kx = parameter % op.kernel_width;
      const int ky = parameter / op.kernel_width % op.kernel_height;
      const int c = parameter / (op.kernel_width * op.kernel_height) % op.channels;
      for (int oy = split; oy < op.out_height; oy += SPLITS) {
        const int y = oy * op.stride_y + ky - op.padding_y;
        if (y < 0 || y >= op.height) continue;
        const float *row = x + (c * op.height + y) * op.width, *dz_row = dz + (o * op.out_height + oy) * op.out_width;
        for (int ox = 0; ox < op.out_width; ox++) {
          const int column = ox * op.stride_x + kx - op.padding_x;
          if (column >= 0 && column < op.width) sum += row[column] * dz_row[ox];
        }
      }
    } else {
      for (int oy = split; oy < op.out_height; oy += SPLITS) {
        const float *dz_row = dz + ((parameter - weights) * op.out_height + oy) * op.out_width;
        for (int ox = 0; ox < op.out_width; ox++) sum += dz_row[ox];
      }
    }
    float *to = partial + (size_t)split * stride + op.gradient + parameter;
    *to = is_first ? sum : *to + sum;
  }
}

// dx[c][y][x], gathered: kernel row ky meets the pixel at the output row (y + py - ky) / sy, if there is one.
DEVICE void conv2d_input_gradient(const Operation &op, const float *w, const float *dz, float *dx) {
  for (int item = FIRST_ITEM; item < input_len(op); item += ITEMS_AT_ONCE) {
    const int c = item / (op.height * op.width), y = item / op.width % op.height, x = item % op.width;
    float sum = 0;
    for (int ky = 0; ky < op.kernel_height; ky++) {
      const int down = y + op.padding_y - ky, oy = down / op.stride_y;
      if (down < 0 || down % op.stride_y != 0 || oy >= op.out_height) continue;
      for (int kx = 0; kx < op.kernel_width; kx++) {
        const int right = x + op.padding_x - kx, ox = right / op.stride_x;
        if (right < 0 || right % op.stride_x != 0 || ox >= op.out_width) continue;
        const float *weights = w + (c * op.kernel_height + ky) * op.kernel_width + kx;
        const float *gradients = dz + oy * op.out_width + ox;
        for (int o = 0; o < op.out_channels; o++) {
          sum += weights[(size_t)o * taps(op)] * gradients[o * op.out_height * op.out_width];
        }
      }
    }
    dx[item] = sum;
  }
}
