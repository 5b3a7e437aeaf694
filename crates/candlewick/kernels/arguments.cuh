// What a kernel is told, and the memory that it works in; engine/cuda/layout.rs has the same names in the same order.
//
// A block works on one image at a time. Its memory holds every value between two operations and, twice, room for the gradient by
// the longest of them:
//
//   | x of operation 0 | x of operation 1 | ... | logits | gradient | gradient |
#pragma once
#include "block.cuh"

struct Loss;       // loss.cuh
struct Operation;  // layers.cuh
struct Optimizer;  // optimizers.cuh

// Partial gradients of a block, so that several of its threads can sum one parameter's.
enum { SPLITS = 4 };

// Parameters of a block of `update` at a time, beside each other in memory, and threads that share each one's sum.
enum { PARAMETERS = 32, SHARERS = 8 };

// Sums of `sum_metrics`, which are then added up.
enum { SUMS = 256 };

struct Arguments {
  const Operation *operations;
  // The images: bytes that count as 0 to 1 or, where there are none, numbers as they are.
  const uint8_t *bytes;
  const float *floats;
  const uint32_t *order;   // the images of the run, by index; null for all in order
  const uint32_t *labels;  // by index; null where images have targets alone
  const float *values;     // targets of each image, by index; null where images have labels alone
  const Loss *loss;
  float *parameters;
  float *turned;  // those whose forward pass reads them in another order, in their layers' places among the parameters
  float *gradient;
  Optimizer *optimizer;
  float *partials;  // SPLITS partial gradients for each block
  float *records;   // a record for each image of the batch
  float *losses;    // by place in the run
  uint32_t *correct;
  float *logits;   // by place in the run
  float *scratch;  // the blocks' memory, where shared memory is too small
  double *sums;    // loss and correct answers of the run
  int operation_count;
  int image_len, classes;
  int first, images;     // the batch's place in the run, and its size
  int batch;             // its number in the run
  int memory_len;        // numbers of a block's memory
  int gradient_places;   // where its two gradients begin
  int longest;           // numbers of each
  int partial_len;       // numbers of a partial gradient
  int record_len;        // numbers of a record
  int partial_count;     // partial gradients of the batch
  int parameter_count;
  float scale;  // of the loss: 1 / images, unless classes have weights
};
