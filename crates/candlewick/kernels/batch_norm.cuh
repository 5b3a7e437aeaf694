// Batch normalisation by the running mean and variance: y = weight (x - mean) / sqrt(variance + epsilon) + bias.
#pragma once
#include "layer.cuh"

struct BatchNorm : Parameterless {
  int channels, plane;
  float epsilon;

  DEVICE float scale(const float *own, int c) const { return own[c] / sqrtf(own[3 * channels + c] + epsilon); }

  DEVICE void forward(const float *own, const float *, const float *x, float *y) const {
    const float *bias = own + channels, *mean = own + 2 * channels;
    for (int i = FIRST_ITEM; i < channels * plane; i += ITEMS_AT_ONCE) {
      const int c = i / plane;
      y[i] = (x[i] - mean[c]) * scale(own, c) + bias[c];
    }
  }

  DEVICE void input_gradient(const float *own, const Seen &seen, float *dx) const {
    for (int i = FIRST_ITEM; i < channels * plane; i += ITEMS_AT_ONCE) dx[i] = seen.dy[i] * scale(own, i / plane);
  }
};
