// A FIFO between two processes of the overlay, AXI stream at both ends: exactly DEPTH entries, since the depth of a
// token FIFO is the limit of its counter (isa/README.md, section 4). `clear` empties it between launches.
module xrun_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 15
) (
    input wire clk,
    input wire clear,
    input wire [WIDTH-1:0] s_tdata,
    input wire s_tvalid,
    output wire s_tready,
    output wire [WIDTH-1:0] m_tdata,
    output wire m_tvalid,
    input wire m_tready
);
  localparam BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  reg [WIDTH-1:0] entry[0:DEPTH-1];
  reg [BITS-1:0] first, next;
  reg [BITS:0] count;
  assign s_tready = count != DEPTH && !clear;
  assign m_tvalid = count != 0 && !clear;
  assign m_tdata = entry[first];
  wire take = m_tvalid && m_tready;
  wire put = s_tvalid && s_tready;
  always @(posedge clk) begin
    if (put) entry[next] <= s_tdata;
    if (clear) begin
      first <= 0;
      next <= 0;
      count <= 0;
    end else begin
      if (put) next <= next == DEPTH - 1 ? 0 : next + 1;
      if (take) first <= first == DEPTH - 1 ? 0 : first + 1;
      count <= count + {{BITS{1'b0}}, put} - {{BITS{1'b0}}, take};
    end
  end
endmodule
