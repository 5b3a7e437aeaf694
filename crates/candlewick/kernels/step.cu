// The kernels. A training step is two of them: `train` takes each image of a batch through the network and back, in one
// block, with every value in between in shared memory where it fits; `update` adds up what the blocks left, in a fixed order,
// and moves the parameters. Where gradients are clipped, `gather`, `clip` and `move_all` are in the place of `update`.
//
// A layer that must know the whole batch divides `train` into visits: one as far as the layer, `join_surveys`, one from there on, and
// the same on the way back. What an image keeps from one visit to another is in global memory.
#include "layers.cuh"
#include "loss.cuh"
#include "optimizers.cuh"

// That of the batch's n-th image.
DEVICE float *memory_of(const Arguments &a, int n) {
  return a.scratch ? a.scratch + (size_t)(a.by_image ? n : BLOCK) * a.memory_len : shared_memory;
}

// The place in the run of the batch's n-th image, as an index.
DEVICE uint32_t image_index(const Arguments &a, int n) { return a.order ? a.order[a.first + n] : a.first + n; }

DEVICE void load_image(const Arguments &a, uint32_t image, float *x) {
  const size_t start = (size_t)image * a.image_len;
  for (int i = FIRST_ITEM; i < a.image_len; i += ITEMS_AT_ONCE) {
    x[i] = a.bytes ? a.bytes[start + i] / 255.0f : a.floats[start + i];
  }
  if (!a.normalization) return;
  for (int i = FIRST_ITEM; i < a.image_len; i += ITEMS_AT_ONCE) {  // which the same thread has loaded
    const Channel &channel = a.normalization[i / a.plane_len];
    x[i] = (x[i] - channel.mean) * channel.factor;
  }
}

// What the `place`-th operation knows of the batch, at its n-th image.
DEVICE Batch batch_of(const Arguments &a, int place, int n) {
  const Chance chance = {a.seed, *a.batches + 1, (uint32_t)place, (uint32_t)n};
  return {a.numbers + a.operations[place].numbers, a.images, chance};
}

// From what is in `memory` when a visit begins to what its operations make of it, the last of which is the logits; the place of
// that. All threads are then past the first operation, so that another image may take the place of this one, unless `backward`
// follows.
template <bool IN_TRAINING>
DEVICE float *forward(const Arguments &a, int n, float *memory) {
  float *y = memory;
  for (int i = a.visit.first_operation; i < a.visit.end_operation; i++) {
    const Operation &op = a.operations[i];
    const float *x = memory + op.x;
    y = memory + op.y;
    BARRIER;
    if (op.plus >= 0) {
      as<Add>(op.words).add(x, memory + op.plus, y);
      continue;
    }
    with_layer(op, [&](const auto &layer) {
      const float *own = a.parameters + op.own, *turned = a.turned + op.own;
      if constexpr (IN_TRAINING) forward_in_training(layer, own, turned, batch_of(a, i, n), x, y);
      else layer.forward(own, turned, x, y);
    });
  }
  BARRIER;
  return y;
}

// A visit's way back.
DEVICE void backward(const Arguments &a, int n, float *memory, bool is_first, float *partials, float *record) {
  for (int i = a.visit.first_step; i < a.visit.end_step; i++) {
    const Step &step = a.steps[i];
    BARRIER;
    if (step.operation < 0) {
      Add sum;
      sum.len = step.len;
      sum.add(memory + step.dy, memory + step.other, memory + step.dx);
      continue;
    }
    const Operation &op = a.operations[step.operation];
    with_layer(op, [&](const auto &layer) {
      const Seen seen = {memory + op.x, memory + op.y, memory + step.dy};
      if (op.own < op.learned_end) {
        layer.leave(seen, {partials + op.partial, a.partial_len, SPLITS}, is_first, record + op.record);
      }
      if (step.dx >= 0) input_gradient_in_training(layer, a.parameters + op.own, batch_of(a, step.operation, n), seen, memory + step.dx);
    });
  }
}

// What the batch must know of an image before it goes on.
DEVICE void survey_image(const Arguments &a, int n, float *memory) {
  const Operation &op = a.operations[a.visit.surveyed];
  BARRIER;
  with_layer(op, [&](const auto &layer) {
    const Seen seen = {memory + op.x, memory + op.y, memory + a.visit.surveyed_dy};
    if (a.visit.surveyed_dy < 0) survey(layer, seen.x, memory + a.survey);
    else survey_back(layer, batch_of(a, a.visit.surveyed, n), seen, memory + a.survey);
  });
}

// The loss of the batch's n-th image, whose gradient goes to dz unless that is null.
DEVICE void score_image(const Arguments &a, int n, uint32_t image, const float *outputs, float *dz) {
  const Loss &loss = *a.loss;
  const Target target = {a.labels ? a.labels[image] : 0, a.mixes ? a.mixes + image : nullptr,
                         a.values ? a.values + (size_t)image * a.classes : nullptr, loss.class_weights};
  const float scale = loss.scales ? loss.scales[a.batch] : a.scale;
  with_loss(loss, [&](const auto &kind) {
    kind.score(a.classes, outputs, target, scale, dz, a.losses + a.first + n, a.correct + a.first + n);
  });
}

// A visit to the images of a batch. For most networks there is one: forward, loss and backward.
KERNEL train(Arguments a) {
  if (BLOCK == 0 && FIRST_ITEM == 0 && a.visit.ends && a.images > 0) count_step(*a.optimizer);  // `update` reads it
  float *partials = a.partials + (size_t)BLOCK * SPLITS * a.partial_len;
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    const uint32_t image = image_index(a, n);
    float *memory = memory_of(a, n);
    BARRIER;
    if (a.visit.begins) load_image(a, image, memory);
    const float *logits = forward<true>(a, n, memory);
    if (a.visit.ends) score_image(a, n, image, logits, memory + a.loss_gradient);
    backward(a, n, memory, n == BLOCK, partials, a.records + (size_t)n * a.record_len);
    if (a.visit.surveyed >= 0) survey_image(a, n, memory);
  }
}

// Puts together what the images of a batch were surveyed for.
KERNEL join_surveys(Arguments a) {
  if (a.images == 0) return;
  const Operation &op = a.operations[a.visit.surveyed];
  const Rows surveys = {a.scratch + a.survey, a.memory_len, a.images};
  with_layer(op, [&](const auto &layer) {
    if (a.visit.surveyed_dy < 0) conclude(layer, surveys, a.parameters + op.own, a.numbers + op.numbers);
    else conclude_back(layer, surveys, a.numbers + op.numbers);
  });
}

// Hands the logits of the batch's n-th image out.
DEVICE void keep_logits(const Arguments &a, int n, const float *logits) {
  for (int c = FIRST_ITEM; c < a.classes; c += ITEMS_AT_ONCE) {
    a.logits[(size_t)(a.first + n) * a.classes + c] = logits[c];
  }
}

// Forward and loss; and the logits, where there is a place for them.
KERNEL score(Arguments a) {
  float *memory = memory_of(a, 0);
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    const uint32_t image = image_index(a, n);
    load_image(a, image, memory);
    const float *logits = forward<false>(a, n, memory);
    score_image(a, n, image, logits, nullptr);
    if (a.logits) keep_logits(a, n, logits);
  }
}

// Forward.
KERNEL predict(Arguments a) {
  float *memory = memory_of(a, 0);
  for (int n = BLOCK; n < a.images; n += BLOCKS) {
    load_image(a, image_index(a, n), memory);
    keep_logits(a, n, forward<false>(a, n, memory));
  }
}

// The operation that a parameter is of.
DEVICE const Operation &owner(const Arguments &a, int parameter) {
  int i = 0;
  while (parameter >= a.operations[i].own_end) i++;
  return a.operations[i];
}

// Every SHARERS-th part, from `from` on, of the gradient by a parameter; that by one that steps don't move is 0.
DEVICE float sum_parts(const Arguments &a, int parameter, int from) {
  const Operation &op = owner(a, parameter);
  if (parameter >= op.learned_end) return 0;
  const Rows partials = {a.partials + op.partial, a.partial_len, a.partial_count};
  const Rows records = {a.records + op.record, a.record_len, a.images};
  const Left left = {partials, records, a.numbers + op.numbers};
  return with_layer(op, [&](const auto &layer) { return layer.gradient(left, parameter - op.own, from, SHARERS); });
}

// Keeps a parameter where the forward pass will read it.
DEVICE void turn(const Arguments &a, const Operation &op, int parameter, float value) {
  with_layer(op, [&](const auto &layer) { layer.turn(parameter - op.own, value, a.turned + op.own); });
}

// The gradient of a block's PARAMETERS, from what `train` left: calls `work` with each and its own. The batch is then done.
template <class Work>
DEVICE void sum_gradient(const Arguments &a, Work work) {
  if (BLOCK == 0 && FIRST_ITEM == 0 && a.images > 0) ++*a.batches;  // which `train` reads
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

// Moves a parameter, if steps do, and the average after it.
DEVICE void move(const Arguments &a, int parameter, float g) {
  const Operation &op = owner(a, parameter);
  float &w = a.parameters[parameter];
  if (parameter < op.learned_end) {
    w = step(*a.optimizer, parameter, w, g);
    turn(a, op, parameter, w);
  }
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
    turn(a, owner(a, parameter), parameter, a.parameters[parameter]);
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
