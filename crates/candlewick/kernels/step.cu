// The kernels. A training step is two of them: `train` takes each image of a batch through the network and back, in one
// block, with every value in between in shared memory where it fits; `update` adds up what the blocks left, in a fixed order,
// and moves the parameters.
#include "activation.cuh"
#include "conv2d.cuh"
#include "dense.cuh"
#include "loss.cuh"
#include "pool2d.cuh"

DEVICE float *block_memory(const Arguments &a) {
  return a.scratch ? a.scratch + (size_t)BLOCK * a.memory_len : shared_memory;
}

// The place in the run of the batch's n-th image, as an index.
DEVICE uint32_t image_index(const Arguments &a, int n) { return a.order ? a.order[a.first + n] : a.first + n; }

DEVICE void load_image(const Arguments &a, uint32_t image, float *x) {
  const size_t start = (size_t)image * a.image_len;
  for (int i = FIRST_ITEM; i < a.image_len; i += ITEMS_AT_ONCE) {
    x[i] = a.bytes ? a.bytes[start + i] / 255.0f : a.floats[start + i];
  }
}

// From the image at the start of `memory` to the logits, whose place it returns.
DEVICE float *forward(const Arguments &a, float *memory) {
  float *y = memory;
  for (int i = 0; i < a.operation_count; i++) {
    const Operation &op = a.operations[i];
    const float *x = memory + op.x;
    y = memory + op.y;
    BARRIER;
    switch (op.kind) {
      case CONV2D: conv2d_forward(op, a.parameters + op.weight, a.parameters + op.bias, x, y); break;
      case MAX_POOL2D: max_pool2d_forward(op, x, y); break;
      case AVG_POOL2D: avg_pool2d_forward(op, x, y); break;
      case DENSE: dense_forward(op, a.turned + op.weight, a.parameters + op.bias, x, y); break;
      case ACTIVATION: activation_forward(op, x, y); break;
    }
  }
  BARRIER;
  return y;
}

// From the gradient by the logits, in the first of the two, back to the first operation.
DEVICE void backward(const Arguments &a, float *memory, bool is_first, float *partial, float *record) {
  float *dy = memory + a.gradients, *dx = dy + a.longest;
  for (int i = a.operation_count - 1; i >= 0; i--) {
    const Operation &op = a.operations[i];
    const float *x = memory + op.x, *y = memory + op.y;
    BARRIER;
    if (op.kind == CONV2D) conv2d_parameter_gradient(op, x, dy, is_first, partial, a.gradient_len);
    if (op.kind == DENSE) dense_record(op, x, dy, record);
    if (i == 0) break;  // nobody asks for the gradient by the image
    switch (op.kind) {
      case CONV2D: conv2d_input_gradient(op, a.parameters + op.weight, dy, dx); break;
      case DENSE: dense_input_gradient(op, a.parameters + op.weight, dy, dx); break;
      case ACTIVATION: activation_backward(op, y, dy, dx); break;
      default: pool2d_backward(op, x, y, dy, dx);
    }
    float *swap = dy;
    dy = dx, dx = swap;
  }
}

// Forward, loss and backward of a batch.
KERNEL train(Arguments a) {
  float *memory = block_memory(a);
  float *partial = a.partials + (size_t)BLOCK * SPLITS * a.gradient_len;
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    const uint32_t image = image_index(a, n);
    BARRIER;
    load_image(a, image, memory);
    const float *logits = forward(a, memory);
    softmax_cross_entropy(a.classes, logits, a.labels[image], a.scale, memory + a.gradients, a.losses + a.first + n,
                          a.correct + a.first + n);
    backward(a, memory, n == BLOCK, partial, a.records + (size_t)n * a.record_len);
  }
}

// Forward and loss.
KERNEL score(Arguments a) {
  float *memory = block_memory(a);
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    const uint32_t image = image_index(a, n);
    BARRIER;
    load_image(a, image, memory);
    const float *logits = forward(a, memory);
    softmax_cross_entropy(a.classes, logits, a.labels[image], 0, nullptr, a.losses + a.first + n, a.correct + a.first + n);
  }
}

// Forward.
KERNEL predict(Arguments a) {
  float *memory = block_memory(a);
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    BARRIER;
    load_image(a, image_index(a, n), memory);
    const float *logits = forward(a, memory);
    for (int c = FIRST_ITEM; c < a.classes; c += ITEMS_AT_ONCE) {
      a.logits[(size_t)(a.first + n) * a.classes + c] = logits[c];
    }
  }
}

DEVICE const Operation &owner(const Arguments &a, int parameter) {
  int i = 0;
  while (parameter >= a.operations[i].parameter_end) i++;
  return a.operations[i];
}

// Every `stride`-th part, from `from` on, of the gradient of a parameter.
DEVICE float sum_parts(const Arguments &a, const Operation &op, int parameter, int from, int stride) {
  float sum = 0;
  if (op.kind == DENSE) {
    // Where an image's two factors are, found once; a bias's second is 1.
    const int inputs = input_len(op), weights = inputs * op.out_channels, i = parameter - op.weight;
    const bool is_bias = i >= weights;
    const float *x = a.records + op.record + (is_bias ? 0 : i % inputs);
    const float *dz = a.records + op.record + inputs + (is_bias ? i - weights : i / inputs);
    for (int n = from; n < a.images; n += stride) {
      const size_t at = (size_t)n * a.record_len;
      sum += dz[at] * (is_bias ? 1.0f : x[at]);
    }
  } else {
    const float *partials = a.partials + op.gradient + parameter - op.weight;
    for (int n = from; n < a.partial_count; n += stride) sum += partials[(size_t)n * a.gradient_len];
  }
  return sum;
}

// Dense weights as [I][O], for the forward pass.
DEVICE void turn(const Arguments &a, const Operation &op, int parameter, float value) {
  const int inputs = input_len(op), i = parameter - op.weight;
  if (op.kind == DENSE && parameter < op.bias) a.turned[op.weight + (size_t)(i % inputs) * op.out_channels + i / inputs] = value;
}

// Parameters of a block at a time, beside each other in memory, and threads that share each one's sum.
enum { PARAMETERS = 32, SHARERS = 8 };

// The gradient, from what `train` left, and the optimiser's step, in PyTorch's definition:
// g <- g + weight_decay w, v <- momentum v + g, w <- w - learning_rate v.
KERNEL update(Arguments a) {
  const int groups = (a.parameter_count + PARAMETERS - 1) / PARAMETERS;
  for (int group = BLOCK; group < groups; group += BLOCKS) {
    BARRIER;
    for (int item = FIRST_ITEM; item < PARAMETERS * SHARERS; item += ITEMS_AT_ONCE) {
      const int parameter = group * PARAMETERS + item % PARAMETERS;
      if (parameter < a.parameter_count) {
        shared_memory[item] = sum_parts(a, owner(a, parameter), parameter, item / PARAMETERS, SHARERS);
      }
    }
    BARRIER;
    for (int item = FIRST_ITEM; item < PARAMETERS; item += ITEMS_AT_ONCE) {
      const int parameter = group * PARAMETERS + item;
      if (parameter >= a.parameter_count) break;
      float g = 0;
      for (int sharer = 0; sharer < SHARERS; sharer++) g += shared_memory[sharer * PARAMETERS + item];
      a.gradient[parameter] = g;
      float w = a.parameters[parameter];
      if (a.weight_decay > 0) g += a.weight_decay * w;
      if (a.momentum > 0) a.velocity[parameter] = g = a.momentum * a.velocity[parameter] + g;
      w -= a.learning_rate * g;
      a.parameters[parameter] = w;
      turn(a, owner(a, parameter), parameter, w);
    }
  }
}

// Turns all dense weights, after new parameters have come.
KERNEL turn_all(Arguments a) {
  for (int parameter = BLOCK * ITEMS_AT_ONCE + FIRST_ITEM; parameter < a.parameter_count; parameter += BLOCKS * ITEMS_AT_ONCE) {
    turn(a, owner(a, parameter), parameter, a.parameters[parameter]);
  }
}

// Loss and correct answers of the `images` of a run, in one block of 256 threads' worth of sums.
KERNEL sum_metrics(Arguments a) {
  enum { SUMS = 256 };
  double *sums = (double *)shared_memory;
  for (int item = FIRST_ITEM; item < SUMS; item += ITEMS_AT_ONCE) {
    double loss = 0, correct = 0;
    for (int n = item; n < a.images; n += SUMS) loss += a.losses[n], correct += a.correct[n];
    sums[item] = loss, sums[SUMS + item] = correct;
  }
  BARRIER;
  if (FIRST_ITEM == 0) {
    double loss = 0, correct = 0;
    for (int i = 0; i < SUMS; i++) loss += sums[i], correct += sums[SUMS + i];
    a.sums[0] = loss, a.sums[1] = correct;
  }
}
