// What engine/cuda knows as well: its facts.rs asks for all of this, and says what differs.
#include <cstddef>
#include <typeinfo>

namespace {

struct Fact {
  const char *name;
  size_t value;
};

#define NUMBER(name) {#name, name}
#define SIZE(type) {#type, sizeof(type)}
#define PLACE(type, field) {#type "." #field, offsetof(type, field)}

constexpr Fact facts[] = {
    NUMBER(THREADS),
    NUMBER(SPLITS),
    NUMBER(PARAMETERS),
    NUMBER(SHARERS),
    NUMBER(SUMS),
    NUMBER(MOST_STATE),
    SIZE(Operation),
    PLACE(Operation, kind),
    PLACE(Operation, x),
    PLACE(Operation, y),
    PLACE(Operation, plus),
    PLACE(Operation, own),
    PLACE(Operation, own_end),
    PLACE(Operation, learned_end),
    PLACE(Operation, partial),
    PLACE(Operation, record),
    PLACE(Operation, numbers),
    PLACE(Operation, words),
    SIZE(Step),
    PLACE(Step, operation),
    PLACE(Step, dy),
    PLACE(Step, other),
    PLACE(Step, dx),
    PLACE(Step, len),
    SIZE(Visit),
    PLACE(Visit, begins),
    PLACE(Visit, first_operation),
    PLACE(Visit, end_operation),
    PLACE(Visit, ends),
    PLACE(Visit, first_step),
    PLACE(Visit, end_step),
    PLACE(Visit, surveyed),
    PLACE(Visit, surveyed_dy),
    SIZE(Optimizer),
    PLACE(Optimizer, steps),
    PLACE(Optimizer, begun),
    PLACE(Optimizer, planes),
    PLACE(Optimizer, rates),
    PLACE(Optimizer, decays),
    PLACE(Optimizer, average),
    PLACE(Optimizer, average_decay),
    PLACE(Optimizer, share),
    PLACE(Optimizer, clip_norm),
    PLACE(Optimizer, scale),
    PLACE(Optimizer, rule),
    PLACE(Optimizer, settings),
    SIZE(Mix),
    PLACE(Mix, other),
    PLACE(Mix, share),
    SIZE(Loss),
    PLACE(Loss, class_weights),
    PLACE(Loss, scales),
    PLACE(Loss, kind),
    PLACE(Loss, settings),
    SIZE(Rate),
    PLACE(Rate, momentum),
    PLACE(Rate, learning_rate),
    PLACE(Rate, padding),
    SIZE(Arguments),
    PLACE(Arguments, operations),
    PLACE(Arguments, steps),
    PLACE(Arguments, bytes),
    PLACE(Arguments, floats),
    PLACE(Arguments, order),
    PLACE(Arguments, labels),
    PLACE(Arguments, mixes),
    PLACE(Arguments, values),
    PLACE(Arguments, loss),
    PLACE(Arguments, parameters),
    PLACE(Arguments, turned),
    PLACE(Arguments, gradient),
    PLACE(Arguments, optimizer),
    PLACE(Arguments, batches),
    PLACE(Arguments, seed),
    PLACE(Arguments, partials),
    PLACE(Arguments, records),
    PLACE(Arguments, losses),
    PLACE(Arguments, correct),
    PLACE(Arguments, logits),
    PLACE(Arguments, scratch),
    PLACE(Arguments, numbers),
    PLACE(Arguments, sums),
    PLACE(Arguments, normalization),
    PLACE(Arguments, visit),
    PLACE(Arguments, image_len),
    PLACE(Arguments, plane_len),
    PLACE(Arguments, classes),
    PLACE(Arguments, first),
    PLACE(Arguments, images),
    PLACE(Arguments, batch),
    PLACE(Arguments, memory_len),
    PLACE(Arguments, by_image),
    PLACE(Arguments, loss_gradient),
    PLACE(Arguments, survey),
    PLACE(Arguments, partial_len),
    PLACE(Arguments, record_len),
    PLACE(Arguments, partial_count),
    PLACE(Arguments, parameter_count),
    PLACE(Arguments, scale),
};

}  // namespace

// -1 for what is not known here.
extern "C" int64_t candlewick_fact(const char *name) {
  for (const Fact &fact : facts) {
    if (!std::strcmp(fact.name, name)) return fact.value;
  }
  return -1;
}

extern "C" bool candlewick_has_kernel(const char *name) { return kernel_of(name); }

// The structs that the numbers of layers, functions, rules and losses stand for: `Conv2d`, after digits.
extern "C" const char *candlewick_layer(int kind) {
  return with_layer({static_cast<Kind>(kind), 0, 0, 0, 0, 0, 0, 0, 0, 0, {}}, [](const auto &layer) { return typeid(layer).name(); });
}
extern "C" const char *candlewick_function(int function) {
  return with_function(static_cast<Function>(function), {0.0f, 0.0f}, [](const auto &f) { return typeid(f).name(); });
}
extern "C" const char *candlewick_rule(int rule) {
  return with_rule({0, 0, {}, nullptr, nullptr, nullptr, 0, 0, 0, 0, static_cast<Rule>(rule), {}}, [](const auto &rule) { return typeid(rule).name(); });
}
extern "C" const char *candlewick_loss(int kind) {
  return with_loss({nullptr, nullptr, static_cast<LossKind>(kind), {}}, [](const auto &loss) { return typeid(loss).name(); });
}
