#include "tests/stand_in_board/scaling.h"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "runtime/internal.h"
#include "tests/stand_in_board/xclbin_writer.h"
#include "tests/unit/runtime_test_program.h"

namespace xrun::test {

double Throughput(uint32_t units, const stand_in::BoardOptions& board, unsigned requests) {
  XclbinOptions options;
  options.config = BuiltInConfigs().front();
  options.units = units;
  options.bank_bytes = 64 << 20;
  const auto path = std::filesystem::temp_directory_path() / ("xrun_scaling_" + std::to_string(::getpid()) + ".xclbin");
  if (const Status status = WriteXclbin(options, path); !status.ok()) {
    throw std::runtime_error(status.failure().message);
  }
  const api::Device device = api::Device::open("xrt:0,xclbin=" + path.string());
  std::filesystem::remove(path);
  stand_in::Board::Get().SetOptions(board);
  api::Session session(device, internal::WrapProgram(std::make_shared<Program>(ReluProgram())),
                       {.in_flight = 4 * units, .requests_per_launch = 1});
  std::vector<api::Request> all;
  for (unsigned i = 0; i < 4 * units; ++i) all.push_back(session.request());
  const auto run = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      api::Request& request = all[i % all.size()];
      if (i >= all.size()) request.wait();
      request.submit();
    }
    for (unsigned i = 0; i < std::min<size_t>(count, all.size()); ++i) all[i].wait();
  };
  run(4 * units);
  const auto begin = stand_in::Clock::now();
  run(requests);
  const std::chrono::duration<double> seconds = stand_in::Clock::now() - begin;
  stand_in::Board::Get().SetOptions({});
  return requests / seconds.count();
}

}  // namespace xrun::test
