// A fully connected layer: z[o] = b[o] + sum of w[o][i] x[i].
#pragma once
#include "layer.cuh"

struct Dense {
  int inputs, units, use_bias;

  DEVICE int weights() const { return inputs * units; }

  // `turned` is w as [I][O]: threads beside each other read numbers beside each other.
  DEVICE void forward(const float *own, const float *turned, const float *x, float *z) const {
    for (int o = FIRST_ITEM; o < units; o += ITEMS_AT_ONCE) {
      float sum = use_bias ? own[weights() + o] : 0;
      for (int i = 0; i < inputs; i++) sum += turned[(size_t)i * units + o] * x[i];
      z[o] = sum;
    }
  }

  // dx[i], the sum of w[o][i] dz[o].
  DEVICE void input_gradient(const float *w, const Seen &seen, float *dx) const {
    for (int i = FIRST_ITEM; i < inputs; i += ITEMS_AT_ONCE) {
      float sum = 0;
      for (int o = 0; o < units; o++) sum += w[(size_t)o * inputs + i] * seen.dy[o];
      dx[i] = sum;
    }
  }

  // The record: x, then dz.
  DEVICE void leave(const Seen &seen, const Rows &, bool, float *record) const {
    for (int i = FIRST_ITEM; i < inputs + units; i += ITEMS_AT_ONCE) record[i] = i < inputs ? seen.x[i] : seen.dy[i - inputs];
  }

  DEVICE float gradient(const Left &left, int i, int from, int stride) const {
    // Where an image's two factors are, found once; a bias's second is 1.
    const bool is_bias = i >= weights();
    const int x = is_bias ? 0 : i % inputs, dz = inputs + (is_bias ? i - weights() : i / inputs);
    float sum = 0;
    for (int n = from; n < left.records.count; n += stride) {
      const float *record = left.records[n];
      sum += record[dz] * (is_bias ? 1.0f : record[x]);
    }
    return sum;
  }

  DEVICE void turn(int i, float value, float *turned) const {
    if (i < weights()) turned[(size_t)(i % inputs) * units + i / inputs] = value;
  }
};
