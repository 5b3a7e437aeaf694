// A function with a stack of its own, which stops in its middle and goes on later.
#pragma once
#include <stdint.h>
#include <ucontext.h>

#include <functional>
#include <memory>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

// ThreadSanitizer takes each fiber for a thread: of one and another it knows no order but what `release` and `acquire` tell.
namespace sanitizer {
#ifdef __SANITIZE_THREAD__
using Fiber = void *;
inline Fiber current() { return __tsan_get_current_fiber(); }
inline Fiber create() { return __tsan_create_fiber(0); }
inline void destroy(Fiber fiber) { __tsan_destroy_fiber(fiber); }
__attribute__((always_inline)) inline void leave_for(Fiber fiber) {
  __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
}
inline void release(void *meeting) { __tsan_release(meeting); }
inline void acquire(void *meeting) { __tsan_acquire(meeting); }
#else
struct Fiber {};
inline Fiber current() { return {}; }
inline Fiber create() { return {}; }
inline void destroy(Fiber) {}
inline void leave_for(Fiber) {}
inline void release(void *) {}
inline void acquire(void *) {}
#endif
}  // namespace sanitizer

class Fiber {
 public:
  // `body` must not return: it pauses when there is nothing left to do.
  explicit Fiber(std::function<void()> body) : body(std::move(body)), stack(new char[STACK]) {
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack.get();
    inside.uc_stack.ss_size = STACK;
    inside.uc_link = nullptr;
    const uint64_t self = reinterpret_cast<uint64_t>(this);
    const unsigned high = self >> 32, low = self;
    makecontext(&inside, reinterpret_cast<void (*)()>(enter), 2, high, low);
  }
  ~Fiber() { sanitizer::destroy(watched); }
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  // Goes on with the function until it pauses.
  void resume() {
    sanitizer::leave_for(watched);
    swapcontext(&outside, &inside);
  }

  // Within the function: goes back to where it was resumed.
  void pause() {
    sanitizer::leave_for(creator);
    swapcontext(&inside, &outside);
  }

 private:
  enum { STACK = 64 << 10 };

  // A context's function takes integers only.
  static void enter(unsigned high, unsigned low) {
    reinterpret_cast<Fiber *>(static_cast<uint64_t>(high) << 32 | low)->body();
  }

  const std::function<void()> body;
  const std::unique_ptr<char[]> stack;
  ucontext_t inside, outside;
  const sanitizer::Fiber creator = sanitizer::current(), watched = sanitizer::create();
};
