// The kernels for the host. The threads of a block take turns, from barrier to barrier, and so do the blocks that run at once.
//
// What a thread reads before another has written it, or after another has written over it, is another value when the turns go
// the other way round; and where nothing has been written yet, it is NaN. So a missing barrier changes results, every time.
// Built with -fsanitize=thread, it also says where two threads meet in memory without a barrier between.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <vector>

#include "fiber.h"
#include "step.cu"

// How the threads of a launch run; `struct Threads` of emulated.rs.
struct Threads {
  int32_t in_block, blocks_at_once;
  int32_t descending;  // the last thread of the last block goes first
  // A planted fault: this thread, or with -1 all of them, passes by the barrier in this line of the file of this name.
  int32_t passed_by, line;
  const char *file;  // null where there is no fault
};

namespace {

// Where all threads meet as well.
constexpr Barrier START = {"start of the kernel", 0}, END = {"end of the kernel", 0}, NO_BLOCK_LEFT = {"end of the launch", 0};

const char *file_name(const char *path) {
  const char *slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

void fill_with_nan(float *numbers, size_t count) { std::fill_n(numbers, count, std::numeric_limits<float>::quiet_NaN()); }

struct Kernel {
  const char *name;
  void (*run)(Arguments);
  bool takes_images;  // and so has the scratch for its blocks' memory, where shared memory is too small
};

constexpr Kernel kernels[] = {{"train", train, true},       {"update", update, false},     {"gather", gather, false},
                              {"clip", clip, false},        {"move_all", move_all, false}, {"score", score, true},
                              {"predict", predict, true},   {"turn_all", turn_all, false}, {"sum_metrics", sum_metrics, false}};

// Null for a name that no kernel has.
const Kernel *kernel_of(const char *name) {
  for (const Kernel &kernel : kernels) {
    if (!std::strcmp(kernel.name, name)) return &kernel;
  }
  return nullptr;
}

struct Work {
  const Kernel &kernel;
  const int grid;
  const size_t shared;
  const Threads &threads;
  const Arguments &arguments;
};

// What the threads of a block share.
struct Shared {
  explicit Shared(size_t bytes) : memory((bytes + sizeof(double) - 1) / sizeof(double)) {}
  std::vector<double> memory;  // of float64, so that any type is in its place
  // Where ThreadSanitizer sees them meet. At one and the other in turn: the first of them have come to the next barrier when the
  // last of them leave this one.
  char meetings[2];
};

// A thread of a block, and of the blocks that come after it on the same multiprocessor.
class Thread : public Place {
 public:
  Thread(const Work &work, Shared &shared, int thread, int block)
      : Place{thread, work.threads.in_block, block, work.grid, reinterpret_cast<float *>(shared.memory.data())},
        work(work),
        shared(shared),
        fiber([this] { take_blocks(); }) {}

  // To the next barrier.
  void go_on() {
    running.store(this, std::memory_order_relaxed);
    fiber.resume();
  }

  // In the kernel.
  void meet(const Barrier &barrier) {
    const Threads &how = work.threads;
    const bool is_at_fault = how.passed_by == thread || how.passed_by == -1;
    if (how.file && is_at_fault && how.line == barrier.line && !std::strcmp(how.file, file_name(barrier.file))) return;
    wait(barrier);
  }

  // Where it waits.
  const Barrier &place() const { return *barrier.load(std::memory_order_relaxed); }

 private:
  void take_blocks() {
    for (; block < blocks; block += work.threads.blocks_at_once) {
      if (thread == 0) forget();
      wait(START);
      work.kernel.run(work.arguments);
      wait(END);
    }
    for (;;) wait(NO_BLOCK_LEFT);
  }

  // A block finds nothing that another has left.
  void forget() {
    const Arguments &a = work.arguments;
    fill_with_nan(memory, 2 * shared.memory.size());
    if (work.kernel.takes_images && a.scratch) fill_with_nan(a.scratch + (size_t)block * a.memory_len, a.memory_len);
  }

  void wait(const Barrier &place) {
    barrier.store(&place, std::memory_order_relaxed);
    char &meeting = shared.meetings[round++ % 2];
    sanitizer::release(&meeting);
    fiber.pause();
    sanitizer::acquire(&meeting);
  }

  const Work &work;
  Shared &shared;
  int round = 0;
  std::atomic<const Barrier *> barrier{&START};  // as who reads it is not to look like another thread of the block
  Fiber fiber;
};

// What runs one block at a time, with its threads in turn.
class Multiprocessor {
 public:
  Multiprocessor(const Work &work, int first_block) : shared(work.shared) {
    for (int i = 0; i < work.threads.in_block; i++) {
      const int thread = work.threads.descending ? work.threads.in_block - 1 - i : i;
      threads.emplace_back(work, shared, thread, first_block);
    }
  }

  // Lets each thread go on to its next barrier; whether there was a block left.
  bool go_on() {
    for (Thread &thread : threads) thread.go_on();
    for (char &meeting : shared.meetings) sanitizer::acquire(&meeting);
    return &threads[0].place() != &NO_BLOCK_LEFT;
  }

  // Whether all threads are at the same barrier. If not, `complaint` names two that are not.
  bool is_together(char *complaint, size_t room) const {
    const Thread &first = threads[0];
    for (const Thread &other : threads) {
      const Barrier &here = first.place(), &there = other.place();
      if (&here == &there) continue;
      std::snprintf(complaint, room, "of block %d, thread %d waits at %s:%d and thread %d at %s:%d", first.block, first.thread,
                    file_name(here.file), here.line, other.thread, file_name(there.file), there.line);
      return false;
    }
    return true;
  }

 private:
  Shared shared;
  std::deque<Thread> threads;  // in the order of their turns
};

}  // namespace

static void meet(const Barrier &barrier) { static_cast<Thread &>(here()).meet(barrier); }

// 0, or 1 and in `complaint`, which has `room` for it, where the threads of a block have parted.
extern "C" int candlewick_emulate(const char *kernel, int grid, size_t shared, const Threads *threads, const Arguments *arguments,
                                  char *complaint, size_t room) {
  const Work work = {*kernel_of(kernel), grid, shared, *threads, *arguments};
  std::deque<Multiprocessor> multiprocessors;
  for (int i = 0; i < threads->blocks_at_once; i++) {
    multiprocessors.emplace_back(work, threads->descending ? threads->blocks_at_once - 1 - i : i);
  }
  for (bool is_going_on = true; is_going_on;) {
    is_going_on = false;
    for (Multiprocessor &multiprocessor : multiprocessors) {
      is_going_on |= multiprocessor.go_on();
      if (!multiprocessor.is_together(complaint, room)) return 1;
    }
  }
  return 0;
}

#include "facts.h"
