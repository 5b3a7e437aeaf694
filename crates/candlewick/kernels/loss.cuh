// Softmax cross-entropy of logits z and a label y, and its gradient softmax(z) - onehot(y), in the terms of
// losses/softmax_cross_entropy.rs:
// with m the largest logit, the log of 1 plus the sum of the other classes' e^(z - m), plus m - z[y]. Nothing cancels in it.
#pragma once
#include "block.cuh"

// The class of the largest logit. As in PyTorch, NaN is larger than any number, and of equals the first counts.
DEVICE int label_of(int classes, const float *z) {
  int best = 0;
  for (int c = 0; c < classes; c++) {
    if (z[c] != z[c]) return c;
    if (z[c] > z[best]) best = c;
  }
  return best;
}

// The gradient times `scale` goes to dz, unless that is null.
DEVICE void softmax_cross_entropy(int classes, const float *z, int label, float scale, float *dz, float *loss,
                                  uint32_t *correct) {
  // Every thread does all of this for itself: a handful of classes is not worth a meeting.
  const int answer = label_of(classes, z);
  const float largest = z[answer];
  double sum = 0, others = 0;  // as of many classes, float32 would lose what each adds
  for (int c = 0; c < classes; c++) {
    const float e = expf(z[c] - largest);
    sum += e;
    others += c == answer ? e - 1 : e;  // 0, or NaN
  }
  for (int c = FIRST_ITEM; dz && c < classes; c += ITEMS_AT_ONCE) {
    dz[c] = (expf(z[c] - largest) / (float)sum - (c == label ? 1.0f : 0.0f)) * scale;
  }
  if (FIRST_ITEM == 0) {
    *loss = log1pf((float)others) + (largest - z[label]);
    *correct = answer == label;
  }
}
