// What a layer does in training. Most do what they do in answers, and take no notice of the other images. One for which it is
// another overloads these, of which the first four are a block's and the others a launch's: of as many blocks as the layer asks for.
//
//   forward_in_training(layer, own, turned, batch, x, y)
//   input_gradient_in_training(layer, own, batch, seen, dx)
//   survey(layer, x, survey)                   what must be known of an image before the batch goes on
//   survey_back(layer, batch, seen, survey)    the same on the way back; there is no y to be seen
//   conclude(layer, surveys, own, numbers)     from the surveys of all images to the batch's numbers, and to parameters that keep what
//                                              the layer has seen
//   conclude_back(layer, surveys, numbers)     the same on the way back
#pragma once
#include "layer.cuh"
#include "philox.cuh"

// What an operation knows of its batch, and of the image in it.
struct Batch {
  const float *numbers;  // that the surveys came to
  int images;
  Chance chance;
};

template <class Layer>
DEVICE void forward_in_training(const Layer &layer, const float *own, const float *turned, const Batch &, const float *x, float *y) {
  layer.forward(own, turned, x, y);
}

template <class Layer>
DEVICE void input_gradient_in_training(const Layer &layer, const float *own, const Batch &, const Seen &seen, float *dx) {
  layer.input_gradient(own, seen, dx);
}

template <class Layer>
DEVICE void survey(const Layer &, const float *, float *) {}
template <class Layer>
DEVICE void survey_back(const Layer &, const Batch &, const Seen &, float *) {}
template <class Layer>
DEVICE void conclude(const Layer &, const Rows &, float *, float *) {}
template <class Layer>
DEVICE void conclude_back(const Layer &, const Rows &, float *) {}

// The sum of `count` numbers in SUMS parts, which are then added up in pairs: in the same order for any number of threads. All of
// a block's threads have it.
template <class At>
DEVICE double sum_in_block(int count, At at) {
  double *sums = (double *)shared_memory;
  for (int item = FIRST_ITEM; item < SUMS; item += ITEMS_AT_ONCE) {
    double sum = 0;
    for (int i = item; i < count; i += SUMS) sum += at(i);
    sums[item] = sum;
  }
  for (int half = SUMS / 2; half > 0; half /= 2) {
    BARRIER;
    for (int i = FIRST_ITEM; i < half; i += ITEMS_AT_ONCE) sums[i] += sums[i + half];
  }
  BARRIER;
  const double sum = sums[0];
  BARRIER;  // the next sum takes its place
  return sum;
}
