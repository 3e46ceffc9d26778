// Runs of beats in pieces: a run comes in, address of its first beat and number of beats; out come its pieces, each up to
// the next multiple of BURST, with the port that the burst lies on, (a div BURST) mod PORTS (isa/README.md, section 8).
module xrun_cutter #(
    parameter WIDTH = 256,  // bits of a beat
    parameter BURST = 256,  // bytes, a power of two, at least a beat
    parameter PORTS = 2,    // 1 or 2
    parameter RUNS = 4      // that may wait
) (
    input wire clk,
    input wire clear,

    input wire [95:0] s_tdata,  // beats, then address in bytes
    input wire s_tvalid,
    output wire s_tready,

    output reg valid,           // a piece is there, till the clock at which `take`
    output reg [63:0] address,
    output wire [8:0] beats,
    output wire port,
    output wire ends,           // the run's last
    input wire take
);
  localparam SIZE = $clog2(WIDTH / 8);  // bits of an address within a beat
  localparam CUT = $clog2(BURST);       // bits of an address within a burst
  localparam BEATS = BURST / (WIDTH / 8);

  wire [95:0] run;
  wire run_valid;
  wire run_ready = !valid || (take && ends);
  xrun_fifo #(.WIDTH(96), .DEPTH(RUNS)) runs (
      .clk(clk), .clear(clear), .s_tdata(s_tdata), .s_tvalid(s_tvalid), .s_tready(s_tready), .m_tdata(run),
      .m_tvalid(run_valid), .m_tready(run_ready));
  reg [31:0] left;  // the run's beats from the piece's first on
  wire [63:0] beat = address >> SIZE;
  wire [8:0] fit = BEATS[8:0] - (beat[8:0] & (BEATS[8:0] - 9'd1));
  assign port = PORTS == 2 && address[CUT];
  assign ends = left <= {23'd0, fit};
  assign beats = ends ? left[8:0] : fit;
  always @(posedge clk) begin
    if (clear) begin
      valid <= 1'b0;
    end else if (run_ready) begin
      valid <= run_valid;
      address <= {run[63:SIZE], {SIZE{1'b0}}};
      left <= run[95:64];
    end else if (take) begin
      address <= {address[63:CUT] + 1'b1, {CUT{1'b0}}};
      left <= left - {23'd0, beats};
    end
  end
endmodule
