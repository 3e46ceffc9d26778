// What the overlay consists of: loops with bounds known on entry, integers, arrays of fixed size, inlined functions.
#include <cstdint>

template <int kSize>
static int32_t Dot(const int8_t* a, const int8_t* b) {
  int32_t sum = 0;
  for (int i = 0; i < kSize; ++i) sum += a[i] * b[i];
  return sum;
}

static int32_t memory[64];

extern "C" void xrun_lint_get(int32_t* value);

extern "C" void top(int32_t* out, const int8_t* a, const int8_t* b, int32_t rows) {
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t c = 0; c < 8; ++c) memory[c] = Dot<8>(a + 8 * r, b + 8 * c);
    for (int32_t c = 0; c < 8; ++c) out[8 * r + c] = memory[c];
  }
  int32_t more = 1;
  while (more != 0) {  // unbounded: ends when the port says so
    xrun_lint_get(&more);
  }
}
