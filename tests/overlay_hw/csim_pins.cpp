// Prints how C-sim is wired, as it is: both ends of every FIFO found by the queue they share, every memory port by the
// memory it points at, every reader and writer of DRAM by the ports it points at. packaging_test.py compares that with
// the block design.

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "overlay_hw/control.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
#include "overlay_hw/csim/wiring.inc"

namespace {

struct Printer {
  template <typename T>
  void Stream(const char* pin, const hls::stream<T>& end, bool writes) {
    (writes ? writer : reader)[end.id()].push_back(pin);
  }
  template <typename M>
  void Memory(const char* pin, const char* name, const M& memory, const char* port, const void* bound, bool writes) {
    std::printf("memory %s %s %s %s %s\n", name, port, pin, writes ? "write" : "read",
                bound == &memory ? "bound" : "elsewhere");
  }
  template <size_t kPorts>
  void Dram(const char* pin, const csim::DramRouter& router, const char* name,
            const std::array<csim::DramMaster, kPorts>& masters, const char* direction) {
    for (uint32_t port = 0; port < router.ports(); ++port) {
      for (size_t i = 0; i < kPorts; ++i) {
        if (router.master(port) == &masters[i]) std::printf("dram %s %u %s%zu %s\n", pin, port, name, i, direction);
      }
    }
  }
  std::map<const void*, std::vector<std::string>> writer, reader;
};

}  // namespace
}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

int main() {
  namespace hw = xrun::hw::XRUN_HW_CONFIG;
  const auto wiring = std::make_unique<hw::Wiring>();
  hw::Printer printer;
  wiring->VisitPins(printer);
  for (const auto& entry : printer.writer) {
    for (const std::string& writer : entry.second) {
      for (const std::string& reader : printer.reader[entry.first]) {
        std::printf("fifo %s %s\n", writer.c_str(), reader.c_str());
      }
    }
  }
  return 0;
}
