// expect: static-constructor
#include <cstdint>

static volatile int32_t seed = 3;

struct Table {
  Table() {
    for (int32_t i = 0; i < 16; ++i) entry[i] = i * seed;
  }
  int32_t entry[16];
};
static const Table table;

extern "C" void top(int32_t* out, int32_t n) { out[0] = table.entry[n & 15]; }
