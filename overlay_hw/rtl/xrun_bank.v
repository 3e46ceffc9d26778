// One part of one activation bank: a dual-port memory. Port A is the Conv array's. Port B rotates over eight slots
// (isa/README.md, section 2): in the cycle whose count is t, slot s owns bank group (t - s) mod 8. A client's accesses
// to one bank lie at least 8 cycles apart and are served within 8, so each slot holds at most one. A read's answer stands
// at its slot from 10 cycles after the access on; that is the latency the engines are synthesized with.
module xrun_bank #(
    parameter WORDS = 2048,
    parameter WIDTH = 64,
    parameter ADDRESS = 11,
    parameter GROUP = 0,
    parameter STYLE = "ultra"
) (
    input wire clk,
    input wire clear,
    input wire [2:0] phase,
    // Port A: Conv array read, latency 2.
    input wire [ADDRESS-1:0] a_address,
    input wire a_ce,
    output reg [WIDTH-1:0] a_q,
    // Slots that write: 0 Conv result, 5 Vector, 6 Load.
    input wire [ADDRESS-1:0] s0_address, s5_address, s6_address,
    input wire s0_ce, s5_ce, s6_ce,
    input wire s0_we, s5_we, s6_we,
    input wire [WIDTH-1:0] s0_d, s5_d, s6_d,
    // Slots that read: 1 Conv residual, 2 to 4 Vector, 7 Save.
    input wire [ADDRESS-1:0] s1_address, s2_address, s3_address, s4_address, s7_address,
    input wire s1_ce, s2_ce, s3_ce, s4_ce, s7_ce,
    output wire [WIDTH-1:0] s1_q, s2_q, s3_q, s4_q, s7_q
);
  localparam [2:0] OWN = GROUP;
  (* ram_style = STYLE *) reg [WIDTH-1:0] word[0:WORDS-1];
  reg [WIDTH-1:0] a_read, b_read;

  // What each slot waits with.
  reg [7:0] waiting;
  reg [ADDRESS-1:0] address[0:7];
  reg [WIDTH-1:0] data0, data5, data6;
  wire [7:0] ask = {s7_ce, s6_ce & s6_we, s5_ce & s5_we, s4_ce, s3_ce, s2_ce, s1_ce, s0_ce & s0_we};

  // The slot whose turn it is with this group: (t - s) mod 8 = GROUP.
  wire [2:0] slot = phase - OWN;
  wire serve = waiting[slot];
  wire write = slot == 3'd0 || slot == 3'd5 || slot == 3'd6;
  wire [WIDTH-1:0] data = slot == 3'd0 ? data0 : slot == 3'd5 ? data5 : data6;
  reg read_valid;
  reg [2:0] read_slot;
  reg [WIDTH-1:0] answer[0:7];

  always @(posedge clk) begin
    if (a_ce) a_read <= word[a_address];
    a_q <= a_read;
  end
  always @(posedge clk) begin
    if (serve) begin
      if (write) word[address[slot]] <= data;
      else b_read <= word[address[slot]];
    end
    read_valid <= serve && !write;
    read_slot <= slot;
    if (read_valid) answer[read_slot] <= b_read;
    if (clear) waiting <= 8'd0;
    else waiting <= (waiting & ~(8'd1 << slot)) | ask;
    if (ask[0]) begin address[0] <= s0_address; data0 <= s0_d; end
    if (ask[5]) begin address[5] <= s5_address; data5 <= s5_d; end
    if (ask[6]) begin address[6] <= s6_address; data6 <= s6_d; end
    if (ask[1]) address[1] <= s1_address;
    if (ask[2]) address[2] <= s2_address;
    if (ask[3]) address[3] <= s3_address;
    if (ask[4]) address[4] <= s4_address;
    if (ask[7]) address[7] <= s7_address;
  end
  assign s1_q = answer[1];
  assign s2_q = answer[2];
  assign s3_q = answer[3];
  assign s4_q = answer[4];
  assign s7_q = answer[7];
endmodule
