// What a kernel needs of CUDA, and the same for a processor.
//
// A block's threads share out the items of a loop, and meet at a barrier before anyone reads what another has written:
//
//   for (int i = FIRST_ITEM; i < count; i += ITEMS_AT_ONCE) y[i] = f(x[i]);
//   BARRIER;
//
// Such code is right with any number of threads to a block. So a C++ compiler for the host, with the second half of this file,
// makes of it what the tests run where there is no GPU, with threads that take turns.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Threads of a block.
enum { THREADS = 256 };

#ifdef __CUDACC__

#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 4)
#define DEVICE __device__ __forceinline__
#define FIRST_ITEM (int)threadIdx.x
#define ITEMS_AT_ONCE (int)blockDim.x
#define BLOCK (int)blockIdx.x
#define BLOCKS (int)gridDim.x
#define BARRIER __syncthreads()
#define UNREACHABLE __builtin_unreachable()
extern __shared__ __align__(16) float shared_memory[];  // float64 is in it too

#else
#include <atomic>

#define KERNEL static void
#define DEVICE inline
#define FIRST_ITEM here().thread
#define ITEMS_AT_ONCE here().threads
#define BLOCK here().block
#define BLOCKS here().blocks
#define BARRIER do { static constexpr Barrier its_place = {__FILE__, __LINE__}; meet(its_place); } while (0)
#define UNREACHABLE fprintf(stderr, "%s:%d cannot be reached\n", __FILE__, __LINE__), abort()
#define shared_memory here().memory

struct Barrier {
  const char *file;
  int line;
};
static void meet(const Barrier &barrier);  // emulation.cpp

// Which thread of which block it is that runs.
struct Place {
  int thread, threads, block, blocks;
  float *memory;
};
// Relaxed: to ThreadSanitizer, this must not look as if the threads waited for each other here.
static thread_local std::atomic<Place *> running;
DEVICE Place &here() { return *running.load(std::memory_order_relaxed); }

#endif
