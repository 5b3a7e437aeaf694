// Batch normalisation: y = weight (x - mean) / sqrt(variance + epsilon) + bias, with the batch's own mean and variance in training
// and the running ones in answers; in the terms of src/layers/batch_norm.rs.
#pragma once
#include "batch.cuh"

struct BatchNorm : Parameterless {
  double momentum, epsilon;
  int channels, plane;
  int by_batch;  // whether training goes by the batch
  int shares;    // of a channel's values of an image, each surveyed by one thread

  DEVICE float scale(const float *own, int c) const { return own[c] / sqrtf(own[3 * channels + c] + (float)epsilon); }

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

  // The batch's numbers, each of all channels: mean, 1 / sqrt(variance + epsilon), and the sums of dy and of dy (x - mean) times
  // that root, which are the gradients by bias and weight.
  DEVICE float gradient(const Left &left, int i, int from, int) const {
    if (from > 0) return 0;
    return left.numbers[i < channels ? 3 * channels + i : channels + i];
  }

  // Values of a share: every `shares`-th, from its own on.
  DEVICE int values(int share) const { return (plane - 1 - share) / shares + 1; }

  // Of a batch's surveys, the i-th number of a channel: of its images one after the other.
  DEVICE float found(const Rows &surveys, int which, int c, int i) const {
    return surveys[i / shares][(which * channels + c) * shares + i % shares];
  }
};

DEVICE void forward_in_training(const BatchNorm &layer, const float *own, const float *turned, const Batch &batch, const float *x,
                                float *y) {
  if (!layer.by_batch) return layer.forward(own, turned, x, y);
  const float *bias = own + layer.channels, *mean = batch.numbers, *root = batch.numbers + layer.channels;
  for (int i = FIRST_ITEM; i < layer.channels * layer.plane; i += ITEMS_AT_ONCE) {
    const int c = i / layer.plane;
    y[i] = (x[i] - mean[c]) * (own[c] * root[c]) + bias[c];
  }
}

DEVICE void input_gradient_in_training(const BatchNorm &layer, const float *own, const Batch &batch, const Seen &seen, float *dx) {
  if (!layer.by_batch) return layer.input_gradient(own, seen, dx);
  const float *mean = batch.numbers, *root = mean + layer.channels;
  const float *of_dy = root + layer.channels, *of_both = of_dy + layer.channels;
  const float share = 1 / ((float)batch.images * layer.plane);
  for (int i = FIRST_ITEM; i < layer.channels * layer.plane; i += ITEMS_AT_ONCE) {
    const int c = i / layer.plane;
    const float rest = seen.dy[i] - of_dy[c] * share;
    dx[i] = own[c] * root[c] * (rest - (seen.x[i] - mean[c]) * (root[c] * (of_both[c] * share)));
  }
}

// Of each share its mean and then, of all of them, the sums of squares about it.
DEVICE void survey(const BatchNorm &layer, const float *x, float *survey) {
  const int items = layer.channels * layer.shares;
  for (int item = FIRST_ITEM; item < items; item += ITEMS_AT_ONCE) {
    const float *of_channel = x + item / layer.shares * layer.plane;
    const int share = item % layer.shares;
    float sum = 0, squares = 0;
    for (int i = share; i < layer.plane; i += layer.shares) sum += of_channel[i];
    const float mean = sum / layer.values(share);
    for (int i = share; i < layer.plane; i += layer.shares) squares += (of_channel[i] - mean) * (of_channel[i] - mean);
    survey[item] = mean, survey[items + item] = squares;
  }
}

// Of each share the sums of dy and of dy (x - mean).
DEVICE void survey_back(const BatchNorm &layer, const Batch &batch, const Seen &seen, float *survey) {
  const int items = layer.channels * layer.shares;
  for (int item = FIRST_ITEM; item < items; item += ITEMS_AT_ONCE) {
    const int c = item / layer.shares;
    const float *x = seen.x + c * layer.plane, *dy = seen.dy + c * layer.plane, mean = batch.numbers[c];
    float of_dy = 0, of_both = 0;
    for (int i = item % layer.shares; i < layer.plane; i += layer.shares) of_dy += dy[i], of_both += dy[i] * (x[i] - mean);
    survey[item] = of_dy, survey[items + item] = of_both;
  }
}

// A channel to a block. The variance that normalises is the biased one, and the one that is kept the unbiased.
DEVICE void conclude(const BatchNorm &layer, const Rows &surveys, float *own, float *numbers) {
  const int c = BLOCK, count = surveys.count * layer.shares;
  const double all = (double)surveys.count * layer.plane;
  const auto values = [&](int i) { return (double)layer.values(i % layer.shares); };
  const double mean = sum_in_block(count, [&](int i) { return values(i) * layer.found(surveys, 0, c, i); }) / all;
  const double squares = sum_in_block(count, [&](int i) {
    const double apart = layer.found(surveys, 0, c, i) - mean;
    return layer.found(surveys, 1, c, i) + values(i) * apart * apart;
  });
  if (FIRST_ITEM == 0) {
    float *kept_mean = own + 2 * layer.channels + c, *kept_variance = kept_mean + layer.channels;
    numbers[c] = (float)mean;
    numbers[layer.channels + c] = (float)(1 / sqrt(squares / all + layer.epsilon));
    *kept_mean = (float)(*kept_mean * (1 - layer.momentum) + mean * layer.momentum);
    *kept_variance = (float)(*kept_variance * (1 - layer.momentum) + squares / (all - 1) * layer.momentum);
  }
}

DEVICE void conclude_back(const BatchNorm &layer, const Rows &surveys, float *numbers) {
  const int c = BLOCK, count = surveys.count * layer.shares;
  const double of_dy = sum_in_block(count, [&](int i) { return (double)layer.found(surveys, 0, c, i); });
  const double of_both = sum_in_block(count, [&](int i) { return (double)layer.found(surveys, 1, c, i); });
  if (FIRST_ITEM == 0) {
    numbers[2 * layer.channels + c] = (float)of_dy;
    numbers[3 * layer.channels + c] = (float)(of_both * numbers[layer.channels + c]);
  }
}
