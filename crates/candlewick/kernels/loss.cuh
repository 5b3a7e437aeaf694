// The losses of an image, and their gradients by its outputs z, in the terms of src/losses/.
//
// A loss is a struct of its settings, and is added with an entry of LossKind and a case of `with_loss`:
//
//   score(outputs, z, target, scale, dz, loss, correct)
//
// leaves the image's loss and its right answers, and in dz, unless that is null, the gradient times `scale`.
#pragma once
#include "words.cuh"

// What a mixed image shows beside its label.
struct Mix {
  uint32_t other;  // class
  float share;     // of the label; the rest is the other's
};

// What an image's outputs are held against: a label, or two classes, or a number for each of them.
struct Target {
  uint32_t label;
  const Mix *mix;  // null where the image is not mixed
  const float *values;
  const float *class_weights;  // null where all classes weigh the same
};

// The class of the largest logit. As in PyTorch, NaN is larger than any number, and of equals the first counts.
DEVICE int label_of(int classes, const float *z) {
  int best = 0;
  for (int c = 0; c < classes; c++) {
    if (z[c] != z[c]) return c;
    if (z[c] > z[best]) best = c;
  }
  return best;
}

// With m the largest logit, the log of 1 plus the sum of the other classes' e^(z - m), plus m - z[y]. Nothing cancels in it.
struct SoftmaxCrossEntropy {
  float kept, spread, to_all;

  DEVICE void score(int classes, const float *z, const Target &target, float scale, float *dz, float *loss,
                    uint32_t *correct) const {
    if (target.mix) score_as<true>(classes, z, target, scale, dz, loss, correct);
    else score_as<false>(classes, z, target, scale, dz, loss, correct);
  }

  // Apart, so that a label alone is what it is without mixed images, to the last bit, however a compiler puts products and sums together.
  template <bool MIXED>
  DEVICE void score_as(int classes, const float *z, const Target &target, float scale, float *dz, float *loss,
                       uint32_t *correct) const {
    // Every thread does all of this for itself: a handful of classes is not worth a meeting.
    const int answer = label_of(classes, z), label = target.label, other = MIXED ? target.mix->other : label;
    const float largest = z[answer];
    double sum = 0, others = 0, distances = 0;  // as of many classes, float32 would lose what each adds
    for (int c = 0; c < classes; c++) {
      const float e = expf(z[c] - largest);
      sum += e;
      others += c == answer ? e - 1 : e;  // 0, or NaN
    }
    float own = kept * weight(target, label), total = own + to_all, others_own = 0;
    if constexpr (MIXED) {
      own *= target.mix->share;
      others_own = kept * weight(target, other) * (1 - target.mix->share);
      total = own + others_own + to_all;
    }
    for (int c = FIRST_ITEM; dz && c < classes; c += ITEMS_AT_ONCE) {
      float share = spread * weight(target, c) + (c == label ? own : 0.0f);
      if constexpr (MIXED) share += c == other ? others_own : 0.0f;
      dz[c] = (total * (expf(z[c] - largest) / (float)sum) - share) * scale;
    }
    if (FIRST_ITEM == 0) {
      for (int c = 0; spread > 0 && c < classes; c++) distances += weight(target, c) * (largest - z[c]);
      *loss = total * log1pf((float)others) + own * (largest - z[label]) + (float)(spread * distances);
      if constexpr (MIXED) *loss += others_own * (largest - z[other]);
      *correct = answer == label;
    }
  }

  DEVICE static float weight(const Target &target, int c) { return target.class_weights ? target.class_weights[c] : 1.0f; }
};

struct MeanSquaredError {
  DEVICE void score(int outputs, const float *z, const Target &target, float scale, float *dz, float *loss,
                    uint32_t *correct) const {
    for (int k = FIRST_ITEM; dz && k < outputs; k += ITEMS_AT_ONCE) {
      dz[k] = (z[k] - target.values[k]) * (2.0f / outputs * scale);
    }
    if (FIRST_ITEM == 0) {
      double sum = 0;
      for (int k = 0; k < outputs; k++) sum += (double)(z[k] - target.values[k]) * (z[k] - target.values[k]);
      *loss = (float)(sum / outputs);
      *correct = 0;
    }
  }
};

// |z| times what the target is off on its side, plus the log of 1 + e^-|z|. Nothing cancels in it either.
struct SigmoidCrossEntropy {
  DEVICE void score(int outputs, const float *z, const Target &target, float scale, float *dz, float *loss,
                    uint32_t *correct) const {
    for (int k = FIRST_ITEM; dz && k < outputs; k += ITEMS_AT_ONCE) {
      const float e = expf(-fabsf(z[k])), sigmoid = (z[k] > 0 ? 1 : e) / (1 + e);
      dz[k] = (sigmoid - target.values[k]) * (scale / outputs);
    }
    if (FIRST_ITEM == 0) {
      double sum = 0;
      uint32_t right = 0;
      for (int k = 0; k < outputs; k++) {
        const float t = target.values[k], size = fabsf(z[k]);
        sum += size * (z[k] > 0 ? 1 - t : t) + log1pf(expf(-size));
        right += t > 0.5f ? z[k] > 0 : z[k] <= 0;
      }
      *loss = (float)(sum / outputs);
      *correct = right;
    }
  }
};

// In the order of the numbers that src/losses/ has.
enum class LossKind : int { SOFTMAX_CROSS_ENTROPY, MEAN_SQUARED_ERROR, SIGMOID_CROSS_ENTROPY };

// It lies in the GPU's memory, as the arguments of a captured launch stay what they were.
struct Loss {
  const float *class_weights;  // null where all classes weigh the same
  const float *scales;  // of each batch of the run, 1 / the sum of its images' weights; null where that is 1 / their number
  LossKind kind;
  int settings[3];
};

// Calls `work` with the loss's struct.
template <class Work> DEVICE auto with_loss(const Loss &loss, Work work) {
  switch (loss.kind) {
    case LossKind::SOFTMAX_CROSS_ENTROPY: return work(as<SoftmaxCrossEntropy>(loss.settings));
    case LossKind::MEAN_SQUARED_ERROR: return work(as<MeanSquaredError>(loss.settings));
    case LossKind::SIGMOID_CROSS_ENTROPY: return work(as<SigmoidCrossEntropy>(loss.settings));
  }
  UNREACHABLE;
}
