// The list of layers: a kind, and a case of `with_layer`. Nothing else in the kernels knows a layer by name.
#pragma once
#include "activation.cuh"
#include "add.cuh"
#include "avg_pool2d.cuh"
#include "batch_norm.cuh"
#include "conv2d.cuh"
#include "dense.cuh"
#include "dropout.cuh"
#include "max_pool2d.cuh"

// Their numbers, as in src/layers/.
enum class Kind : int { CONV2D, MAX_POOL2D, AVG_POOL2D, DENSE, ACTIVATION, BATCH_NORM, ADD, DROPOUT };

// A layer in its place.
struct Operation {
  Kind kind;
  int x, y;          // in an image's memory
  int plus;          // the other value of a sum; below 0 for all others
  int own, own_end;  // among all parameters; equal where there are none
  int learned_end;   // of those that steps move, which come first
  int partial;       // in a partial gradient
  int record;        // in an image's record
  int numbers;       // among the batch's
  int words[16];     // the layer's struct
};

// A step on the way back: through an operation, from the gradient by its output to that by its input; or, where two ways meet at a
// value, from two gradients by it to their sum.
struct Step {
  int operation;  // below 0 for a sum
  int dy, other;  // in an image's memory; the other is a sum's
  int dx;         // below 0 where nobody asks for it
  int len;        // of a sum
};

// Calls `work` with the layer that an operation is.
template <class Work> DEVICE auto with_layer(const Operation &op, Work work) {
  switch (op.kind) {
    case Kind::CONV2D: return work(as<Conv2d>(op.words));
    case Kind::MAX_POOL2D: return work(as<MaxPool2d>(op.words));
    case Kind::AVG_POOL2D: return work(as<AvgPool2d>(op.words));
    case Kind::DENSE: return work(as<Dense>(op.words));
    case Kind::ACTIVATION: return work(as<Activation>(op.words));
    case Kind::BATCH_NORM: return work(as<BatchNorm>(op.words));
    case Kind::ADD: return work(as<Add>(op.words));
    case Kind::DROPOUT: return work(as<Dropout>(op.words));
  }
  UNREACHABLE;
}
