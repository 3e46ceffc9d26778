// The circuits that the overlay consists of, one instance each, for measuring with Yosys (measure.py). They follow
// isa/README.md; registers stand where a pipeline has them.

// One pixel lane and output channel of the array, behind the DSP chains: 16 input channels are three chains of at most
// seven packed products; the upper product of each pair is corrected by the sign of the lower.
module accumulate_pair(input clk, input first, input [35:0] c0, input [35:0] c1, input [35:0] c2,
                       output reg signed [31:0] lo, output reg signed [31:0] hi);
  reg signed [19:0] sum_lo, sum_hi;
  wire signed [17:0] h0 = c0[35:18] + c0[17];
  wire signed [17:0] h1 = c1[35:18] + c1[17];
  wire signed [17:0] h2 = c2[35:18] + c2[17];
  always @(posedge clk) begin
    sum_lo <= $signed(c0[17:0]) + $signed(c1[17:0]) + $signed(c2[17:0]);
    sum_hi <= h0 + h1 + h2;
    lo <= (first ? 32'sd0 : lo) + sum_lo;
    hi <= (first ? 32'sd0 : hi) + sum_hi;
  end
endmodule

// Rounding half to even after the product, zero point, saturation, clamp: a 56-bit value, shift 0 to 63 (RoundSaturate of
// overlay_hw/requant.h). Whatever lies outside -512...511 saturates in any case, so the shift keeps 11 bits of a window
// of bytes instead of moving 56.
module round_saturate(input clk, input signed [55:0] product, input [5:0] shift, input signed [7:0] zero,
                      input signed [7:0] lo, input signed [7:0] hi, output reg signed [7:0] q);
  reg [17:0] window;  // guard bit below the point of a shift by whole bytes, 17 bits above
  reg [2:0] fine;
  reg below, over, sign;
  wire [73:0] wide = {{17{product[55]}}, product, 1'b0};
  wire [7:0] any, same;  // bits below the guard bit of a shift by i bytes; bits from 16 above its point on are the sign's
  genvar i;
  for (i = 0; i < 8; i = i + 1) begin
    if (i == 0) assign any[i] = 1'b0; else assign any[i] = any[i - 1] | (|wide[8 * (i - 1) +: 8]);
    if (i > 4) assign same[i] = 1'b1; else assign same[i] = same[i + 1] & (product[8 * i + 16 +: 8] == {8{product[55]}});
  end
  reg [10:0] kept;
  reg half, sticky, over2, sign2;
  reg signed [11:0] rounded;
  wire signed [11:0] moved = rounded + zero;
  wire signed [7:0] saturated = moved > 127 ? 8'sd127 : moved < -128 ? -8'sd128 : moved[7:0];
  wire [7:0] left_out = window[7:0] & ((8'd1 << fine) - 8'd1);
  wire [17:0] fine_shifted = $signed(window) >>> fine;
  always @(posedge clk) begin
    fine <= shift[2:0];
    sign <= product[55];
    window <= wide[8 * shift[5:3] +: 18];
    below <= any[shift[5:3]];
    over <= ~same[shift[5:3]];
    half <= fine_shifted[0];
    sticky <= below | (|left_out);
    kept <= fine_shifted[11:1];
    over2 <= over | (fine_shifted[17:11] != {7{sign}});
    sign2 <= sign;
    rounded <= over2 ? (sign2 ? -12'sd1024 : 12'sd1023) : $signed(kept) + $signed({1'b0, half & (sticky | kept[0])});
    q <= saturated < lo ? lo : saturated > hi ? hi : saturated;
  end
endmodule

// acc + bias - zw * sum, then the choice of multiplier by sign.
module bias_stage(input clk, input signed [31:0] acc, input signed [31:0] bias, input signed [31:0] zw_sum,
                  input prelu, input [29:0] m0, input [29:0] m1, output reg signed [31:0] a, output reg [29:0] m);
  wire signed [31:0] sum = acc + bias - zw_sum;
  always @(posedge clk) begin
    a <= sum;
    m <= (prelu & sum[31]) ? m1 : m0;
  end
endmodule

// 8 bits of one of 16 banks.
module mux16(input clk, input [127:0] d, input [3:0] s, output reg [7:0] q);
  always @(posedge clk) q <= d[8 * s +: 8];
endmodule

// 8 bits of one of 8 bank groups.
module mux8(input clk, input [63:0] d, input [2:0] s, output reg [7:0] q);
  always @(posedge clk) q <= d[8 * s +: 8];
endmodule

// A 256-byte table with one reader; written before it is read.
module table256(input clk, input we, input [7:0] a, input [7:0] d, output reg [7:0] q);
  (* ram_style = "distributed" *) reg [7:0] t[0:255];
  always @(posedge clk) begin
    if (we) t[a] <= d;
    q <= t[a];
  end
endmodule

// One depthwise lane's accumulator and maximum (pooling shares it).
module vector_lane(input clk, input first, input maximum, input signed [16:0] product, input signed [7:0] x,
                   output reg signed [31:0] acc);
  wire signed [31:0] base = first ? (maximum ? -32'sd128 : 32'sd0) : acc;
  wire signed [31:0] x32 = {{24{x[7]}}, x};
  always @(posedge clk) acc <= maximum ? (x32 > base ? x32 : base) : base + product;
endmodule

// Difference to a zero point, twice, and their product (elementwise multiply, add).
module operand_pair(input clk, input signed [7:0] a, input signed [7:0] b, input signed [7:0] za, input signed [7:0] zb,
                    output reg signed [8:0] da, output reg signed [8:0] db);
  always @(posedge clk) begin
    da <= a - za;
    db <= b - zb;
  end
endmodule

// runs.h, ReadAhead: a beat of 32 bytes goes behind the bytes that are there, turned to its place; up to GIVE bytes leave at
// the front, in units of UNIT bytes.
module window #(
    parameter GIVE = 32,
    parameter UNIT = 16
) (
    input wire clk,
    input wire [255:0] beat,
    input wire take,
    input wire [4:0] lo,
    input wire [5:0] count,
    input wire [5:0] release_units,
    output reg [8*(GIVE+32)-1:0] bytes,
    output reg [6:0] fill
);
  localparam STEPS = GIVE / UNIT;
  integer i, n;
  reg [8*(GIVE+32)-1:0] left, next;
  reg [6:0] rest;
  reg [4:0] turn;
  reg [255:0] turned;
  always @* begin
    left = bytes;
    if (UNIT == 1) begin
      for (n = 1; n <= GIVE; n = n * 2) if ((release_units & n) != 0) left = left >> (8 * n);
    end else begin
      for (n = 1; n <= STEPS; n = n + 1) if (release_units == n) left = bytes >> (8 * UNIT * n);
    end
    rest = fill - release_units * UNIT;
    turn = rest[4:0] - lo;
    turned = beat;
    for (n = 1; n < 32; n = n * 2) if ((turn & n) != 0) turned = {turned, turned} >> (256 - 8 * n);
    next = left;
    for (i = 0; i < GIVE + 32; i = i + 1)
      if (take && i >= rest && i < rest + count) next[8*i+:8] = turned[8*(i%32)+:8];
  end
  always @(posedge clk) begin
    bytes <= next;
    fill <= take ? rest + count : rest;
  end
endmodule
module window_load (input wire clk, input wire [255:0] beat, input wire take, input wire [4:0] lo, input wire [5:0] count,
                    input wire [5:0] release_units, output wire [511:0] bytes, output wire [6:0] fill);
  window #(.GIVE(32), .UNIT(16)) w (.clk(clk), .beat(beat), .take(take), .lo(lo), .count(count),
                                    .release_units(release_units), .bytes(bytes), .fill(fill));
endmodule
module window_part (input wire clk, input wire [255:0] beat, input wire take, input wire [4:0] lo, input wire [5:0] count,
                    input wire [5:0] release_units, output wire [383:0] bytes, output wire [6:0] fill);
  window #(.GIVE(16), .UNIT(1)) w (.clk(clk), .beat(beat), .take(take), .lo(lo), .count(count),
                                   .release_units(release_units), .bytes(bytes), .fill(fill));
endmodule
