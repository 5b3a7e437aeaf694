// Optimisers: what a step does to a parameter, in the same lines as src/optimizers/.
//
// A rule is a struct of its settings, and is added with an entry of Rule and a case of `with_rule`:
//
//   STATE                 numbers that it keeps for a parameter
//   at(number)            works out, once a step, what depends on the step's number, which is counted from 1
//   step(w, g, state)     from a parameter, its gradient and its state to the new parameter and state
#pragma once
#include "words.cuh"

// The most numbers that any keeps for a parameter.
enum { MOST_STATE = 2 };

// A rule that is the same at each step.
struct Steady {
  DEVICE void at(uint64_t) {}
};

// Without decay the gradient alone: 0 times a weight that is infinite is no number.
DEVICE float decayed(float weight_decay, float w, float g) { return weight_decay > 0 ? weight_decay * w + g : g; }

struct Descent : Steady {
  enum { STATE = 0 };
  float learning_rate, weight_decay;

  DEVICE float step(float w, float g, float *) const { return w - learning_rate * decayed(weight_decay, w, g); }
};

struct Momentum : Steady {
  enum { STATE = 1 };
  float learning_rate, momentum, weight_decay;

  DEVICE float step(float w, float g, float *velocity) const {
    *velocity = momentum * *velocity + decayed(weight_decay, w, g);
    return w - learning_rate * *velocity;
  }
};

struct Adam {
  enum { STATE = 2 };
  double beta1, beta2;
  float learning_rate, epsilon, rate, root;

  DEVICE void at(uint64_t number) {
    rate = (float)(learning_rate / (1 - pow(beta1, (double)number)));
    root = (float)(1 / sqrt(1 - pow(beta2, (double)number)));
  }

  DEVICE float step(float w, float g, float *state) const {
    float &m = state[0], &v = state[1];
    m = (float)beta1 * m + (float)(1 - beta1) * g;
    v = (float)beta2 * v + (float)(1 - beta2) * (g * g);
    return w - rate * m / (sqrtf(v) * root + epsilon);
  }
};

// In the order of the numbers that src/optimizers/ has.
enum class Rule : int { DESCENT, MOMENTUM, ADAM };

// It lies in the GPU's memory, as the arguments of a captured launch stay what they were.
struct Optimizer {
  uint64_t steps;             // those done, and the one that is being done
  float *planes[MOST_STATE];  // of a number for each parameter
  Rule rule;
  int settings[11];
};

// Calls `work` with the rule that an optimiser follows.
template <class Work> DEVICE auto with_rule(const Optimizer &optimizer, Work work) {
  switch (optimizer.rule) {
    case Rule::DESCENT: return work(as<Descent>(optimizer.settings));
    case Rule::MOMENTUM: return work(as<Momentum>(optimizer.settings));
    case Rule::ADAM: return work(as<Adam>(optimizer.settings));
  }
  UNREACHABLE;
}

// Before a step.
DEVICE void count_step(Optimizer &optimizer) {
  optimizer.steps++;
  with_rule(optimizer, [&](auto rule) {
    rule.at(optimizer.steps);
    put(rule, optimizer.settings);
  });
}

// A parameter's step from `w`, with its state.
DEVICE float step(const Optimizer &optimizer, int parameter, float w, float g) {
  return with_rule(optimizer, [&](const auto &rule) {
    float state[MOST_STATE];
    for (int plane = 0; plane < rule.STATE; plane++) state[plane] = optimizer.planes[plane][parameter];
    w = rule.step(w, g, state);
    for (int plane = 0; plane < rule.STATE; plane++) optimizer.planes[plane][parameter] = state[plane];
    return w;
  });
}
