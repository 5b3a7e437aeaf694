// Convolution: z[o][oy][ox] = b[o] + sum over c, ky, kx of w[o][c][ky][kx] x[c][oy sy + ky - py][ox sx + kx - px]. In groups, c
// runs over the channels of the group that o is of.
#pragma once
#include "layer.cuh"

struct Conv2d {
  int channels, height, width;
  int out_channels, out_height, out_width;
  int kernel_height, kernel_width;
  int stride_y, stride_x;
  int padding_y, padding_x;  // before the image
  int groups, use_bias;

  // Channels that a thread computes at once, so that a pixel is read once for all of them.
  enum { CHANNELS_AT_ONCE = 4 };

  // Channels of a group, in and out.
  DEVICE int group_in() const { return channels / groups; }
  DEVICE int group_out() const { return out_channels / groups; }

  DEVICE int taps() const { return group_in() * kernel_height * kernel_width; }
  DEVICE int weights() const { return out_channels * taps(); }

  DEVICE void forward(const float *w, const float *, const float *x, float *z) const {
    group_out() > 1 ? forward<CHANNELS_AT_ONCE>(w, x, z) : forward<1>(w, x, z);
  }

  template <int AT_ONCE> DEVICE void forward(const float *w, const float *x, float *z) const {
    const float *b = w + weights();
    const int plane = out_height * out_width;
    const int parts = (group_out() + AT_ONCE - 1) / AT_ONCE;
    for (int item = FIRST_ITEM; item < groups * parts * plane; item += ITEMS_AT_ONCE) {
      const int group = item / plane / parts, oy = item % plane / out_width, ox = item % out_width;
      const int o = group * group_out() + item / plane % parts * AT_ONCE, end = (group + 1) * group_out();
      const float *pixels = x + group * group_in() * height * width;
      const float *kernels[AT_ONCE];
      float sums[AT_ONCE];
      for (int j = 0; j < AT_ONCE; j++) {
        const int channel = o + j < end ? o + j : end - 1;  // the last again is not stored
        kernels[j] = w + (size_t)channel * taps();
        sums[j] = use_bias ? b[channel] : 0;
      }
      for (int c = 0; c < group_in(); c++) {
        for (int ky = 0; ky < kernel_height; ky++) {
          const int y = oy * stride_y + ky - padding_y;
          if (y < 0 || y >= height) continue;
          const float *row = pixels + (c * height + y) * width;
          const int tap = (c * kernel_height + ky) * kernel_width;
          for (int kx = 0; kx < kernel_width; kx++) {
            const int column = ox * stride_x + kx - padding_x;
            if (column < 0 || column >= width) continue;
            const float pixel = row[column];
            for (int j = 0; j < AT_ONCE; j++) sums[j] += pixel * kernels[j][tap + kx];
          }
        }
      }
      for (int j = 0; j < AT_ONCE && o + j < end; j++) {
        z[((o + j) * out_height + oy) * out_width + ox] = sums[j];
      }
    }
  }

  // dx[c][y][x], gathered: kernel row ky meets the pixel at the output row (y + py - ky) / sy, if there is one.
  DEVICE void input_gradient(const float *w, const Seen &seen, float *dx) const {
    for (int item = FIRST_ITEM; item < channels * height * width; item += ITEMS_AT_ONCE) {
      const int c = item / (height * width), y = item / width % height, x = item % width;
      const int first = c / group_in() * group_out();  // of the channels that it goes into
      float sum = 0;
      for (int ky = 0; ky < kernel_height; ky++) {
        const int down = y + padding_y - ky, oy = down / stride_y;
        if (down < 0 || down % stride_y != 0 || oy >= out_height) continue;
        for (int kx = 0; kx < kernel_width; kx++) {
          const int right = x + padding_x - kx, ox = right / stride_x;
          if (right < 0 || right % stride_x != 0 || ox >= out_width) continue;
          const float *kernels = w + (size_t)first * taps() + (c % group_in() * kernel_height + ky) * kernel_width + kx;
          const float *gradients = seen.dy + (first * out_height + oy) * out_width + ox;
          for (int o = 0; o < group_out(); o++) {
            sum += kernels[(size_t)o * taps()] * gradients[o * out_height * out_width];
          }
        }
      }
      dx[item] = sum;
    }
  }

  // dw[o][c][ky][kx] and db[o]. A partial gradient sums every fourth output row, from its own on.
  DEVICE void leave(const Seen &seen, const Rows &partials, bool is_first, float *) const {
    const int all = weights() + (use_bias ? out_channels : 0);
    for (int item = FIRST_ITEM; item < all * SPLITS; item += ITEMS_AT_ONCE) {
      const int split = item / all, parameter = item % all;
      float sum = 0;
      if (parameter < weights()) {
        const int o = parameter / taps(), kx = parameter % kernel_width;
        const int ky = parameter / kernel_width % kernel_height;
        const int c = o / group_out() * group_in() + parameter / (kernel_width * kernel_height) % group_in();
        for (int oy = split; oy < out_height; oy += SPLITS) {
          const int y = oy * stride_y + ky - padding_y;
          if (y < 0 || y >= height) continue;
          const float *row = seen.x + (c * height + y) * width, *dz_row = seen.dy + (o * out_height + oy) * out_width;
          for (int ox = 0; ox < out_width; ox++) {
            const int column = ox * stride_x + kx - padding_x;
            if (column >= 0 && column < width) sum += row[column] * dz_row[ox];
          }
        }
      } else {
        for (int oy = split; oy < out_height; oy += SPLITS) {
          const float *dz_row = seen.dy + ((parameter - weights()) * out_height + oy) * out_width;
          for (int ox = 0; ox < out_width; ox++) sum += dz_row[ox];
        }
      }
      float *to = partials[split] + parameter;
      *to = is_first ? sum : *to + sum;
    }
  }

  DEVICE float gradient(const Left &left, int i, int from, int stride) const {
    float sum = 0;
    for (int n = from; n < left.partials.count; n += stride) sum += left.partials[n][i];
    return sum;
  }

  DEVICE void turn(int, float, float *) const {}
};
