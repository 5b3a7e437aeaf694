// A layer, to the kernels: a struct of its words with these methods. `own` are its parameters, end to end.
//
//   forward(own, turned, x, y)          y from x
//   input_gradient(own, seen, dx)       the gradient by x
//   leave(seen, partials, is_first, record)
//                                       what the gradient by its parameters is made of: added to the block's partial gradients,
//                                       which the block's first image sets, or written to a record of the image
//   gradient(left, i, from, stride)     of the gradient by own[i], every stride-th part of what a batch left, from `from` on
//   turn(i, value, turned)              keeps own[i], which is `value` now, where the forward pass will read it
//
// batch.cuh has what is another in training.
//
// The first three are a block's: its threads share out the work. The others are one thread's. A layer without parameters takes
// the last three from Parameterless.
//
// Letters: C channels, H height, W width, K kernel; O stands for the output. `d` before a name is the gradient of the loss by it.
#pragma once
#include "arguments.cuh"
#include "words.cuh"

// What went into a layer, what came out, and the gradient by that.
struct Seen {
  const float *x, *y, *dy;
};

// As many numbers of each of several blocks or images, `stride` apart.
struct Rows {
  float *first;
  int stride, count;
  DEVICE float *operator[](int row) const { return first + (size_t)row * stride; }
};

// What the images of a batch left: partial gradients of their blocks, a record of each, and the batch's numbers.
struct Left {
  Rows partials, records;
  const float *numbers;
};

struct Parameterless {
  DEVICE void leave(const Seen &, const Rows &, bool, float *) const {}
  DEVICE float gradient(const Left &, int, int, int) const { return 0; }
  DEVICE void turn(int, float, float *) const {}
};
