// The kernels. A training step is two of them: `train` takes each image of a batch through the network and back, in one
// block, with every value in between in shared memory where it fits; `update` adds up what the blocks left, in a fixed order,
// and moves the parameters. Where gradients are clipped, `gather`, `clip` and `move_all` are in the place of `update`.
#include "layers.cuh"
#include "loss.cuh"
#include "optimizers.cuh"

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

// From the image at the start of `memory` to the logits, whose place it returns. All threads are then past the first operation, so
// that another image may take the place of this one, unless `backward` follows.
DEVICE float *forward(const Arguments &a, float *memory) {
  float *y = memory;
  for (int i = 0; i < a.operation_count; i++) {
    const Operation &op = a.operations[i];
    const float *x = memory + op.x;
    y = memory + op.y;
    BARRIER;
    with_layer(op, [&](const auto &layer) { layer.forward(a.parameters + op.own, a.turned + op.own, x, y); });
  }
  BARRIER;
  return y;
}

// From the gradient by the logits, in the first of the two, back to the first operation.
DEVICE void backward(const Arguments &a, float *memory, bool is_first, float *partials, float *record) {
  float *dy = memory + a.gradient_places, *dx = dy + a.longest;
  for (int i = a.operation_count - 1; i >= 0; i--) {
    const Operation &op = a.operations[i];
    BARRIER;
    with_layer(op, [&](const auto &layer) {
      const Seen seen = {memory + op.x, memory + op.y, dy};
      layer.leave(seen, {partials + op.partial, a.partial_len, SPLITS}, is_first, record + op.record);
      // Nobody asks for the gradient by the image.
      if (i > 0) layer.input_gradient(a.parameters + op.own, seen, dx);
    });
    float *swap = dy;
    dy = dx, dx = swap;
  }
}

// The loss of the batch's n-th image, whose gradient goes to dz unless that is null.
DEVICE void score_image(const Arguments &a, int n, uint32_t image, const float *outputs, float *dz) {
  const Loss &loss = *a.loss;
  const Target target = {a.labels ? a.labels[image] : 0, a.values ? a.values + (size_t)image * a.classes : nullptr,
                         loss.class_weights};
  const float scale = loss.scales ? loss.scales[a.batch] : a.scale;
  with_loss(loss, [&](const auto &kind) {
    kind.score(a.classes, outputs, target, scale, dz, a.losses + a.first + n, a.correct + a.first + n);
  });
}

// Forward, loss and backward of a batch.
KERNEL train(Arguments a) {
  if (BLOCK == 0 && FIRST_ITEM == 0 && a.images > 0) count_step(*a.optimizer);  // `update` reads it
  float *memory = block_memory(a);
  float *partials = a.partials + (size_t)BLOCK * SPLITS * a.partial_len;
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    const uint32_t image = image_index(a, n);
    BARRIER;
    load_image(a, image, memory);
    const float *logits = forward(a, memory);
    score_image(a, n, image, logits, memory + a.gradient_places);
    backward(a, memory, n == BLOCK, partials, a.records + (size_t)n * a.record_len);
  }
}

// Forward and loss.
KERNEL score(Arguments a) {
  float *memory = block_memory(a);
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    const uint32_t image = image_index(a, n);
    load_image(a, image, memory);
    const float *logits = forward(a, memory);
    score_image(a, n, image, logits, nullptr);
  }
}

// Forward.
KERNEL predict(Arguments a) {
  float *memory = block_memory(a);
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    load_image(a, image_index(a, n), memory);
    const float *logits = forward(a, memory);
    for (int c = FIRST_ITEM; c < a.classes; c += ITEMS_AT_ONCE) {
      a.logits[(size_t)(a.first + n) * a.classes + c] = logits[c];
    }
  }
}

// The operation that a parameter is of.
DEVICE const Operation &owner(const Arguments &a, int parameter) {
  int i = 0;
  while (parameter >= a.operations[i].own_end) i++;
  return a.operations[i];
}

// Every SHARERS-th part, from `from` on, of the gradient by a parameter.
DEVICE float sum_parts(const Arguments &a, int parameter, int from) {
  const Operation &op = owner(a, parameter);
  const Rows partials = {a.partials + op.partial, a.partial_len, a.partial_count};
  const Rows records = {a.records + op.record, a.record_len, a.images};
  return with_layer(op, [&](const auto &layer) { return layer.gradient({partials, records}, parameter - op.own, from, SHARERS); });
}

// Keeps a parameter where the forward pass will read it.
DEVICE void turn(const Arguments &a, int parameter, float value) {
  const Operation &op = owner(a, parameter);
  with_layer(op, [&](const auto &layer) { layer.turn(parameter - op.own, value, a.turned + op.own); });
}

// The gradient of a block's PARAMETERS, from what `train` left: calls `work` with each and its own.
template <class Work> DEVICE void sum_gradient(const Arguments &a, Work work) {
  const int first = BLOCK * PARAMETERS;
  for (int item = FIRST_ITEM; item < PARAMETERS * SHARERS; item += ITEMS_AT_ONCE) {
    const int parameter = first + item % PARAMETERS;
    if (parameter < a.parameter_count) shared_memory[item] = sum_parts(a, parameter, item / PARAMETERS);
  }
  BARRIER;
  for (int item = FIRST_ITEM; item < PARAMETERS && first + item < a.parameter_count; item += ITEMS_AT_ONCE) {
    float g = 0;
    for (int sharer = 0; sharer < SHARERS; sharer++) g += shared_memory[sharer * PARAMETERS + item];
    a.gradient[first + item] = g;
    work(first + item, g);
  }
}

// Moves a parameter, and the average after it.
DEVICE void move(const Arguments &a, int parameter, float g) {
  const float w = step(*a.optimizer, parameter, a.parameters[parameter], g);
  a.parameters[parameter] = w;
  turn(a, parameter, w);
  follow(*a.optimizer, parameter, w);
}

// The gradient, and the optimiser's step.
KERNEL update(Arguments a) {
  sum_gradient(a, [&](int parameter, float g) { move(a, parameter, g); });
}

// The gradient alone, as it is to be clipped before the step.
KERNEL gather(Arguments a) {
  sum_gradient(a, [](int, float) {});
}

// The scale of the gradient, by the norm of all of it, in one block.
KERNEL clip(Arguments a) {
  double *sums = (double *)shared_memory;
  for (int item = FIRST_ITEM; item < SUMS; item += ITEMS_AT_ONCE) {
    double squares = 0;
    for (int i = item; i < a.parameter_count; i += SUMS) squares += (double)a.gradient[i] * a.gradient[i];
    sums[item] = squares;
  }
  BARRIER;
  if (FIRST_ITEM == 0) {
    double squares = 0;
    for (int i = 0; i < SUMS; i++) squares += sums[i];
    a.optimizer->scale = clipped(a.optimizer->clip_norm, squares);
  }
}

// The optimiser's step by the clipped gradient.
KERNEL move_all(Arguments a) {
  for (int parameter = BLOCK * ITEMS_AT_ONCE + FIRST_ITEM; parameter < a.parameter_count; parameter += BLOCKS * ITEMS_AT_ONCE) {
    move(a, parameter, a.optimizer->scale * a.gradient[parameter]);
  }
}

// Turns all parameters, after new ones have come.
KERNEL turn_all(Arguments a) {
  for (int parameter = BLOCK * ITEMS_AT_ONCE + FIRST_ITEM; parameter < a.parameter_count; parameter += BLOCKS * ITEMS_AT_ONCE) {
    turn(a, parameter, a.parameters[parameter]);
  }
}

// Loss and correct answers of the `images` of a run, in one block.
KERNEL sum_metrics(Arguments a) {
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
