// Around a launch: the control's `clear` empties FIFOs and held registers for 8 cycles, then every process is started
// once; cycles are counted from there. `phase` turns port B of all activation banks.
module xrun_launch (
    input wire clk,
    input wire reset_n,
    input wire begin_launch,
    output reg clear,
    output reg start,
    output reg [63:0] cycles,
    output reg [2:0] phase
);
  reg [2:0] left;
  always @(posedge clk) begin
    phase <= phase + 3'd1;
    start <= 1'b0;
    cycles <= cycles + 64'd1;
    if (!reset_n) begin
      phase <= 3'd0;
      clear <= 1'b1;
      left <= 3'd0;
      cycles <= 64'd0;
    end else if (begin_launch) begin
      clear <= 1'b1;
      left <= 3'd7;
      cycles <= 64'd0;
    end else if (left != 3'd0) begin
      left <= left - 3'd1;
      start <= left == 3'd1;
    end else begin
      clear <= 1'b0;
    end
  end
endmodule
