// Dropout: nothing but in training, where each value is scaled, or 0 if its random word is below `least`.
#pragma once
#include "batch.cuh"

struct Dropout : Parameterless {
  int len;
  uint32_t least;
  float scale;

  DEVICE void forward(const float *, const float *, const float *x, float *y) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) y[i] = x[i];
  }

  DEVICE void input_gradient(const float *, const Seen &seen, float *dx) const {
    for (int i = FIRST_ITEM; i < len; i += ITEMS_AT_ONCE) dx[i] = seen.dy[i];
  }

  // From x to y in training, and from dy to dx.
  DEVICE void mask(const Chance &chance, const float *from, float *to) const {
    for (int block = FIRST_ITEM; block * 4 < len; block += ITEMS_AT_ONCE) {
      const Words words = chance.words(block);
      for (int i = block * 4; i < len && i < block * 4 + 4; i++) to[i] = from[i] * (words.word[i % 4] < least ? 0 : scale);
    }
  }
};

DEVICE void forward_in_training(const Dropout &layer, const float *, const float *, const Batch &batch, const float *x, float *y) {
  layer.mask(batch.chance, x, y);
}

DEVICE void input_gradient_in_training(const Dropout &layer, const float *, const Batch &batch, const Seen &seen, float *dx) {
  layer.mask(batch.chance, seen.dy, dx);
}
