// Starts an HLS process once: ap_start stays until the process says that it has taken it.
module xrun_start (
    input wire clk,
    input wire reset_n,
    input wire start,
    input wire ap_ready,
    output reg ap_start
);
  always @(posedge clk) begin
    if (!reset_n) ap_start <= 1'b0;
    else if (start) ap_start <= 1'b1;
    else if (ap_ready) ap_start <= 1'b0;
  end
endmodule
