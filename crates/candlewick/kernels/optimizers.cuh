// Optimisers: what a step does to a parameter, in the same lines as src/optimizers/.
//
// A rule is a struct of its settings, and is added with an entry of Rule and a case of `with_rule`:
//
//   STATE                       numbers that it keeps for a parameter
//   at(number, rate)            works out, once a step, what depends on the step's number, which is counted from 1, and on its rate
//   step(w, g, state, decays)   from a parameter, its gradient and its state to the new parameter and state
#pragma once
#include "words.cuh"

// The most numbers that any keeps for a parameter.
enum { MOST_STATE = 2 };

// The numbers of one step.
struct Rate {
  double momentum;  // SGD's, or Adam's beta1; below 0 where the optimiser's own stands
  float learning_rate;
  int padding;

  DEVICE double momentum_or(double own) const { return momentum < 0 ? own : momentum; }
};

// Without decay the gradient alone: 0 times a weight that is infinite is no number.
DEVICE float decayed(float weight_decay, float w, float g) { return weight_decay > 0 ? weight_decay * w + g : g; }

struct Descent {
  enum { STATE = 0 };
  float learning_rate, weight_decay;

  DEVICE void at(uint64_t, const Rate &rate) { learning_rate = rate.learning_rate; }

  DEVICE float step(float w, float g, float *, bool decays) const {
    return w - learning_rate * decayed(decays ? weight_decay : 0, w, g);
  }
};

struct Momentum {
  enum { STATE = 1 };
  float learning_rate, momentum, weight_decay;

  DEVICE void at(uint64_t, const Rate &rate) {
    learning_rate = rate.learning_rate;
    momentum = (float)rate.momentum_or(momentum);
  }

  DEVICE float step(float w, float g, float *velocity, bool decays) const {
    *velocity = momentum * *velocity + decayed(decays ? weight_decay : 0, w, g);
    return w - learning_rate * *velocity;
  }
};

struct Nesterov : Momentum {
  DEVICE float step(float w, float g, float *velocity, bool decays) const {
    g = decayed(decays ? weight_decay : 0, w, g);
    *velocity = momentum * *velocity + g;
    return w - learning_rate * (g + momentum * *velocity);
  }
};

struct Adam {
  enum { STATE = 2 };
  double beta1, beta2;
  float learning_rate, epsilon, weight_decay;
  float rate, root, keep;  // of a step

  DEVICE void at(uint64_t number, const Rate &its) {
    beta1 = its.momentum_or(beta1);
    rate = (float)(its.learning_rate / (1 - pow(beta1, (double)number)));
    root = (float)(1 / sqrt(1 - pow(beta2, (double)number)));
    keep = (float)(1 - (double)its.learning_rate * weight_decay);
  }

  DEVICE float moved(float w, float g, float *state) const {
    float &m = state[0], &v = state[1];
    m = (float)beta1 * m + (float)(1 - beta1) * g;
    v = (float)beta2 * v + (float)(1 - beta2) * (g * g);
    return w - rate * m / (sqrtf(v) * root + epsilon);
  }

  DEVICE float step(float w, float g, float *state, bool decays) const {
    return moved(w, decayed(decays ? weight_decay : 0, w, g), state);
  }
};

struct AdamW : Adam {
  DEVICE float step(float w, float g, float *state, bool decays) const { return moved(decays ? keep * w : w, g, state); }
};

// In the order of the numbers that src/optimizers/ has.
enum class Rule : int { DESCENT, MOMENTUM, NESTEROV, ADAM, ADAM_W };

// It lies in the GPU's memory, as the arguments of a captured launch stay what they were.
struct Optimizer {
  uint64_t steps;             // those done, and the one that is being done
  uint64_t begun;             // those done before the first that `rates` has the rate of
  float *planes[MOST_STATE];  // of a number for each parameter
  const Rate *rates;
  const uint8_t *decays;  // whether a parameter does, for each
  float *average;         // of the parameters; null where there is none
  double average_decay;
  float share;      // what the average takes of the parameters in a step
  float clip_norm;  // the most that the norm of all gradients may be, where they are clipped
  float scale;      // what they are multiplied by for that
  Rule rule;
  int settings[12];
};

// Calls `work` with the rule that an optimiser follows.
template <class Work> DEVICE auto with_rule(const Optimizer &optimizer, Work work) {
  switch (optimizer.rule) {
    case Rule::DESCENT: return work(as<Descent>(optimizer.settings));
    case Rule::MOMENTUM: return work(as<Momentum>(optimizer.settings));
    case Rule::NESTEROV: return work(as<Nesterov>(optimizer.settings));
    case Rule::ADAM: return work(as<Adam>(optimizer.settings));
    case Rule::ADAM_W: return work(as<AdamW>(optimizer.settings));
  }
  UNREACHABLE;
}

// Before a step.
DEVICE void count_step(Optimizer &optimizer) {
  const Rate &rate = optimizer.rates[optimizer.steps++ - optimizer.begun];
  with_rule(optimizer, [&](auto rule) {
    rule.at(optimizer.steps, rate);
    put(rule, optimizer.settings);
  });
  const double number = (double)optimizer.steps;
  optimizer.share = (float)(1 - fmin(optimizer.average_decay, (1 + number) / (10 + number)));
}

// What gradients are multiplied by whose squares add up to this.
DEVICE float clipped(float most, double squares) {
  const double scale = most / (sqrt(squares) + 1e-6);
  return scale > 1 ? 1 : (float)scale;  // NaN stays
}

// After a parameter's step to `w`.
DEVICE void follow(const Optimizer &optimizer, int parameter, float w) {
  if (!optimizer.average) return;
  float &average = optimizer.average[parameter];
  average += optimizer.share * (w - average);
}

// A parameter's step from `w`, with its state.
DEVICE float step(const Optimizer &optimizer, int parameter, float w, float g) {
  return with_rule(optimizer, [&](const auto &rule) {
    float state[MOST_STATE];
    for (int plane = 0; plane < rule.STATE; plane++) state[plane] = optimizer.planes[plane][parameter];
    w = rule.step(w, g, state, optimizer.decays[parameter]);
    for (int plane = 0; plane < rule.STATE; plane++) optimizer.planes[plane][parameter] = state[plane];
    return w;
  });
}
