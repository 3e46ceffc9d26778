#include "tools/driver/trace_file.h"

#include <filesystem>
#include <sstream>

#include "isa/atomic_file.h"
#include "simulator/trace.h"

namespace xrun::tools {

Status WriteTraceFile(const simulator::PreparedStep& prepared, const simulator::TimingReport& report, std::string path,
                      size_t step, size_t steps) {
  if (steps > 1) {
    std::filesystem::path numbered(path);
    const std::string ending = numbered.extension().string();
    numbered.replace_extension("." + std::to_string(step) + ending);
    path = numbered.string();
  }
  std::ostringstream out;
  simulator::WriteTrace(out, prepared, report);
  return WriteFileAtomically(path, out.str());
}

}  // namespace xrun::tools
