// The kernels for the host, a block of one thread at a time.
#include <vector>

#include "step.cu"

extern "C" void candlewick_emulate(int kernel, int grid, size_t shared, const Arguments *arguments) {
  std::vector<double> memory(shared / sizeof(double) + 1);
  shared_memory = reinterpret_cast<float *>(memory.data());
  blocks = grid;
  for (block = 0; block < grid; block++) {
    switch (kernel) {
      case 0: train(*arguments); break;
      case 1: update(*arguments); break;
      case 2: score(*arguments); break;
      case 3: predict(*arguments); break;
      case 4: turn_all(*arguments); break;
      case 5: sum_metrics(*arguments); break;
    }
  }
}
