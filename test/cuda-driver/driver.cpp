// A libcuda.so.1 for machines without a GPU: the driver's functions that candlewick calls, on the host's memory, with the
// kernels as host C++. What it shows is that the engine's calls are right; test/cuda.test.ts uses it.
//
// FAKE_CUDA_MEMORY: bytes that there are. FAKE_CUDA_LOST: the launch at which the device is lost. FAKE_CUDA_OLD: compute
// capability 7.0. FAKE_CUDA_VERSION: 12000 is CUDA 12.0. FAKE_CUDA_STUB: the error that a toolkit's stub of the library answers
// everything with; 0 is none, and version 0.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "../../crates/candlewick/kernels/emulation.cpp"

typedef int Result;
enum {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_IMAGE = 200, NOT_FOUND = 500, LAUNCH_FAILED = 719,
  CAPTURE_UNSUPPORTED = 900
};
enum { MAX_DYNAMIC_SHARED = 8, CARVEOUT = 9 };
enum { MAX_SHARED_OPTIN = 97, MULTIPROCESSORS = 16, MAX_SHARED_MULTIPROCESSOR = 81, MAJOR = 75, MINOR = 76, MEMORY_POOLS = 115 };

struct Launch {
  const Kernel *kernel;
  unsigned blocks;
  size_t shared;
  Arguments arguments;
};

static const size_t total = getenv("FAKE_CUDA_MEMORY") ? strtoull(getenv("FAKE_CUDA_MEMORY"), nullptr, 10) : 1ull << 30;
static const long lost_at = getenv("FAKE_CUDA_LOST") ? atol(getenv("FAKE_CUDA_LOST")) : -1;
// Never destroyed: when the process ends, an engine may still be giving its memory back on a thread of its own.
static std::map<uint64_t, size_t> &allocated = *new std::map<uint64_t, size_t>;
static size_t used;
static long launches;
static thread_local void *current;
static bool capturing, has_unread_copy;
static std::set<const Kernel *> &loaded = *new std::set<const Kernel *>;  // which a driver may do at their first launch
static std::vector<Launch> &captured = *new std::vector<Launch>;

static void emulate(const Launch &launch) {
  static const Threads one_at_a_time = {1, 1, 0, 0, 0, nullptr};
  candlewick_emulate(launch.kernel->name, launch.blocks, launch.shared, &one_at_a_time, &launch.arguments, nullptr, 0);
}

static bool is_lost() { return lost_at >= 0 && launches >= lost_at; }

// Whether [address, address + bytes) is memory that was given out.
static bool is_ours(uint64_t address, size_t bytes) {
  auto next = allocated.upper_bound(address);
  if (next == allocated.begin()) return false;
  auto it = --next;
  return address + bytes <= it->first + it->second;
}

extern "C" {
Result cuDriverGetVersion(int *version) {
  if (getenv("FAKE_CUDA_STUB")) return atoi(getenv("FAKE_CUDA_STUB"));
  *version = getenv("FAKE_CUDA_VERSION") ? atoi(getenv("FAKE_CUDA_VERSION")) : 13000;
  return SUCCESS;
}
Result cuInit(unsigned) { return SUCCESS; }
Result cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
Result cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal == 0 ? SUCCESS : 101; }
Result cuDeviceGetName(char *name, int len, int) { snprintf(name, len, "Fake GPU"); return SUCCESS; }
Result cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = total; return SUCCESS; }
Result cuDeviceGetAttribute(int *value, int attribute, int) {
  switch (attribute) {
    case MAX_SHARED_OPTIN: *value = 227 << 10; break;
    case MAX_SHARED_MULTIPROCESSOR: *value = 228 << 10; break;
    case MULTIPROCESSORS: *value = 132; break;
    case MAJOR: *value = getenv("FAKE_CUDA_OLD") ? 7 : 9; break;
    case MINOR: *value = 0; break;
    case MEMORY_POOLS: *value = 1; break;
    default: *value = 0;
  }
  return SUCCESS;
}
Result cuDevicePrimaryCtxRetain(void **context, int) { *context = &allocated; return SUCCESS; }
Result cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
Result cuCtxGetCurrent(void **context) { *context = current; return SUCCESS; }
Result cuCtxSetCurrent(void *context) { current = context; return SUCCESS; }
Result cuCtxSynchronize() { return is_lost() ? LAUNCH_FAILED : SUCCESS; }
Result cuMemGetInfo_v2(size_t *free, size_t *all) { *free = total - used, *all = total; return SUCCESS; }
Result cuStreamCreate(void **stream, unsigned) { *stream = &captured; return SUCCESS; }
Result cuStreamDestroy_v2(void *) { return SUCCESS; }
Result cuStreamSynchronize(void *) {
  if (capturing) return CAPTURE_UNSUPPORTED;
  has_unread_copy = false;
  return is_lost() ? LAUNCH_FAILED : SUCCESS;
}
Result cuMemAllocAsync(uint64_t *address, size_t bytes, void *) {
  if (capturing) return CAPTURE_UNSUPPORTED;
  if (used + bytes > total) return OUT_OF_MEMORY;
  // Not zero: memory that nobody has cleared must not look as if.
  void *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(memory, 0x7f, bytes);
  *address = reinterpret_cast<uint64_t>(memory);
  allocated[*address] = bytes, used += bytes;
  return SUCCESS;
}
Result cuMemFreeAsync(uint64_t address, void *) {
  auto it = allocated.find(address);
  if (it == allocated.end()) return INVALID_VALUE;
  used -= it->second;
  allocated.erase(it);
  free(reinterpret_cast<void *>(address));
  return SUCCESS;
}
Result cuMemsetD8Async(uint64_t address, unsigned char value, size_t bytes, void *) {
  if (!is_ours(address, bytes)) return INVALID_VALUE;
  memset(reinterpret_cast<void *>(address), value, bytes);
  return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *) {
  if (!is_ours(to, bytes)) return INVALID_VALUE;
  // The driver may read `from` until the stream is waited for, so nothing else may be asked for before.
  has_unread_copy = true;
  memcpy(reinterpret_cast<void *>(to), from, bytes);
  return is_lost() ? LAUNCH_FAILED : SUCCESS;
}
Result cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *) {
  if (!is_ours(from, bytes)) return INVALID_VALUE;
  memcpy(to, reinterpret_cast<const void *>(from), bytes);
  return is_lost() ? LAUNCH_FAILED : SUCCESS;
}
// A fat binary begins so, whatever is in it.
Result cuModuleLoadData(void **module, const unsigned char *image) {
  *module = &captured;
  return image[0] == 0x50 && image[1] == 0xed && image[2] == 0x55 && image[3] == 0xba ? SUCCESS : INVALID_IMAGE;
}
Result cuModuleUnload(void *) { return SUCCESS; }
Result cuModuleGetFunction(void **function, void *, const char *name) {
  const Kernel *kernel = kernel_of(name);
  *function = const_cast<Kernel *>(kernel);
  return kernel ? SUCCESS : NOT_FOUND;
}
Result cuFuncSetAttribute(void *, int attribute, int value) {
  const bool is_known = (attribute == MAX_DYNAMIC_SHARED && value == 227 << 10) || (attribute == CARVEOUT && value == 100);
  return is_known ? SUCCESS : INVALID_VALUE;
}
Result cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned, unsigned shared,
                      void *, void **arguments, void **) {
  if (x == 0 || y != 1 || z != 1 || threads != 256 || shared > 227u << 10 || has_unread_copy) return INVALID_VALUE;
  const Launch launch = {static_cast<const Kernel *>(function), x, shared, *static_cast<const Arguments *>(arguments[0])};
  if (capturing) {
    if (!loaded.count(launch.kernel)) return CAPTURE_UNSUPPORTED;
    return captured.push_back(launch), SUCCESS;
  }
  loaded.insert(launch.kernel);
  launches++;
  if (is_lost()) return LAUNCH_FAILED;
  emulate(launch);
  return SUCCESS;
}
Result cuStreamBeginCapture_v2(void *, int) { capturing = true; captured.clear(); return SUCCESS; }
Result cuStreamEndCapture(void *, void **graph) {
  capturing = false;
  *graph = new std::vector<Launch>(captured);
  return SUCCESS;
}
Result cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long) {
  *exec = new std::vector<Launch>(*static_cast<std::vector<Launch> *>(graph));
  return SUCCESS;
}
Result cuGraphDestroy(void *graph) { delete static_cast<std::vector<Launch> *>(graph); return SUCCESS; }
Result cuGraphExecDestroy(void *graph) { delete static_cast<std::vector<Launch> *>(graph); return SUCCESS; }
Result cuGraphLaunch(void *graph, void *) {
  for (const Launch &launch : *static_cast<std::vector<Launch> *>(graph)) {
    launches++;
    if (is_lost()) return LAUNCH_FAILED;
    emulate(launch);
  }
  return SUCCESS;
}
Result cuGetErrorName(Result error, const char **name) {
  *name = error == LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
  return SUCCESS;
}
Result cuGetErrorString(Result error, const char **text) {
  *text = error == LAUNCH_FAILED ? "unspecified launch failure" : "an error of the fake driver";
  return SUCCESS;
}
}
