// A memory with one port that reads and one that writes, latency 2: weight ring, parameters, partial sums.
module xrun_ram #(
    parameter WORDS = 1024,
    parameter WIDTH = 64,
    parameter ADDRESS = 10,
    parameter STYLE = "block"
) (
    input wire clk,
    input wire [ADDRESS-1:0] a_address,
    input wire a_ce,
    output reg [WIDTH-1:0] a_q,
    input wire [ADDRESS-1:0] b_address,
    input wire b_ce,
    input wire b_we,
    input wire [WIDTH-1:0] b_d
);
  (* ram_style = STYLE *) reg [WIDTH-1:0] word[0:WORDS-1];
  reg [WIDTH-1:0] read;
  always @(posedge clk) begin
    if (a_ce) read <= word[a_address];
    a_q <= read;
  end
  always @(posedge clk) begin
    if (b_ce && b_we) word[b_address] <= b_d;
  end
endmodule
