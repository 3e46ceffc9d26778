// Writes an xclbin of the overlay: without a bitstream for the stand-in board, with one for a board.

#include <fstream>
#include <iterator>

#include "tests/stand_in_board/xclbin_writer.h"
#include "tools/common/tool.h"

int main(int argc, char** argv) {
  xrun::tools::Tool tool("make_xclbin", "Writes an xclbin of the overlay.");
  std::string arch, output, bitstream;
  xrun::XclbinOptions options;
  tool.app().add_option("--arch", arch, "Configuration: a name or a JSON file")->required();
  tool.app().add_option("-o,--output", output, "The file to write")->required();
  tool.app().add_option("--units", options.units, "Units of the overlay [1]");
  tool.app().add_option("--banks", options.banks, "Memory banks [1]");
  tool.app().add_option("--bank-bytes", options.bank_bytes, "Bytes of each bank [1073741824]");
  tool.app().add_option("--reached", options.reached, "Banks the units reach, comma separated [0]")->delimiter(',');
  tool.app().add_option("--platform", options.platform, "Name of the platform [xrun_stand_in_1]");
  tool.app().add_option("--bitstream", bitstream, "File of the section BITSTREAM [none: for the stand-in board]");
  return tool.Run(argc, argv, [&]() -> xrun::Status {
    XRUN_ASSIGN_OR_RETURN(options.config, xrun::FindConfig(arch));
    if (!bitstream.empty()) {
      std::ifstream file(bitstream, std::ios::binary);
      if (!file) return xrun::Failure{bitstream + ": cannot be read", ""};
      options.bitstream.assign(std::istreambuf_iterator<char>(file), {});
    }
    return xrun::WriteXclbin(options, output);
  });
}
