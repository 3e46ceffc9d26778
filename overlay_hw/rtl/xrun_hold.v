// Keeps what a process wrote to a wire until it writes again; zero after `clear`.
module xrun_hold #(
    parameter WIDTH = 32
) (
    input wire clk,
    input wire clear,
    input wire [WIDTH-1:0] d,
    input wire valid,
    output reg [WIDTH-1:0] q
);
  always @(posedge clk) begin
    if (clear) q <= 0;
    else if (valid) q <= d;
  end
endmodule
