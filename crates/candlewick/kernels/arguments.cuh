// What a kernel is told, and the memory that it works in; engine/cuda/layout.rs has the same names in the same order.
//
// A block works on one image at a time. An image's memory holds every value between two operations, and the gradients that are
// needed at once:
//
//   | x of operation 0 | x of operation 1 | ... | logits | gradient | gradient | survey |
//
// It is the block's, which the next image overwrites; or the image's own for the time of a step, if a layer must know the whole batch
// before it goes on. In answers, what has been used is overwritten.
#pragma once
#include "block.cuh"

struct Loss;       // loss.cuh
struct Mix;        // loss.cuh
struct Operation;  // layers.cuh
struct Optimizer;  // optimizers.cuh
struct Step;       // layers.cuh

// Partial gradients of a block, so that several of its threads can sum one parameter's.
enum { SPLITS = 4 };

// Parameters of a block of `update` at a time, beside each other in memory, and threads that share each one's sum.
enum { PARAMETERS = 32, SHARERS = 8 };

// Sums of `sum_metrics`, which are then added up.
enum { SUMS = 256 };

// What a channel of the images is normalized by.
struct Channel {
  float mean, factor;
};

// What a launch does with each image.
struct Visit {
  int begins;  // whether it begins with loading it
  int first_operation, end_operation;
  int ends;  // whether the loss follows
  int first_step, end_step;
  int surveyed;     // the operation that then surveys its input; below 0 for none
  int surveyed_dy;  // or the gradient by its output, which is here; below 0 where it is the input
};

struct Arguments {
  const Operation *operations;  // those of training, then those of answers
  const Step *steps;
  // The images: bytes that count as 0 to 1 or, where there are none, numbers as they are; before they are normalized.
  const uint8_t *bytes;
  const float *floats;
  const uint32_t *order;   // the images of the run, by index; null for all in order
  const uint32_t *labels;  // by index; null where images have targets alone
  const Mix *mixes;        // what else each image shows, by index; null where images are not mixed
  const float *values;     // targets of each image, by index; null where images have labels alone
  const Loss *loss;
  float *parameters;
  float *turned;  // those whose forward pass reads them in another order, in their layers' places among the parameters
  float *gradient;
  Optimizer *optimizer;
  uint32_t *batches;  // that the engine has been trained on
  uint64_t seed;      // of what is random in training
  float *partials;  // SPLITS partial gradients for each block
  float *records;   // a record for each image of the batch
  float *losses;    // by place in the run
  uint32_t *correct;
  float *logits;   // by place in the run
  float *scratch;  // the images' memory, where it is not a block's shared memory
  float *numbers;  // of the batch
  double *sums;    // loss and correct answers of the run
  const Channel *normalization;  // for each channel; null where images count as they are
  Visit visit;
  int image_len;
  int plane_len;  // of a channel
  int classes;
  int first, images;     // the batch's place in the run, and its size
  int batch;             // its number in the run
  int memory_len;        // numbers of an image's memory
  int by_image;          // whether each image of the batch has its own
  int loss_gradient;     // where the gradient by the logits goes
  int survey;            // where a survey goes
  int partial_len;       // numbers of a partial gradient
  int record_len;        // numbers of a record
  int partial_count;     // partial gradients of the batch
  int parameter_count;
  float scale;  // of the loss: 1 / images, unless classes have weights
};
