// Philox4x32-10, as in src/random/philox.rs: a counter and a key become four random words.
#pragma once
#include "block.cuh"

struct Words {
  uint32_t word[4];
};

DEVICE Words philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1, c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// What random numbers of an image are made of: the network's seed, the number of the step, and the places of the operation in the
// schedule and of the image in the batch.
struct Chance {
  uint64_t seed;
  uint32_t step, place, image;
  DEVICE Words words(uint32_t block) const { return philox(block, image, place, (uint32_t)(seed >> 32), (uint32_t)seed, step); }
};
