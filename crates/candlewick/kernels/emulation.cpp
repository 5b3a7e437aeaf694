// The kernels for the host: blocks of some threads of the system, and a few blocks at once.
//
// Built with -fsanitize=thread, it says where threads of a block, or of two blocks, meet in memory without a barrier between.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "step.cu"

namespace {

// A barrier that all threads of a block must come to at the same line.
class Meeting {
 public:
  explicit Meeting(int threads) : expected(threads) {}

  void wait(int line) {
    std::unique_lock<std::mutex> lock(mutex);
    if (present == 0) at = line;
    if (at != line) {
      std::fprintf(stderr, "threads of block %d are at barriers of lines %d and %d (0: the end)\n", block, at, line);
      std::abort();
    }
    if (++present == expected) {
      present = 0, round++;
      all_there.notify_all();
      return;
    }
    const long mine = round;
    all_there.wait(lock, [&] { return round != mine; });
  }

 private:
  std::mutex mutex;
  std::condition_variable all_there;
  const int expected;
  int present = 0, at = 0;
  long round = 0;
};

// What a multiprocessor has for the one block that it runs at a time.
struct Multiprocessor {
  Multiprocessor(int threads, size_t shared) : meeting(threads), memory(shared / sizeof(double) + 1) {}
  Meeting meeting;
  std::vector<double> memory;
};

thread_local Meeting *meeting;

struct Kernel {
  const char *name;
  void (*run)(Arguments);
};

constexpr Kernel kernels[] = {{"train", train},     {"update", update},     {"score", score},
                              {"predict", predict}, {"turn_all", turn_all}, {"sum_metrics", sum_metrics}};

// Null for a name that no kernel has.
const Kernel *kernel_of(const char *name) {
  for (const Kernel &kernel : kernels) {
    if (!std::strcmp(kernel.name, name)) return &kernel;
  }
  return nullptr;
}

}  // namespace

static void meet(int line) {
  if (threads > 1) meeting->wait(line);
}

// Each of `at_once` multiprocessors takes the blocks from its own on, with `block_threads` threads.
extern "C" void candlewick_emulate(const char *name, int grid, size_t shared, int block_threads, int at_once,
                                   const Arguments *arguments) {
  const Kernel *kernel = kernel_of(name);
  if (!kernel) {
    std::fprintf(stderr, "there is no kernel of the name %s\n", name);
    std::abort();
  }
  std::deque<Multiprocessor> multiprocessors;
  std::vector<std::thread> running;
  for (int m = 0; m < at_once; m++) {
    Multiprocessor &self = multiprocessors.emplace_back(block_threads, shared);
    for (int t = 0; t < block_threads; t++) {
      auto take_blocks = [=, &self] {
        meeting = &self.meeting;
        shared_memory = reinterpret_cast<float *>(self.memory.data());
        thread = t, threads = block_threads, blocks = grid;
        for (block = m; block < grid; block += at_once) {
          if (t == 0) std::memset(self.memory.data(), 0xff, self.memory.size() * sizeof(double));  // NaN: nothing is there yet
          meet(0);
          kernel->run(*arguments);
          meet(0);
        }
      };
      if (block_threads * at_once == 1) take_blocks(); else running.emplace_back(take_blocks);
    }
  }
  for (auto &each : running) each.join();
}

#include "facts.h"
