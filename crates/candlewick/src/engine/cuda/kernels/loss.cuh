// Softmax cross-entropy of logits z and a label y: log of the sum of e^z, less z[y]; its gradient is softmax(z) - onehot(y).
#pragma once
#include "program.cuh"

// The gradient times `scale` goes to dz, unless that is null.
DEVICE void softmax_cross_entropy(int classes, const float *z, int label, float scale, float *dz, float *loss,
                                  uint32_t *correct) {
  // Every thread does all of this for itself: a handful of classes is not worth a meeting.
  float largest = z[0];
  int answer = 0;
  for (int c = 1; c < classes; c++) {
    if (z[c] > largest) largest = z[c], answer = c;
  }
  float sum = 0;
  for (int c = 0; c < classes; c++) sum += expf(z[c] - largest);
  for (int c = FIRST_ITEM; dz && c < classes; c += ITEMS_AT_ONCE) {
    dz[c] = (expf(z[c] - largest) / sum - (c == label ? 1.0f : 0.0f)) * scale;
  }
  if (FIRST_ITEM == 0) {
    *loss = logf(sum) + largest - z[label];
    *correct = answer == label;
  }
}
