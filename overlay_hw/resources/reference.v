// What round_saturate has to be, written as isa/README.md says it: shift, round half to even, saturate, clamp; same latency.
module reference(input clk, input signed [55:0] product, input [5:0] shift, input signed [7:0] zero,
                 input signed [7:0] lo, input signed [7:0] hi, output reg signed [7:0] q);
  reg signed [63:0] p;
  reg signed [55:0] kept;
  reg [5:0] s;
  reg half, sticky;
  reg signed [17:0] rounded;
  wire [63:0] mask = (64'd1 << (s - 6'd1)) - 64'd1;
  wire signed [63:0] shifted = p >>> s;
  wire fits = (kept[55:15] == 41'd0) || (&kept[55:15]);
  wire signed [16:0] near = fits ? kept[16:0] : (kept[55] ? -17'sd32768 : 17'sd32767);
  wire signed [17:0] moved = rounded + zero;
  wire signed [7:0] saturated = moved > 127 ? 8'sd127 : moved < -128 ? -8'sd128 : moved[7:0];
  always @(posedge clk) begin
    p <= product;
    s <= shift;
    kept <= shifted[55:0];
    half <= s != 0 && p[s - 6'd1];
    sticky <= s != 0 && |(p & mask);
    rounded <= near + $signed({1'b0, half & (sticky | kept[0])});
    q <= saturated < lo ? lo : saturated > hi ? hi : saturated;
  end
endmodule

// Differs where the two do.
module miter(input clk, input signed [55:0] product, input [5:0] shift, input signed [7:0] zero, input signed [7:0] lo,
             input signed [7:0] hi, output bad);
  wire [7:0] a, b;
  reference r(clk, product, shift, zero, lo, hi, a);
  round_saturate u(clk, product, shift, zero, lo, hi, b);
  assign bad = a != b;
endmodule
