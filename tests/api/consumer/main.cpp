#include <xrun/xrun.h>

#include <cstdio>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    xrun::Session session(xrun::Device::open("sim"), xrun::Program::load(argv[1]));
    std::vector<float> x(192, -1.0F), y(192);
    x[7] = 2.0F;
    session.run({{"x", x}}, {{"y", y}});
    std::printf("%g %g\n", y[7], y[8]);
    return y[7] == 1.0F && y[8] == 0.0F ? 0 : 1;
  } catch (const xrun::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
